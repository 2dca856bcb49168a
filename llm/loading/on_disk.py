"""Routed experts that stay on disk, for a mixture that exceeds the memory of its machine.

transformers and accelerate leave them there while all else is loaded. Where a checkpoint has the experts of a layer in
one block, as Llama 4's do, they are read from it; else transformers joins them in a folder of their own first. That
folder is given up as soon as its files are open: they last as long as the process, and nothing is left behind.
"""

from typing import Any

import torch
from accelerate.hooks import remove_hook_from_module  # type: ignore[import-untyped]
from safetensors import safe_open
from transformers import PretrainedConfig, PreTrainedModel

from llm.errors import ModelNotFound
from llm.loading.experts import ExpertCache, experts_of

_BLOCKS = ("gate_up_proj", "down_proj")


class BlockOnDisk:
    """The matrices of all experts of a layer, read one at a time."""

    ndim = 3

    def __init__(self, path: str, name: str, dtype: torch.dtype) -> None:
        opened: Any = safe_open  # without type hints
        self._file = opened(path, "pt")  # holds the file open
        self._slice: Any = self._file.get_slice(name)
        self._dtype = dtype

    def __len__(self) -> int:
        return int(self._slice.get_shape()[0])

    def __getitem__(self, number: int) -> torch.Tensor:
        matrix: torch.Tensor = self._slice[number]
        return matrix.to(self._dtype)


def device_map_of(config: PretrainedConfig, auto_class: Any) -> dict[str, str]:
    """Where what lies: routed experts on disk, all else in memory. Raises ModelNotFound where there are none."""
    with torch.device("meta"):
        model: PreTrainedModel = auto_class.from_config(config)
    apart = {id(experts) for experts in experts_of(model, "--experts-gb")}
    if not apart:
        raise ModelNotFound(
            f"a model of type {config.model_type!r} has no routed experts that could stay on disk; leave --experts-gb "
            "out"
        )
    placed: dict[str, str] = {}

    def place(module: torch.nn.Module, name: str) -> None:
        if id(module) in apart:
            placed[name] = "disk"
        elif not any(id(inner) in apart for inner in module.modules()):
            placed[name] = "cpu"
        else:
            for own, _ in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)):
                placed[_joined(name, own)] = "cpu"
            for own, inner in module.named_children():
                place(inner, _joined(name, own))

    place(model, "")
    return placed


def _joined(name: str, own: str) -> str:
    return f"{name}.{own}" if name else own


def fetch_from_disk(model: PreTrainedModel, budget_bytes: int) -> ExpertCache:
    """Lets a model that was loaded by that map fetch experts as they are needed, and keep so many bytes of them."""
    cache = ExpertCache(torch.device("cpu"), budget_bytes)
    for experts in list(experts_of(model, "--experts-gb")):
        weights: Any = experts._hf_hook.weights_map  # accelerate's: where on disk what lies
        blocks = {}
        for block in _BLOCKS:
            where = weights.dataset.index[weights.prefix + block]
            blocks[block] = BlockOnDisk(where["safetensors_file"], where["weight_name"], model.dtype)
        remove_hook_from_module(experts)
        for block, on_disk in blocks.items():
            delattr(experts, block)
            setattr(experts, block, on_disk)
        cache.serve(experts)
    remove_hook_from_module(model, recurse=True)
    del model.hf_device_map  # nothing is carried any more
    return cache
