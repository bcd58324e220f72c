"""RDKit's fingerprints and descriptors of some molecules, which harness/baselines/tests/rdkit.rs compares ours with.

    python molecule_features.py FOLDER > harness/baselines/tests/rdkit.tsv

FOLDER holds hiv.csv.gz and tox21.csv.gz with a column `smiles`, 100 rows of each of which are drawn. Their molecules are works of the United
States government and in the public domain: HIV of the Drug Therapeutics Program (NCI/NIH) AIDS antiviral screen, Tox21 of the Tox21 data
challenge 2014 (NIH, EPA, FDA), both as MoleculeNet has them. Of no other set is anything in that file. A line: canonical SMILES; bits of the 2048-bit Morgan fingerprint of radius 2 that are on (those of 1024 bits are their remainders, which is checked
here); 12 descriptors, as shortest decimals that read back the same. Made with RDKit 2026.09.1.
"""

import csv
import gzip
import io
import random
import sys

from rdkit import Chem, RDLogger
from rdkit.Chem import Crippen, Descriptors, Lipinski, QED, rdFingerprintGenerator, rdMolDescriptors

DESCRIPTORS = [
    Descriptors.MolWt,
    Crippen.MolLogP,
    Crippen.MolMR,
    rdMolDescriptors.CalcTPSA,
    Lipinski.NumHDonors,
    Lipinski.NumHAcceptors,
    Lipinski.NumRotatableBonds,
    Lipinski.RingCount,
    Lipinski.NumAromaticRings,
    Lipinski.FractionCSP3,
    Lipinski.HeavyAtomCount,
    QED.qed,
]


def main(folder):
    RDLogger.DisableLog("rdApp.*")
    large = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    small = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    generator = random.Random(20260101)
    for name in ["hiv", "tox21"]:
        with gzip.open(f"{folder}/{name}.csv.gz", "rb") as file:
            rows = list(csv.DictReader(io.TextIOWrapper(file, "utf8")))
        drawn = 0
        for row in generator.sample(rows, len(rows)):
            molecule = Chem.MolFromSmiles(row["smiles"])
            if molecule is None:
                continue
            # As our datasets have it: canonical, and read anew.
            smiles = Chem.MolToSmiles(molecule)
            molecule = Chem.MolFromSmiles(smiles)
            bits = list(large.GetFingerprint(molecule).GetOnBits())
            assert sorted({bit % 1024 for bit in bits}) == list(small.GetFingerprint(molecule).GetOnBits())
            values = [repr(float(descriptor(molecule))) for descriptor in DESCRIPTORS]
            print(smiles, ",".join(map(str, bits)), ",".join(values), sep="\t")
            drawn += 1
            if drawn == 100:
                break


if __name__ == "__main__":
    main(sys.argv[1])
