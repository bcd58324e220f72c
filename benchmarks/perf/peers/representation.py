"""Scores of embeddings from their definitions, in numpy: prints a JSON line a value.

    python representation.py FOLDER

FOLDER is made by `cargo run --release -p clmbench-plugin-representation --example representation_peer FOLDER`. Written from the papers, apart from our
code: singular values by SVD, kernels as matrices, pairs one by one. Needs numpy.
"""

import json
import sys
from pathlib import Path

import numpy as np


def rankme(x):
    """Garrido et al. 2023, equation 1."""
    s = np.linalg.svd(x, compute_uv=False)
    p = s / s.sum() + 1e-7
    return float(np.exp(-(p * np.log(p)).sum()))


def covariance_spectrum(x):
    return np.linalg.svd(x - x.mean(0), compute_uv=False) ** 2 / len(x)


def alpha_req(x, first=6, last=100):
    """Weighted line through log eigenvalue over log rank, weights 1/rank: alpha and R^2."""
    values = covariance_spectrum(x)
    values = values[values > 1e-10 * values[0]]
    rank = np.arange(1, len(values) + 1)[first - 1 : last]
    a, b, w = np.log(rank), np.log(values[first - 1 : last]), 1.0 / rank
    slope, start = np.polyfit(a, b, 1, w=np.sqrt(w))
    mean = np.average(b, weights=w)
    return -slope, 1 - np.average((b - start - slope * a) ** 2, weights=w) / np.average((b - mean) ** 2, weights=w)


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def pairs(x, of):
    return np.array([of(x[i], x[j]) for i in range(len(x)) for j in range(i)])


def hsic_unbiased(k, l):
    """Song et al. 2012: kernels without diagonals."""
    n = len(k)
    k, l = k - np.diag(np.diag(k)), l - np.diag(np.diag(l))
    one = np.ones(n)
    middle = (one @ k @ one) * (one @ l @ one) / ((n - 1) * (n - 2))
    return (np.trace(k @ l) + middle - 2 / (n - 2) * (one @ k @ l @ one)) / (n * (n - 3))


def hsic_plain(k, l):
    n = len(k)
    h = np.eye(n) - 1.0 / n
    return np.trace(h @ k @ h @ l)


def cka(x, y, hsic):
    k, l = x @ x.T, y @ y.T
    return hsic(k, l) / np.sqrt(hsic(k, k) * hsic(l, l))


def scores(x, bits):
    n, d = x.shape
    yield "rankme", rankme(x)
    yield "rankme share", rankme(x) / min(n, d)
    alpha, r_squared = alpha_req(x)
    yield "alpha_req", abs(alpha - 1)
    yield "alpha_req alpha", alpha
    yield "alpha_req r_squared", r_squared
    values = covariance_spectrum(x)
    ratio = values.sum() ** 2 / (values**2).sum()
    yield "participation_ratio", ratio
    yield "participation_ratio share", ratio / min(n - 1, d)
    yield "anisotropy", pairs(unit(x), np.dot).mean()
    yield "uniformity", np.log(pairs(unit(x), lambda a, b: np.exp(-2 * ((a - b) ** 2).sum())).mean())
    yield "cka_fingerprint", cka(x, bits, hsic_unbiased)
    yield "cka_fingerprint cka", cka(x, bits, hsic_plain)


def main():
    for folder in sorted(Path(sys.argv[1]).glob("problem-*")):
        x = np.loadtxt(folder / "features.csv", delimiter=",", ndmin=2)
        bits = np.loadtxt(folder / "bits.csv", delimiter=",", ndmin=2)
        for name, value in scores(x, bits):
            print(json.dumps({"problem": folder.name, "metric": f"representation/{name}", "value": float(value)}))


if __name__ == "__main__":
    main()
