"""Transferability scores from their definitions, with numpy and scipy, on the problems that `examples/transferability_peer.rs` of the plugin writes.

    python transferability.py FOLDER

Reads FOLDER/problem-*/{features.csv,labels.csv} and prints a JSON line a score. Labels that are few whole numbers are classes. The ways are
other than ours on purpose: evidence from the dense N x N covariance and two parameters, determinants by Sylvester's other side,
inverses and singular values instead of factors and eigenvectors, ranks by scipy.
"""

import json
import sys
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from scipy.spatial.distance import pdist
from scipy.stats import rankdata, spearmanr


def evidence(features, y):
    """Highest ln N(y; 0, I / beta + F F^T / alpha) / N, from several starts."""
    n = len(y)
    values, vectors = np.linalg.eigh(features @ features.T)
    values, along = np.maximum(values, 0), (vectors.T @ y) ** 2

    def negative(at):
        variances = np.exp(-at[1]) + values * np.exp(-at[0])
        return 0.5 * np.mean(np.log(2 * np.pi * variances) + along / variances)

    starts = [(a, b) for a in (-4, 0, 4, 8, 12) for b in (-2, 0, 2, 5)]
    options = {"xatol": 1e-10, "fatol": 1e-15, "maxiter": 10_000, "maxfev": 10_000}
    best = min((minimize(negative, start, method="Nelder-Mead", options=options) for start in starts), key=lambda found: found.fun)
    covariance = np.eye(n) * np.exp(-best.x[1]) + features @ features.T * np.exp(-best.x[0])
    dense = -0.5 * (np.linalg.slogdet(2 * np.pi * covariance)[1] + y @ np.linalg.solve(covariance, y)) / n
    assert abs(dense + best.fun) < 1e-9
    return dense


def logme(features, labels, classes):
    outputs = [labels] if classes is None else [(classes == c).astype(float) for c in np.unique(classes)]
    return np.mean([evidence(features, output) for output in outputs])


def h_score(features, classes):
    x = features - features.mean(0)
    n, d = x.shape
    s = x.T @ x / n
    level = np.trace(s) / d
    noise = sum(np.sum((np.outer(row, row) - s) ** 2) for row in x) / n**2
    a = min(noise / np.sum((s - level * np.eye(d)) ** 2), 1)
    means = np.stack([x[classes == c].mean(0) for c in classes])
    return (1 - a) * np.trace(np.linalg.inv((1 - a) * s + a * level * np.eye(d)) @ (means.T @ means / n))


def gbc(features, classes):
    x = features - features.mean(0)
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    scores = (u * s)[:, : min(64, np.sum(s**2 > 1e-12 * s[0] ** 2))]
    d, found = scores.shape[1], 0
    for one in np.unique(classes):
        for other in np.unique(classes):
            if one != other:
                a, b = scores[classes == one], scores[classes == other]
                va, vb = max(a.var(0).mean(), 1e-4), max(b.var(0).mean(), 1e-4)
                v = (va + vb) / 2
                distance = np.sum((a.mean(0) - b.mean(0)) ** 2 / v) / 8 + d * (np.log(v) - np.log(va) / 2 - np.log(vb) / 2) / 2
                found -= np.exp(-distance)
    return found


def rate(x, eps=1e-4):
    n, d = x.shape
    gram = x.T @ x if n > d else x @ x.T
    return np.linalg.slogdet(np.eye(len(gram)) + gram / (n * eps))[1] / 2


def transrate(features, classes):
    x = features - features.mean(0)
    return rate(x) - sum(np.mean(classes == c) * rate(x[classes == c]) for c in np.unique(classes))


def parc(features, labels, classes):
    x = features[:1000] - features[:1000].mean(0)
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    kept = u[:, : min(32, np.sum(s**2 > 1e-12 * s[0] ** 2))]
    one = (labels if classes is None else classes)[:1000, None].astype(float)
    apart = pdist(one, "cityblock") if classes is None else pdist(one, "hamming")
    return spearmanr(pdist(kept, "cosine"), apart)[0]


def area(scores, positive):
    ranks = rankdata(scores)
    up = positive.sum()
    return (ranks[positive].sum() - up * (up + 1) / 2) / (up * (len(scores) - up))


def ridge(features, labels, classes):
    kinds = [None] if classes is None else list(np.unique(classes))
    folds = np.zeros(len(labels), int)
    for members in [np.arange(len(labels))] if classes is None else [np.flatnonzero(classes == c) for c in kinds]:
        folds[members] = np.arange(len(members)) % 5
    found = []
    for kind in kinds:
        y = labels if kind is None else (classes == kind).astype(float)
        predicted = np.zeros(len(y))
        for fold in range(5):
            train, test = folds != fold, folds == fold
            middle, level = features[train].mean(0), y[train].mean()
            u, s, vt = np.linalg.svd(features[train] - middle, full_matrices=False)
            target, n = y[train] - level, train.sum()
            along, unit, best = u.T @ target, np.sum(s**2) / features.shape[1], None
            for quarter in range(-24, 25):
                strength = unit * 10 ** (quarter / 4)
                shrink = s**2 / (s**2 + strength)
                freedom = n - 1 - shrink.sum()
                if freedom <= 1e-6 * n:
                    continue
                validation = np.sum((target - u @ (shrink * along)) ** 2) / freedom**2
                if best is None or validation < best[0]:
                    best = validation, vt.T @ (s / (s**2 + strength) * along)
            predicted[test] = (features[test] - middle) @ best[1] + level
        if kind is None:
            return 1 - np.sum((y - predicted) ** 2) / np.sum((y - y.mean()) ** 2)
        found.append(area(predicted, y == 1))
    return np.mean(found)


def main(folder):
    for problem in sorted(Path(folder).glob("problem-*")):
        features = np.loadtxt(problem / "features.csv", delimiter=",", ndmin=2)
        labels = np.loadtxt(problem / "labels.csv")
        classes = labels.astype(int) if len(np.unique(labels)) <= 10 else None
        fifths = np.searchsorted(np.quantile(labels, [0.2, 0.4, 0.6, 0.8]), labels, side="left")
        end, of = ("", classes) if classes is not None else ("_q5", fifths)
        values = {
            "logme": logme(features, labels, classes),
            "h_score" + end: h_score(features, of),
            "gbc" + end: gbc(features, of),
            "transrate" + end: transrate(features, of),
            "parc": parc(features, labels, classes),
            "ridge": ridge(features, labels, classes),
        }
        for metric, value in values.items():
            print(json.dumps({"problem": problem.name, "metric": "transferability/" + metric, "value": float(value)}))


if __name__ == "__main__":
    main(sys.argv[1])
