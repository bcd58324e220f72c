"""Reference outputs of small models with random weights, for the parity of architecture plugins with `transformers`.

    python parity.py golden CHECKOUT           golden files: plugins/architectures/*/golden/*.safetensors
    python parity.py fixtures CHECKOUT         small folders: tests/fixtures/checkpoints
    python parity.py folders OUT               OUT/models: folders to import; OUT/cases: what they compute
    python parity.py versions                  torch and transformers
    python parity.py exported OUT FOLDER...    opens folders that clmbench exported; OUT/cases: what they compute
"""

import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import load_file, save_file

import parity_fixtures
import parity_folders as folders
import parity_models as models
import parity_reference

GOLDEN = [*((family, "tiny") for family in models.FAMILIES), ("gpt", "parallel")]


def golden(checkout):
    """One file a family: `w.<name>` weights, one padded batch, and hidden, logits, loss and `g.<name>` gradients."""
    for family, geometry in GOLDEN:
        model = models.make(family, geometry)
        config, weights = models.as_saved(model)
        case = models.batch(family, geometry, [20, 7, 13], 1)
        tensors = models.reference(model, case) | {f"w.{name}": tensor for name, tensor in weights.items()}
        path = pathlib.Path(checkout) / f"plugins/architectures/{family}/golden/{geometry}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        # One entry of metadata alone: the order of several is not fixed, and the file must be.
        save_file(tensors, path, metadata={"config": config})
        print(path, path.stat().st_size)


def write_case(out, name, tensors, /, **facts):
    """A case, and a line of facts about it on stdout."""
    path = pathlib.Path(out) / "cases" / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
    print(json.dumps({"case": str(path), **facts}), flush=True)


def own_error(model, case, tensors):
    """Largest relative differences of the same model in float32: what rounding alone does. Hidden states, logits, gradients."""
    hidden, logits, _, gradients = models.measured(model, case, torch.float32)
    real = case[1].bool()
    beside = lambda found, wanted: ((found - wanted).abs().max() / wanted.abs().max()).item()
    _, gradients = models.as_saved(model, gradients)
    wanted = {name[2:]: tensor for name, tensor in tensors.items() if name.startswith("g.")}
    most = max(tensor.abs().max() for tensor in wanted.values())
    told = [name for name, tensor in wanted.items() if tensor.abs().max() > 1e-6 * most]
    worst = max(beside(gradients[name], wanted[name]) for name in told)
    return [beside(hidden[real], tensors["hidden"][real]), beside(logits[real], tensors["logits"][real]), worst]


def folders_to_import(out):
    for family, variants in folders.VARIANTS.items():
        for variant in variants:
            name = f"{family}-{variant}"
            folder = pathlib.Path(out) / "models" / name
            model = folders.write(family, variant, folder)
            for case, lengths, seed in folders.cases(family, variant):
                batch = models.batch(family, folders.geometry(family, variant), lengths, seed)
                tensors = models.reference(model, batch)
                error = own_error(model, batch, tensors)
                if variant == "bare":  # the head is not in the folder
                    tensors = {name: tensors[name] for name in ("ids", "mask", "hidden")}
                said = folders.said(family, variant)
                write_case(out, f"{name}-{case}", tensors, name=name, family=family, said=said, lengths=lengths, error=error, folder=str(folder))


def opened(folder):
    """The model of an exported folder: by the class that its config.json names, nothing missing and nothing left over."""
    config = json.loads((folder / "config.json").read_text())
    own = {"clmbench_lstm": parity_reference.Lstm, "molformer": parity_reference.Molformer}.get(config["model_type"])
    if own is not None:
        model = own(config)
        model.load_state_dict(load_file(folder / "model.safetensors"))
        return model.eval()
    name = config["architectures"][0]
    model, told = getattr(transformers, name).from_pretrained(
        folder, attn_implementation="sdpa", dtype=torch.float32, output_loading_info=True
    )
    if name == "BertForPreTraining":  # we train no sentence pairs; the class has a head for them
        told["missing_keys"] = {key for key in told["missing_keys"] if not key.startswith("cls.seq_relationship.")}
    wrong = {what: sorted(keys) for what, keys in told.items() if keys}
    if wrong:
        raise SystemExit(f"{folder}: transformers says {wrong}")
    return model.eval()


def exported(out, *paths):
    molecules = ["CCO", "c1ccccc1C(=O)NCCN", "CC(C)(C)OC(=O)N1CCC(CC1)c1nc2ccccc2n1Cc1ccc(F)cc1"]
    for path in map(pathlib.Path, paths):
        model = opened(path)
        tokens = transformers.AutoTokenizer.from_pretrained(path)(molecules, padding=True, return_tensors="pt")
        ids, mask = tokens["input_ids"], tokens["attention_mask"]
        generator = torch.Generator().manual_seed(1)
        positions = (mask.flatten() * (torch.rand(mask.numel(), generator=generator) < 0.5)).nonzero().flatten()
        targets = torch.randint(5, model.config.vocab_size, positions.shape, generator=generator)
        case = ids, mask, positions, targets
        tensors = models.reference(model, case)
        error = own_error(model, case, tensors)
        write_case(out, path.name, tensors, name=path.name, lengths=mask.sum(1).tolist(), error=error, opened_by=type(model).__name__)


def versions():
    print(f"torch {torch.__version__}, transformers {transformers.__version__}")


def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    command, *arguments = sys.argv[1:]
    {"golden": golden, "fixtures": parity_fixtures.write, "folders": folders_to_import, "exported": exported, "versions": versions}[command](*arguments)


main()
