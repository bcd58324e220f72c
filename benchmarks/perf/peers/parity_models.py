"""The models that parity is about: each family at several geometries, with random weights that leave nothing near its default.

Weights come from a fixed seed, in float32; the reference is computed in float64 on those weights. Linear layers have standard deviation
1.2 / sqrt(inputs), so that attention is far from uniform, and gains and biases are random too. Attention is `sdpa`: the `eager` kernel
of `transformers` computes softmax in float32 whatever the weights are, and has no answer in float64 for a row that is all padding.
"""

import copy
import json
import math
import pathlib
import tempfile
import zlib

import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import load_file, save_file

from parity_reference import Lstm, Molformer

VOCABULARY = 20

# Geometries: what `tiny` (the golden files) is, and what the others change.
FAMILIES = {
    "bert": {
        "tiny": dict(
            hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, max_position_embeddings=24,
            vocab_size=VOCABULARY, pad_token_id=0,
        ),
        "long": dict(max_position_embeddings=512),
        "wide": dict(
            hidden_size=256, num_hidden_layers=3, num_attention_heads=4, intermediate_size=1024, max_position_embeddings=128,
            vocab_size=600,
        ),
    },
    "roberta": {
        "tiny": dict(
            hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, max_position_embeddings=26,
            vocab_size=VOCABULARY, pad_token_id=1, bos_token_id=0, eos_token_id=2, type_vocab_size=1, layer_norm_eps=1e-5,
        ),
        "long": dict(max_position_embeddings=514),
        "wide": dict(
            hidden_size=256, num_hidden_layers=3, num_attention_heads=4, intermediate_size=1024, max_position_embeddings=130,
            vocab_size=600,
        ),
    },
    "modernbert": {
        "tiny": dict(
            hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=12, max_position_embeddings=24,
            vocab_size=VOCABULARY, pad_token_id=3, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2,
            local_attention=8, global_attn_every_n_layers=2,
        ),
        "long": dict(max_position_embeddings=512, local_attention=32),
        "wide": dict(
            hidden_size=256, num_hidden_layers=4, num_attention_heads=4, intermediate_size=384, max_position_embeddings=128,
            vocab_size=600, local_attention=16, global_attn_every_n_layers=3,
        ),
    },
    "gpt": {
        "tiny": dict(
            hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=40, max_position_embeddings=24,
            vocab_size=VOCABULARY, pad_token_id=0, bos_token_id=2, eos_token_id=3, use_parallel_residual=False,
            tie_word_embeddings=True, rotary_pct=1.0,
        ),
        # Pythia's kind: an output of its own, both sub-layers from the same input, positions in a part of each head.
        "parallel": dict(tie_word_embeddings=False, use_parallel_residual=True, rotary_pct=0.5),
        "long": dict(max_position_embeddings=512),
        "wide": dict(
            hidden_size=256, num_hidden_layers=3, num_attention_heads=4, intermediate_size=1024, max_position_embeddings=128,
            vocab_size=600,
        ),
    },
    "gpt2": {
        "tiny": dict(
            n_embd=16, n_layer=2, n_head=2, n_inner=40, n_positions=24, vocab_size=VOCABULARY, pad_token_id=0, bos_token_id=2,
            eos_token_id=3,
        ),
        "untied": dict(tie_word_embeddings=False),
        "long": dict(n_positions=512),
        "wide": dict(n_embd=256, n_layer=3, n_head=4, n_inner=None, n_positions=128, vocab_size=600),
    },
    "lstm": {
        "tiny": dict(
            model_type="clmbench_lstm", hidden_size=16, num_hidden_layers=2, max_position_embeddings=24, vocab_size=VOCABULARY,
            pad_token_id=0, bos_token_id=2, eos_token_id=3,
        ),
        "long": dict(max_position_embeddings=512),
        "wide": dict(hidden_size=256, num_hidden_layers=3, max_position_embeddings=128, vocab_size=600),
    },
    "molformer": {
        "tiny": dict(
            model_type="molformer", architectures=["MolformerForMaskedLM"], hidden_size=16, num_hidden_layers=2,
            num_attention_heads=2, intermediate_size=24, num_random_features=12, max_position_embeddings=24,
            vocab_size=VOCABULARY, pad_token_id=2, bos_token_id=0, eos_token_id=1, layer_norm_eps=1e-12,
            linear_attention_eps=1e-6, feature_map_kernel="relu", hidden_act="gelu", deterministic_eval=True,
            embedding_dropout_prob=0.2, hidden_dropout_prob=0.1, tie_word_embeddings=False, initializer_range=0.02,
        ),
        "long": dict(max_position_embeddings=512),
        "wide": dict(
            hidden_size=256, num_hidden_layers=3, num_attention_heads=4, intermediate_size=256, num_random_features=128,
            max_position_embeddings=128, vocab_size=600,
        ),
    },
}

CAUSAL = {"gpt", "gpt2", "lstm"}

CLASSES = {
    "bert": ("BertConfig", "BertForPreTraining"),
    "roberta": ("RobertaConfig", "RobertaForMaskedLM"),
    "modernbert": ("ModernBertConfig", "ModernBertForMaskedLM"),
    "gpt": ("GPTNeoXConfig", "GPTNeoXForCausalLM"),
    "gpt2": ("GPT2Config", "GPT2LMHeadModel"),
}


def settings(family, geometry):
    return {**FAMILIES[family]["tiny"], **FAMILIES[family][geometry]}


def longest(family, geometry):
    """The longest sequence in tokens."""
    positions = settings(family, geometry)["n_positions" if family == "gpt2" else "max_position_embeddings"]
    return positions - 2 if family == "roberta" else positions


def make(family, geometry, changed=None):
    """The model with its random weights, in float32, evaluation mode."""
    given = settings(family, geometry) | (changed or {})
    if family in CLASSES:
        config, model = (getattr(transformers, name) for name in CLASSES[family])
        model = model(config(**given, attn_implementation="sdpa"))
        config = model.config
    else:
        model = {"lstm": Lstm, "molformer": Molformer}[family](given)
        config = model.config
    generator = torch.Generator().manual_seed(zlib.crc32(f"{family}/{geometry}".encode()))
    draw = lambda tensor: torch.randn(tensor.shape, generator=generator)
    tensors = dict(model.named_parameters())
    tensors |= {name: buffer for name, buffer in model.named_buffers() if name.endswith("feature_map.weight")}
    with torch.no_grad():
        for name, tensor in sorted(tensors.items()):
            if tensor.dim() == 1:
                gain = ("norm" in name.lower() or ".ln_" in name) and name.endswith("weight")
                tensor.copy_(0.2 * draw(tensor) + (1.0 if gain else 0.0))
            elif name.endswith("feature_map.weight"):
                tensor.copy_(draw(tensor))
            elif "embed" in name:
                tensor.copy_(draw(tensor) * 2 / math.sqrt(config.hidden_size))
            else:
                tensor.copy_(draw(tensor) * 1.2 / math.sqrt(tensor.shape[1]))
    return model.eval()


def batch(family, geometry, lengths, seed):
    """ids [B, L], mask [B, L], predicted places [M] of the flattened [B * L], and what to predict there [M]."""
    given = settings(family, geometry)
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, given["vocab_size"], (len(lengths), max(lengths)), generator=generator)
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    targets = torch.randint(5, given["vocab_size"], ids.shape, generator=generator)
    if family in CAUSAL:
        chosen, targets = mask.clone(), torch.roll(ids, -1, 1)
        for row, length in enumerate(lengths):
            chosen[row, length - 1] = 0
    else:
        chosen = mask * (torch.rand(ids.shape, generator=generator) < 0.4)
        chosen[:, 0] = 1
    ids = torch.where(mask == 1, ids, given["pad_token_id"])
    positions = chosen.flatten().nonzero().flatten()
    return ids, mask, positions, targets.flatten()[positions]


def outputs(model, ids, mask):
    """Last hidden states [B, L, D] and logits [B, L, V]."""
    if isinstance(model, (Lstm, Molformer)):
        hidden = model.hidden(ids, mask)
        return hidden, model.logits(hidden)
    kept = {}
    hook = model.base_model.register_forward_hook(lambda module, given, result: kept.update(hidden=result[0]))
    given = {} if model.config.model_type != "gpt_neox" else {"use_cache": False}
    result = model(input_ids=ids, attention_mask=mask, **given)
    hook.remove()
    return kept["hidden"], result.prediction_logits if "prediction_logits" in result else result.logits


def measured(model, case, kind=torch.float64):
    """hidden, logits, loss, and the gradient of the loss by parameter, computed in this kind."""
    ids, mask, positions, targets = case
    model = copy.deepcopy(model).to(kind)
    hidden, logits = outputs(model, ids, mask)
    loss = F.cross_entropy(logits.flatten(0, 1)[positions], targets)
    loss.backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    return hidden.detach(), logits.detach(), loss.detach(), gradients


def save(model, folder, **how):
    """The folder as `save_pretrained` writes it; for the two that `transformers` does not have, the same two files."""
    if not isinstance(model, (Lstm, Molformer)):
        model.save_pretrained(folder, **how)
        return
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(vars(model.config), indent=2, sort_keys=True) + "\n")
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


def as_saved(model, values=None):
    """config.json and the tensors of the saved file by their names there; with `values`, those in the place of the weights, and
    without the tensors that have none."""
    model = copy.deepcopy(model)
    if values is not None:
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(values[name] if values[name] is not None else torch.nan)
            for name, buffer in model.named_buffers():
                if name.endswith("feature_map.weight"):
                    buffer.fill_(torch.nan)
    with tempfile.TemporaryDirectory() as folder:
        save(model, folder)
        config = (pathlib.Path(folder) / "config.json").read_text()
        tensors = load_file(pathlib.Path(folder) / "model.safetensors")
    return config, {name: tensor for name, tensor in tensors.items() if not tensor.isnan().any()}


def reference(model, case, prefix=""):
    """Tensors of a case with the float64 reference, rounded to float32 once."""
    hidden, logits, loss, gradients = measured(model, case)
    _, gradients = as_saved(model, gradients)
    named = dict(zip(("ids", "mask", "positions", "targets"), case))
    named |= {"hidden": hidden.float(), "logits": logits.float(), "loss": loss.float()}
    named |= {f"g.{name}": gradient for name, gradient in gradients.items()}
    return {prefix + name: tensor.contiguous() for name, tensor in named.items()}
