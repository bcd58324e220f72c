"""Pretrains the same BERT on the same molecules with PyTorch, and prints real tokens per second.

    python pretrain.py plain|tuned HELDOUT_CSV LAYERS WIDTH BATCH TOKENS

`plain` is what a padded Hugging Face Trainer does: every batch padded to one length, loss over all positions, default AdamW.
`tuned` is the best loop that we know: batches of nearly equal length, head on the masked positions only, fused AdamW, and the
faster of float32 and bfloat16 autocast with attention in float32 (tried on a few steps first). Two threads.
Needs torch 2.11; nothing else.
"""

import csv
import re
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

TOKEN = re.compile(r"\[[^\]]+\]|Br?|Cl?|N|O|S|P|F|I|b|c|n|o|s|p|\(|\)|\.|=|#|-|\+|\\|/|:|~|@|\?|>|\*|\$|%\d\d|\d")
VOCABULARY = 1961
PAD, MASK = 0, 4


class Block(nn.Module):
    def __init__(self, width, half):
        super().__init__()
        self.heads, self.half = max(width // 64, 1), half
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-12), nn.LayerNorm(width, eps=1e-12)

    def forward(self, x, bias):
        b, n, d = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        if self.half:  # bfloat16 attention has a slow backward on CPUs
            with torch.autocast("cpu", enabled=False):
                a = F.scaled_dot_product_attention(q.float(), k.float(), v.float(), bias)
        else:
            a = F.scaled_dot_product_attention(q, k, v, bias)
        x = self.norm1(x + self.out(a.transpose(1, 2).reshape(b, n, d)))
        return self.norm2(x + self.down(F.gelu(self.up(x))))


class Bert(nn.Module):
    def __init__(self, layers, width, half):
        super().__init__()
        self.words, self.positions = nn.Embedding(VOCABULARY, width), nn.Embedding(128, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.blocks = nn.ModuleList(Block(width, half) for _ in range(layers))
        self.transform, self.head_norm = nn.Linear(width, width), nn.LayerNorm(width, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(VOCABULARY))

    def forward(self, ids, chosen):
        bias = torch.zeros(ids.shape).masked_fill_(ids == PAD, float("-inf"))[:, None, None, :]
        x = self.norm(self.words(ids) + self.positions.weight[: ids.shape[1]])
        for block in self.blocks:
            x = block(x, bias)
        x = x.flatten(0, 1)
        if chosen is not None:
            x = x.index_select(0, chosen)
        return F.linear(self.head_norm(F.gelu(self.transform(x))), self.words.weight, self.bias)


def molecules(path):
    known = {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            ids = [5 + known.setdefault(t, len(known)) % (VOCABULARY - 5) for t in TOKEN.findall(row["smiles"])][:126]
            yield torch.tensor([2, *ids, 3])


def batches(data, size, tuned, generator):
    order = torch.randperm(len(data), generator=generator).tolist()
    if tuned:
        pools = [sorted(order[i : i + 32 * size], key=lambda m: len(data[m])) for i in range(0, len(order), 32 * size)]
        cut = [pool[i : i + size] for pool in pools for i in range(0, len(pool), size)]
        order = [cut[i] for i in torch.randperm(len(cut), generator=generator).tolist()]
    else:
        order = [order[i : i + size] for i in range(0, len(order), size)]
    longest = max(len(m) for m in data)
    for batch in order:
        length = max(len(data[m]) for m in batch) if tuned else longest
        ids = torch.zeros(len(batch), length, dtype=torch.long)
        for row, m in enumerate(batch):
            ids[row, : len(data[m])] = data[m]
        yield ids


def train(data, layers, width, size, tokens, tuned, half, seed=0):
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    model = Bert(layers, width, half)
    decay = [p for p in model.parameters() if p.dim() > 1]
    rest = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": decay, "weight_decay": 0.01}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, **({"fused": True} if tuned else {}))
    done, started = 0, time.perf_counter()
    while True:
        for ids in batches(data, size, tuned, generator):
            real = ids > 4
            masked = real & (torch.rand(ids.shape, generator=generator) < 0.15)
            shown = ids.masked_fill(masked, MASK)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
                if tuned:
                    chosen = masked.flatten().nonzero().squeeze(1)
                    loss = F.cross_entropy(model(shown, chosen).float(), ids.flatten()[chosen])
                else:
                    loss = F.cross_entropy(model(shown, None).float(), torch.where(masked, ids, -100).flatten())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            done += int((ids != PAD).sum())
            if done >= tokens:
                return done / (time.perf_counter() - started)


def main():
    kind, path, *numbers = sys.argv[1:]
    layers, width, size, tokens = map(int, numbers)
    torch.set_num_threads(2)
    data = list(molecules(path))
    train(data, layers, width, size, (4 if kind == "tuned" else 1) * size * 40, kind == "tuned", False)  # warm
    half = False
    if kind == "tuned":
        trial = 12 * size * 40
        half = train(data, layers, width, size, trial, True, True) > train(data, layers, width, size, trial, True, False)
    speed = train(data, layers, width, size, tokens, kind == "tuned", half)
    print("bfloat16" if half else "float32", f"{speed:.0f}")


main()
