"""Checkpoints whose layers are spread over several GPUs, host memory and disk, by accelerate's device map.

accelerate brings what a layer needs to where it computes: what lies on a GPU computes there, what lies in host memory
or on disk is carried to the first GPU (or the CPU) each time. Longleaf keeps each layer's keys and values where the
layer computes. Spreading over GPUs has not been run; layers on disk have, on a CPU.
"""

from collections.abc import Sequence
from typing import Any

import torch
from accelerate.utils import align_module_device  # type: ignore[import-untyped]
from transformers import PreTrainedModel

AUTO = "auto"  # the device of this name: all there are, the GPUs first
_CARRIED = ("cpu", "disk")


def main_device(model: PreTrainedModel) -> torch.device:
    """Where tokens enter a model, and where carried layers compute."""
    placed = _placed(model)
    if not placed:
        return model.device
    own = [place for place in placed.values() if place not in _CARRIED]
    return _device(own[0]) if own else torch.device("cpu")


def layer_devices(model: PreTrainedModel) -> torch.device | Sequence[torch.device]:
    """Where each decoder layer computes; one device for a model that is not spread."""
    placed = _placed(model)
    if not placed:
        return model.device
    decoder: Any = model.get_decoder()
    names = {id(module): name for name, module in model.named_modules()}
    return [_device_of(names[id(layer)], placed, main_device(model)) for layer in decoder.layers]


def weight_of(linear: Any) -> torch.Tensor:
    """(out, in), brought here if it lies elsewhere."""
    weight: torch.Tensor = linear.weight
    if not weight.is_meta:
        return weight
    with align_module_device(linear):
        brought: torch.Tensor = linear.weight.detach().clone()
    return brought


def _placed(model: PreTrainedModel) -> dict[str, int | str]:
    """By name of a module, where it and all inside it lie."""
    placed: dict[str, int | str] = getattr(model, "hf_device_map", None) or {}
    return placed if len(set(placed.values())) > 1 else {}


def _device_of(name: str, placed: dict[str, int | str], main: torch.device) -> torch.device:
    holding = max((own for own in placed if f"{name}.".startswith(f"{own}." if own else "")), key=len)
    return main if placed[holding] in _CARRIED else _device(placed[holding])


def _device(place: int | str) -> torch.device:
    return torch.device("cuda", place) if isinstance(place, int) else torch.device(place)
