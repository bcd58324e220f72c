"""Trace and top eigenvalues of the Hessian by PyHessian, on the weights and masked molecules that clmbench wrote.

    python curvature.py FOLDER PROBES SEED THREADS

FOLDER holds model.safetensors and batch.safetensors (ids [N, L] padded with 0, positions [M] in the flattened [N * L], targets [M],
all as float32). Prints one JSON line: the loss, and for `padded` (one padded batch, logits at every position, what a Hugging Face
model with labels -100 does) and `masked` (logits at the predicted positions only) the trace of each probe and seconds; top two
eigenvalues and seconds. PyHessian's trace returns after two probes whenever its running mean is negative, since its rule divides by
the signed mean; so it is called for one probe at a time, which its first backward pass is shared by.
"""

import json
import re
import sys
import time

import torch
import torch.nn.functional as F
from pyhessian import hessian
from safetensors.torch import load_file
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.heads = max(width // 64, 1)
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-12), nn.LayerNorm(width, eps=1e-12)

    def forward(self, x, bias):
        b, n, d = x.shape
        q, k, v = (f(x).view(b, n, self.heads, -1).transpose(1, 2) for f in (self.query, self.key, self.value))
        # Plain attention: the fused one has no second derivative.
        a = (q @ k.transpose(-2, -1) / (d // self.heads) ** 0.5 + bias).softmax(-1) @ v
        x = self.norm1(x + self.out(a.transpose(1, 2).reshape(b, n, d)))
        return self.norm2(x + self.down(F.gelu(self.up(x))))


class Bert(nn.Module):
    """Post-LN BERT with a tied decoder; without the pooler, which the loss does not reach."""

    def __init__(self, layers, width, entries, longest):
        super().__init__()
        self.words, self.places = nn.Embedding(entries, width), nn.Embedding(longest, width)
        self.segments = nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.blocks = nn.ModuleList(Block(width) for _ in range(layers))
        self.transform, self.head_norm = nn.Linear(width, width), nn.LayerNorm(width, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(entries))
        self.chosen = None

    def forward(self, ids):
        bias = torch.zeros(ids.shape).masked_fill_(ids == 0, float("-inf"))[:, None, None, :]
        x = self.norm(self.words(ids) + self.places.weight[: ids.shape[1]] + self.segments.weight[0])
        for block in self.blocks:
            x = block(x, bias)
        x = x.flatten(0, 1)
        if self.chosen is not None:
            x = x[self.chosen]
        return F.linear(self.head_norm(F.gelu(self.transform(x))), self.words.weight, self.bias)


NAMES = [
    (r"bert\.embeddings\.word_embeddings", "words"),
    (r"bert\.embeddings\.position_embeddings", "places"),
    (r"bert\.embeddings\.token_type_embeddings", "segments"),
    (r"bert\.embeddings\.LayerNorm", "norm"),
    (r"bert\.encoder\.layer", "blocks"),
    (r"attention\.self\.", ""),
    (r"attention\.output\.dense", "out"),
    (r"attention\.output\.LayerNorm", "norm1"),
    (r"intermediate\.dense", "up"),
    (r"output\.dense", "down"),
    (r"output\.LayerNorm", "norm2"),
    (r"cls\.predictions\.transform\.dense", "transform"),
    (r"cls\.predictions\.transform\.LayerNorm", "head_norm"),
    (r"cls\.predictions\.bias", "bias"),
]


def load(folder):
    weights = {}
    for name, tensor in load_file(f"{folder}/model.safetensors").items():
        for pattern, ours in NAMES:
            name = re.sub(pattern, ours, name)
        weights[name] = tensor
    weights = {name: tensor for name, tensor in weights.items() if not name.startswith("bert.pooler")}
    entries, width = weights["words.weight"].shape
    layers = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("blocks."))
    model = Bert(layers, width, entries, weights["places.weight"].shape[0])
    model.load_state_dict(weights)
    batch = load_file(f"{folder}/batch.safetensors")
    return model.eval(), *(batch[name].long() for name in ("ids", "positions", "targets"))


def measure(model, ids, labels, probes, seed):
    criterion = nn.CrossEntropyLoss(ignore_index=-100)
    model.zero_grad()
    started = time.perf_counter()
    computer = hessian(model, criterion, data=(ids, labels), cuda=False)
    shared = time.perf_counter() - started
    torch.manual_seed(seed)
    computer.trace(maxIter=1)  # warm
    traces, started = [], time.perf_counter()
    for _ in range(probes):
        traces += computer.trace(maxIter=1)
    each = (time.perf_counter() - started) / probes
    return computer, {"traces": traces, "shared": shared, "seconds": each}


def main():
    folder, *numbers = sys.argv[1:]
    probes, seed, threads = map(int, numbers)
    torch.set_num_threads(threads)
    model, ids, positions, targets = load(folder)
    labels = torch.full((ids.numel(),), -100)
    labels[positions] = targets
    answer = {}
    with torch.no_grad():
        answer["loss"] = F.cross_entropy(model(ids).double(), labels, ignore_index=-100).item()
    _, answer["padded"] = measure(model, ids, labels, probes, seed)
    model.chosen = positions
    computer, answer["masked"] = measure(model, ids, targets, probes, seed + 1)
    torch.manual_seed(seed)
    started = time.perf_counter()
    answer["eigenvalues"], _ = computer.eigenvalues(maxIter=100, tol=1e-3, top_n=2)
    answer["eigen_seconds"] = time.perf_counter() - started
    print(json.dumps(answer))


main()
