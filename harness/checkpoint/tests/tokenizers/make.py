"""Vocabulary files without a tokenizer.json, and the tokens that `transformers` makes with them.

    python make.py HERE        writes the folders beside this file and expected.json

Made with transformers 5.23.0 and tokenizers 0.23.3. Training of byte pairs is not the same in every version of tokenizers: after another
run compare expected.json by the test `files_give_the_tokens_of_transformers`.
"""

import json
import pathlib
import sys

import transformers
from tokenizers import ByteLevelBPETokenizer

SMILES = [
    "CC(=O)Oc1ccccc1C(=O)O", "CN1C=NC2=C1C(=O)N(C(=O)N2C)C", "C[C@H](N)C(=O)O", "[Na+].[Cl-]", "F/C=C\\F", "CC[N+](C)(C)C",
    "O=C(Nc1ccc(Br)cc1)CCl",
] * 3
TEXTS = ["C", "CC(=O)Oc1ccccc1C(=O)O", "[Na+].[Cl-]", "é Br", "CCO mask <mask>c", "", "  C\tC ", "c1cc(Br)ccc1[C@@H](F)I"]
BERT = """[PAD] [unused0] [UNK] [CLS] [SEP] [MASK] C O c N n ##C ##c ##O ##1 ( ) = [ ] + - . Cl ##l Na ##a ##ccc 1 Br br na cl e é""".split()


def write(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text if isinstance(text, str) else json.dumps(text) + "\n")
    return folder


def byte_pairs(folder, kind, size, special):
    write(folder, {"config.json": {"model_type": kind}})
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(SMILES, vocab_size=size, min_frequency=1, special_tokens=special, show_progress=False)
    trained.save_model(str(folder))


def main(here):
    byte_pairs(here / "roberta", "roberta", 290, ["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    byte_pairs(here / "gpt2", "gpt2", 270, ["<|endoftext|>"])
    write(here / "gpt2", {"tokenizer_config.json": {"tokenizer_class": "GPT2TokenizerFast", "pad_token": "<|endoftext|>"}})
    words = "\n".join(BERT) + "\n"
    write(here / "bert", {"config.json": {"model_type": "bert"}, "vocab.txt": words})
    write(here / "bert-cased", {
        "config.json": {"model_type": "bert"},
        "vocab.txt": words,
        "tokenizer_config.json": {"tokenizer_class": "BertTokenizer", "do_lower_case": False},
    })
    expected = {}
    for folder in ["roberta", "gpt2", "bert", "bert-cased"]:
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(here / folder))
        expected[folder] = {text: tokenizer(text)["input_ids"] for text in TEXTS}
    (here / "expected.json").write_text(json.dumps(expected, ensure_ascii=False, indent=1) + "\n")


main(pathlib.Path(sys.argv[1]))
