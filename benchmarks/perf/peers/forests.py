"""scikit-learn's forests with the settings of benchmarks/suites/anchors.toml, for the column `peer` of benchmarks/published.toml.

    python forests.py FOLDER        FOLDER holds bbbp.csv.gz, bace.csv.gz, ...: a column `smiles`, then a column a task

RDKit's Morgan fingerprints of radius 2 and 1,024 bits; the rule of DeepChem's ScaffoldSplitter, 80 : 10 : 10, train and test only; balanced weights
as DeepChem's BalancingTransformer. Prints mean and standard deviation (divisor n) over seeds of the mean over tasks.
"""

import csv
import gzip
import io
import sys

import numpy
from rdkit import Chem, RDLogger
from rdkit.Chem import rdFingerprintGenerator
from rdkit.Chem.Scaffolds import MurckoScaffold
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import roc_auc_score

USUAL = dict(n_estimators=500)
# Data set, classes, settings, balanced, seeds.
RUNS = [
    ("bbbp", True, dict(n_estimators=100, criterion="entropy", min_samples_split=8), True, 5),
    ("bbbp", True, USUAL, False, 5),
    ("bace", True, dict(n_estimators=30, criterion="entropy", min_samples_split=32), True, 5),
    ("bace", True, USUAL, False, 5),
    ("clintox", True, dict(n_estimators=100, criterion="entropy", min_samples_split=16, bootstrap=False), True, 5),
    ("clintox", True, USUAL, False, 5),
    ("esol", False, dict(n_estimators=30, criterion="absolute_error", min_samples_split=16), False, 5),
    ("sider", True, dict(n_estimators=100, min_samples_split=32, bootstrap=False), True, 2),
    ("bace_reg", False, dict(n_estimators=100, min_samples_split=32), False, 22),
]


def load(path):
    """Fingerprints, labels (NaN = missing), places of training and test molecules."""
    with gzip.open(path, "rb") as file:
        rows = list(csv.DictReader(io.TextIOWrapper(file, "utf8")))
    tasks = [name for name in rows[0] if name != "smiles"]
    molecules = [(row, Chem.MolFromSmiles(row["smiles"])) for row in rows]
    molecules = [(row, molecule) for row, molecule in molecules if molecule is not None]
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    bits = numpy.array([generator.GetFingerprintAsNumPy(molecule) for _, molecule in molecules], dtype=numpy.float32)
    labels = numpy.array([[float(row[task]) if row[task] else numpy.nan for task in tasks] for row, _ in molecules])
    groups = {}
    for place, (_, molecule) in enumerate(molecules):
        scaffold = MurckoScaffold.MurckoScaffoldSmiles(mol=molecule, includeChirality=False)
        groups.setdefault(scaffold, []).append(place)
    train, valid, test = [], [], []
    for group in sorted(groups.values(), key=lambda group: (len(group), group[0]), reverse=True):
        if len(train) + len(group) <= 0.8 * len(molecules):
            train += group
        elif len(train) + len(valid) + len(group) <= 0.9 * len(molecules):
            valid += group
        else:
            test += group
    return bits, labels, train, test


def score(bits, labels, train, test, classes, settings, balanced, seed):
    train = [place for place in train if not numpy.isnan(labels[place])]
    test = [place for place in test if not numpy.isnan(labels[place])]
    target, wanted = labels[train], labels[test]
    if not classes:
        forest = RandomForestRegressor(random_state=seed, n_jobs=2, **settings).fit(bits[train], target)
        return numpy.sqrt(numpy.mean((forest.predict(bits[test]) - wanted) ** 2))
    weights = numpy.ones(len(train))
    if balanced:
        weights[target == 1] = (target == 0).sum() / (target == 1).sum()
    forest = RandomForestClassifier(random_state=seed, n_jobs=2, **settings).fit(bits[train], target, weights)
    return roc_auc_score(wanted, forest.predict_proba(bits[test])[:, 1])


def main(folder):
    RDLogger.DisableLog("rdApp.*")
    for name, classes, settings, balanced, seeds in RUNS:
        bits, labels, train, test = load(f"{folder}/{name}.csv.gz")
        found = [
            numpy.mean([score(bits, column, train, test, classes, settings, balanced, seed) for column in labels.T])
            for seed in range(seeds)
        ]
        print(f"{name} {settings} balanced={balanced}: {numpy.mean(found):.4f} +- {numpy.std(found):.4f} ({seeds})", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
