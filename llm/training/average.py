"""`python -m llm.training.average`: the mean of several trained weights of one ancestry (arXiv:2203.05482)."""

import argparse
import sys
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file


def average(weights: list[Path], out: Path) -> None:
    """Writes the mean of files that hold the same tensors, with what the last one says of itself.

    Raises ValueError where they do not.
    """
    total: dict[str, torch.Tensor] = {}
    for number, path in enumerate(weights):
        with safe_open(path, "pt") as held:
            found = {name: held.get_tensor(name) for name in held.keys()}  # noqa: SIM118, it is no dict
            notes = held.metadata()
        if number and {name: tensor.shape for name, tensor in found.items()} != {k: v.shape for k, v in total.items()}:
            raise ValueError(f"{path} holds other tensors than {weights[0]}; only weights of one shape have a mean")
        dtypes = {name: tensor.dtype for name, tensor in found.items()}
        total = {name: total.get(name, 0) + tensor.double() for name, tensor in found.items()}
    mean = {name: (tensor / len(weights)).to(dtypes[name]) for name, tensor in total.items()}
    save_file(mean, out, metadata=notes)


def main() -> int:
    """Print nothing; say in one sentence what cannot be."""
    parser = argparse.ArgumentParser(prog="python -m llm.training.average", description=__doc__)
    parser.add_argument("weights", type=Path, nargs="+", help="trained weights (*.safetensors)")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        average(arguments.weights, arguments.out)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
