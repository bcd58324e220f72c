"""Small folders as people have them, for the tests of the whole: tests/fixtures/checkpoints/<family>, each with a tokenizer of the kind
that its family usually has, and expected.json: tokens and mean-pooled last hidden states of every molecule of molecules.csv, in float64.

Tokenizers: bert has a `vocab.txt` alone (WordPiece); roberta `vocab.json` and `merges.txt` (byte-level BPE); modernbert and lstm a
`tokenizer.json` (whole atoms); gpt2 `vocab.json` and `merges.txt` without a token to fill up with; gpt a `tokenizer.json` without special tokens around a molecule (byte-level BPE, as Pythia's);
molformer a `vocab.json` alone, which MolFormer's own tokenizer class cuts by a regex.
"""

import json
import pathlib
import shutil

import torch
import transformers
from tokenizers import ByteLevelBPETokenizer

import parity_folders as folders
import parity_models as models

# Canonical: clmbench shows models canonical SMILES.
MOLECULES = """CCO CCN CCCC CC(C)O CC(=O)O c1ccccc1 Cc1ccccc1 Oc1ccccc1 Nc1ccccc1 CC(=O)Nc1ccc(O)cc1 CC(=O)Oc1ccccc1C(=O)O
Cn1c(=O)c2c(ncn2C)n(C)c1=O c1ccc2ccccc2c1 C1CCCCC1 C1CCNCC1 O=C(O)c1ccccc1 CCOC(C)=O CCCCCCCC ClCCl FC(F)F BrCCBr
CS(C)=O CC#N C=CC=C OCC(O)CO NCC(=O)O C[C@H](N)C(=O)O N[C@@H](Cc1ccccc1)C(=O)O c1ccncc1 c1cc[nH]c1 c1ccsc1 c1ccoc1
COc1ccccc1 Clc1ccccc1 O=[N+]([O-])c1ccccc1 CCN(CC)CC CC(C)(C)c1ccccc1 O=C1CCCCC1 C1COCCO1 F/C=C/F CCSCC NC(N)=O
CC(C)Cc1ccc(C(C)C(=O)O)cc1 O=C(O)CCC(=O)O [Cl-].[Na+] CCCCO CCCCN CCCCCl CCCCBr Cc1ccncc1 Oc1ccncc1 CC1CCCCC1
OC1CCCCC1""".split()
EXTRA = ["B", "P", "I", "s", "p", "#", "3", "4", "-", "+", "/", "\\", ".", "@", "[", "]", "H", "a"]
BRACKETS = ["[C@H]", "[C@@H]", "[nH]", "[N+]", "[O-]", "[Na+]", "[Cl-]"]

# How a folder differs from the geometry `tiny`.
CHANGED = {"max_position_embeddings": 64}
PYTHIA = ["<|endoftext|>", "<|padding|>"]


def bert(folder):
    letters = sorted({letter for word in MOLECULES for letter in word} | set("0123456789"))
    words = folders.SPECIAL["bert"][0] + letters + [f"##{letter}" for letter in letters] + ["CC", "##ccc", "##CC"]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": False, "model_max_length": 64}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    return transformers.BertTokenizer(vocab=str(folder / "vocab.txt"), do_lower_case=False)


def roberta(folder):
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(MOLECULES, vocab_size=290, min_frequency=2, special_tokens=folders.SPECIAL["roberta"][0])
    trained.save_model(str(folder))
    settings = {"tokenizer_class": "RobertaTokenizer", "model_max_length": 64}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    return transformers.RobertaTokenizer(vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt"))


def gpt(folder):
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(MOLECULES, vocab_size=280, min_frequency=2, special_tokens=PYTHIA)
    end, pad = PYTHIA
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=trained._tokenizer, bos_token=end, eos_token=end, unk_token=end, pad_token=pad
    )
    made.save_pretrained(folder)
    return made


def gpt2(folder):
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(MOLECULES, vocab_size=280, min_frequency=2, special_tokens=PYTHIA[:1])
    trained.save_model(str(folder))
    settings = {"tokenizer_class": "GPT2Tokenizer", "model_max_length": 64, "add_prefix_space": False}
    settings |= {f"{role}_token": PYTHIA[0] for role in ("bos", "eos", "unk")}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    return transformers.GPT2Tokenizer(vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt"))


def whole_atoms(family):
    def write(folder):
        made = folders.tokenizer(family, EXTRA + BRACKETS)
        made.save_pretrained(folder)
        return made

    return write


def molformer(folder):
    made = folders.tokenizer("molformer", EXTRA + BRACKETS)
    words = {word: index for word, index in sorted(made.get_vocab().items(), key=lambda pair: pair[1])}
    (folder / "vocab.json").write_text(json.dumps(words, indent=0) + "\n")
    settings = {"tokenizer_class": "MolformerTokenizer", "model_max_length": 64}
    settings |= {f"{role}_token": f"<{role}>" for role in ("bos", "eos", "pad", "mask", "unk")}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    return made


TOKENIZERS = {
    "bert": bert,
    "roberta": roberta,
    "modernbert": whole_atoms("modernbert"),
    "gpt": gpt,
    "gpt2": gpt2,
    "lstm": whole_atoms("lstm"),
    "molformer": molformer,
}


def write(checkout):
    place = pathlib.Path(checkout) / "tests/fixtures/checkpoints"
    place.mkdir(parents=True, exist_ok=True)
    rows = [f"{smiles},{sum(letter.isalpha() for letter in smiles)}.0" for smiles in MOLECULES]
    (place / "molecules.csv").write_text("smiles,letters\n" + "\n".join(rows) + "\n")
    for family, tokenize in TOKENIZERS.items():
        folder = place / family
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        tokenizer = tokenize(folder)
        changed = CHANGED | {"vocab_size": len(tokenizer)}
        if family == "roberta":
            changed |= {"max_position_embeddings": 66}
        if family == "gpt":
            changed |= {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 0}
        if family == "gpt2":
            changed = {"n_positions": 64, "vocab_size": len(tokenizer), "pad_token_id": None, "bos_token_id": 0, "eos_token_id": 0}
        model = models.make(family, "tiny", changed)
        models.save(model, folder)
        tokens = [tokenizer(smiles)["input_ids"] for smiles in MOLECULES]
        with torch.no_grad():
            model.double()
            hidden = [models.outputs(model, torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.long))[0] for ids in tokens]
        pooled = [[round(value, 9) for value in one[0].mean(0).tolist()] for one in hidden]
        expected = {"tokens": tokens, "embeddings": pooled}
        (folder / "expected.json").write_text(json.dumps(expected) + "\n")
        print(folder, sum(path.stat().st_size for path in folder.iterdir()), len(tokenizer), max(map(len, tokens)), tokens[10])
