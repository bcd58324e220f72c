"""Folders of checkpoints as people have them: saved by `transformers` with weights and tokenizer, whole or in shards, in half
precision, of a bare encoder, under old names, with the keys of older versions."""

import copy
import json
import pathlib

import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer
from tokenizers import models as kinds
from tokenizers import pre_tokenizers, processors

import parity_models as models

ATOMS = ["C", "c", "N", "n", "O", "o", "(", ")", "=", "1", "2", "F", "S", "Cl", "Br"]
SMILES = r"\[[^\]]+]|Br?|Cl?|N|O|S|P|F|I|b|c|n|o|s|p|\(|\)|\.|=|#|-|\+|\\|/|:|~|@|\?|>|\*|\$|%[0-9]{2}|[0-9]"
# Special tokens by family, by id; then those that have a role.
SPECIAL = {
    "bert": (["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], dict(cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]")),
    "roberta": (["<s>", "<pad>", "</s>", "<unk>", "<mask>"], dict(cls_token="<s>", sep_token="</s>", mask_token="<mask>")),
    "modernbert": (["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"], dict(cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]")),
    "gpt": (["<pad>", "<unk>", "<s>", "</s>", "#"], dict(bos_token="<s>", eos_token="</s>")),
    "gpt2": (["<pad>", "<unk>", "<s>", "</s>", "#"], dict(bos_token="<s>", eos_token="</s>")),
    "lstm": (["<pad>", "<unk>", "<s>", "</s>", "#"], dict(bos_token="<s>", eos_token="</s>")),
    "molformer": (["<bos>", "<eos>", "<pad>", "<mask>", "<unk>"], dict(bos_token="<bos>", eos_token="<eos>", mask_token="<mask>")),
}

# What is done to the folder of a geometry.
VARIANTS = {
    "bert": ["tiny", "long", "wide", "bare", "old", "float16"],
    "roberta": ["tiny", "long", "wide", "bare", "float16"],
    "modernbert": ["tiny", "long", "wide", "bare", "old", "bfloat16"],
    "gpt": ["tiny", "parallel", "long", "wide", "bare", "old", "bfloat16"],
    "gpt2": ["tiny", "untied", "long", "wide", "bare", "old", "float16"],
    "lstm": ["tiny", "long", "wide"],
    "molformer": ["tiny", "long", "wide"],
}
# Batches whose gradients are known in float32 to better than half of the difference allowed; with seed 1 these are not.
SEEDS = {("roberta", "wide"): 3}
SAID = {
    "tiny": "as saved",
    "parallel": "untied output, parallel residual, rotary positions in half of each head",
    "untied": "untied output",
    "long": "up to 512 tokens",
    "wide": "width 256, in shards",
    "bare": "saved without its head",
    "old": "names and keys of older versions",
    "float16": "saved in float16",
    "bfloat16": "saved in bfloat16",
}


def said(family, variant):
    """What is particular about a folder."""
    if variant == "wide" and family not in models.CLASSES:
        return "width 256"
    return SAID[variant]


def geometry(family, variant):
    return variant if variant in models.FAMILIES[family] else "tiny"


def tokenizer(family, more=()):
    """Whole atoms and bonds by a regex, between the family's first and last special token."""
    special, roles = SPECIAL[family]
    unknown = next(word for word in special if "unk" in word.lower())
    pad = next(word for word in special if "pad" in word.lower())
    words = {word: index for index, word in enumerate([*special, *ATOMS, *(word for word in more if word not in special)])}
    built = Tokenizer(kinds.WordLevel(words, unk_token=unknown))
    built.pre_tokenizer = pre_tokenizers.Split(Regex(SMILES), behavior="isolated")
    start, end = (roles[name] for name in (("cls_token", "sep_token") if "cls_token" in roles else ("bos_token", "eos_token")))
    built.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}", special_tokens=[(start, words[start]), (end, words[end])]
    )
    return transformers.PreTrainedTokenizerFast(tokenizer_object=built, pad_token=pad, unk_token=unknown, **roles)


def rounded(model, kind):
    """Weights as a file of this kind holds them."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.to(kind).float())
    return model


def old(family, folder):
    """The folder as an older version would have saved it."""
    path, weights = folder / "config.json", folder / "model.safetensors"
    config = json.loads(path.read_text())
    if family == "bert":
        rename = lambda name: name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        tensors = {rename(name): tensor for name, tensor in load_file(weights).items()}
        words = tensors["bert.embeddings.word_embeddings.weight"]
        tensors["cls.predictions.decoder.weight"] = words.clone()
        tensors["cls.predictions.decoder.bias"] = tensors["cls.predictions.bias"].clone()
        tensors["bert.embeddings.position_ids"] = torch.arange(config["max_position_embeddings"])[None]
        save_file(tensors, weights, metadata={"format": "pt"})
        config |= {"position_embedding_type": "absolute", "gradient_checkpointing": False}
    if family == "gpt2":  # the bare decoder's names and its masks, as the published files have them
        size = config["n_positions"]
        masks = {"attn.bias": torch.ones(size, size).tril()[None, None], "attn.masked_bias": torch.tensor(-1e4)}
        tensors = {name.removeprefix("transformer."): tensor for name, tensor in load_file(weights).items()}
        tensors |= {f"h.{layer}.{name}": mask.clone() for layer in range(config["n_layer"]) for name, mask in masks.items()}
        save_file(tensors, weights, metadata={"format": "pt"})
    rope = config.pop("rope_parameters", None)
    if family == "modernbert":
        config |= {f"{here}_rope_theta": rope[there]["rope_theta"] for here, there in (("global", "full_attention"), ("local", "sliding_attention"))}
        del config["layer_types"]
    if family == "gpt":
        config |= {"rotary_pct": rope["partial_rotary_factor"], "rotary_emb_base": rope["rope_theta"], "rope_scaling": None}
    config["torch_dtype"] = config.pop("dtype")
    config["transformers_version"] = "4.48.0"
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def write(family, variant, folder):
    """Writes the folder; returns the model whose outputs it must give, in float32."""
    folder = pathlib.Path(folder)
    model = models.make(family, geometry(family, variant))
    how = {"max_shard_size": "2MB"} if variant == "wide" else {}
    if variant in ("float16", "bfloat16"):
        kind = getattr(torch, variant)
        rounded(model, kind)
        # A copy: rotary frequencies, which the file does not hold, would be rounded too.
        models.save(copy.deepcopy(model).to(kind), folder, **how)
    elif variant == "bare":
        models.save(model.base_model, folder, **how)
    else:
        models.save(model, folder, **how)
    if variant == "old":
        old(family, folder)
    tokenizer(family).save_pretrained(folder)
    return model


def cases(family, variant):
    """The batches on which a folder is compared: name, lengths, seed."""
    most = models.longest(family, geometry(family, variant))
    some = min(most, 100)
    yield "padded", [some, some // 3, 2 * some // 3], SEEDS.get((family, variant), 1)
    if variant in ("tiny", "long"):
        yield "short", [3, 2, 3], 2
        yield "longest", [most, most - 1], 3
