"""Two architectures that `transformers` does not have, written for the comparison: an LSTM on torch.nn.LSTM, and MoLFormer with its
attention in the naive quadratic form (all weights of all pairs, [L, L] a head), which is slow and says what the linear form must give.

MoLFormer: Ross et al. 2022 (arXiv:2106.09553); names, order and constants are those of the published files of
ibm/MoLFormer-XL-both-10pct: rotary positions before the feature map relu(x W) with fixed random features W [head width, features] of
each layer (shared by its heads), a denominator that is at least `linear_attention_eps`, post-LN blocks, a last LayerNorm over the
hidden states, a masked-LM head of dense, GELU, LayerNorm and a decoder without bias that is not tied to the embeddings.
"""

from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import nn


class Named(nn.Module):
    """Modules by name, as the published files nest them."""

    def __init__(this, /, **modules):  # not `self`: that is the name of a module
        super().__init__()
        for name, module in modules.items():
            this.add_module(name, module)


def turned(x, base=10000.0):
    """Rotary positions of x [B, heads, L, D]: feature i and i + D / 2 turn together. Angles in float32, as published."""
    length, width = x.shape[-2:]
    frequencies = 1.0 / base ** (torch.arange(0, width, 2, dtype=torch.float32) / width)
    angles = torch.arange(length, dtype=torch.float32)[:, None] * frequencies
    cos, sin = (f(torch.cat((angles, angles), -1)).to(x.dtype) for f in (torch.cos, torch.sin))
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat((-second, first), -1) * sin


class FeatureMap(nn.Module):
    def __init__(self, width, features):
        super().__init__()
        self.register_buffer("weight", torch.zeros(width, features))


class Molformer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.config = SimpleNamespace(**c)
        width, inner, head = c["hidden_size"], c["intermediate_size"], c["hidden_size"] // c["num_attention_heads"]
        norm = lambda: nn.LayerNorm(width, eps=c["layer_norm_eps"])
        linear = nn.Linear

        def layer():
            maps = {name: linear(width, width) for name in ("query", "key", "value")}
            attention = Named(feature_map=FeatureMap(head, c["num_random_features"]), **maps)
            return Named(
                attention=Named(self=attention, output=Named(dense=linear(width, width), LayerNorm=norm())),
                intermediate=Named(dense=linear(width, inner)),
                output=Named(dense=linear(inner, width), LayerNorm=norm()),
            )

        layers = nn.ModuleList(layer() for _ in range(c["num_hidden_layers"]))
        words = nn.Embedding(c["vocab_size"], width)
        self.molformer = Named(embeddings=Named(word_embeddings=words), encoder=Named(layer=layers), LayerNorm=norm())
        decoder = linear(width, c["vocab_size"], bias=False)
        self.lm_head = Named(transform=Named(dense=linear(width, width), LayerNorm=norm()), decoder=decoder)

    def hidden(self, ids, mask):
        heads, eps = self.config.num_attention_heads, self.config.linear_attention_eps
        x = self.molformer.embeddings.word_embeddings(ids)
        b, n, d = x.shape
        for layer in self.molformer.encoder.layer:
            a = getattr(layer.attention, "self")
            q, k, v = (f(x).view(b, n, heads, d // heads).transpose(1, 2) for f in (a.query, a.key, a.value))
            q, k = (torch.relu(turned(y) @ a.feature_map.weight) for y in (q, k))
            pairs = torch.einsum("bhif,bhjf->bhij", q, k) * mask[:, None, None, :]
            shares = pairs / pairs.sum(-1, keepdim=True).clamp(min=eps)
            y = torch.einsum("bhij,bhjd->bihd", shares, v).reshape(b, n, d)
            x = layer.attention.output.LayerNorm(layer.attention.output.dense(y) + x)
            x = layer.output.LayerNorm(layer.output.dense(F.gelu(layer.intermediate.dense(x))) + x)
        return self.molformer.LayerNorm(x)

    def logits(self, hidden):
        transform = self.lm_head.transform
        return self.lm_head.decoder(transform.LayerNorm(F.gelu(transform.dense(hidden))))


class Lstm(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.config = SimpleNamespace(**c)
        width = c["hidden_size"]
        self.embeddings = nn.Embedding(c["vocab_size"], width)
        self.lstm = nn.LSTM(width, width, c["num_hidden_layers"], batch_first=True)
        self.output = nn.Linear(width, c["vocab_size"])

    def hidden(self, ids, mask):
        return self.lstm(self.embeddings(ids))[0]

    def logits(self, hidden):
        return self.output(hidden)
