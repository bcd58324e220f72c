"""Reference outputs of small models with random weights, for the parity of architecture plugins with `transformers`.

    python parity.py golden CHECKOUT    golden files: plugins/architectures/*/golden/*.safetensors
"""

import pathlib
import sys

import torch
import transformers
from safetensors.torch import save_file

import parity_models as models

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


def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    command, *arguments = sys.argv[1:]
    {"golden": golden}[command](*arguments)


main()
