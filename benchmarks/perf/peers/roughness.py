"""Roughness of labels over embeddings from its definitions, in numpy and scipy: prints a JSON line a value.

    python roughness.py FOLDER

FOLDER is made by `cargo run --release -p clmbench-plugin-roughness --example roughness_peer FOLDER`. Written from the papers, apart from our code;
clusters come from scipy's complete linkage. Needs numpy and scipy.
"""

import json
import sys
from pathlib import Path

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist, squareform

# Distances under this share of the largest possible one are 0 (plugins/metrics/roughness/README.md).
ZERO = 1e-6


def largest(x):
    return np.sqrt(((x.max(0) - x.min(0)) ** 2).sum())


def coarsening(x, y, step=0.01):
    """Thresholds, clusters and twice the spread of their means (Aldeghi et al. 2022)."""
    y = (y - y.min()) / (y.max() - y.min())
    d = pdist(x) / largest(x)
    d[d <= ZERO] = 0.0
    tree = linkage(d, "complete")
    rows, last = [(0.0, len(y), 2 * y.std())], -np.inf
    for height in tree[:, 2]:
        if height < last + step:
            continue
        last = height
        cluster = fcluster(tree, height, "distance")
        mean = np.array([y[cluster == c].mean() for c in cluster])
        rows.append((height, len(set(cluster)), 2 * mean.std()))
    rows.append((1.0, 1, 0.0))
    return np.array(rows).T


def rogi(x, y):
    t, _, sigma = coarsening(x, y)
    return sigma[0] - np.trapezoid(sigma, t)


def rogi_xd(x, y):
    """Graff et al. 2023."""
    _, clusters, sigma = coarsening(x, y)
    return sigma[0] - np.trapezoid(sigma, 1 - np.log(clusters) / np.log(len(y)))


def modi(x, classes):
    """Golbraikh et al. 2014; equally near neighbours share."""
    d = squareform(pdist(x))
    np.fill_diagonal(d, np.inf)
    near = d <= d.min(1, keepdims=True) + ZERO * largest(x)
    alike = classes[:, None] == classes[None, :]
    share = (near & alike).sum(1) / near.sum(1)
    return np.mean([share[classes == c].mean() for c in (0, 1)])


def rmodi(x, y, delta=0.625):
    """Ruiz & Gomez-Nieto 2018: negative rivality indices."""
    d = squareform(pdist(x))
    np.fill_diagonal(d, np.inf)
    alike = np.abs(y[:, None] - y[None, :]) <= delta * y.std()
    friend, rival = np.where(alike, d, np.inf).min(1), np.where(alike, np.inf, d).min(1)
    return np.mean(friend + ZERO * largest(x) < rival)


def main():
    for folder in sorted(Path(sys.argv[1]).glob("problem-*")):
        x = np.loadtxt(folder / "features.csv", delimiter=",", ndmin=2)
        y, classes = (np.loadtxt(folder / f"{name}.csv") for name in ("labels", "classes"))
        for name, value in [("rogi", rogi(x, y)), ("rogi_xd", rogi_xd(x, y)), ("modi", modi(x, classes)), ("rmodi", rmodi(x, y))]:
            print(json.dumps({"problem": folder.name, "metric": f"roughness/{name}", "value": float(value)}))


if __name__ == "__main__":
    main()
