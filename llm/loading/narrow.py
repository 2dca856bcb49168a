"""Weights in 8 or 4 bits, by torchao: a model's dense matrices and its routed experts, after they were loaded.

Integers with a scale for every row (8 bits) or every 32 columns of a row (4 bits), multiplied in the dtype of the
states. Embeddings, the head, routers and the projection that expands latents stay as they are. The library knows
matrices, and a mixture keeps all experts of a layer in one block; so they are narrowed one by one, and computed so.
Four bits are packed by `llm.loading.four_bits`.

torchao is not in requirements.txt: wherever it is installed, transformers loads it at every start, which takes half a
second and prints what GPU kernels it lacks.
"""

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any, TypeGuard

import torch
from transformers import PreTrainedModel

from llm.errors import ModelNotFound
from llm.loading.experts import compute_one_by_one, experts_of, stored, weights_of
from llm.loading.four_bits import GROUP, FourBitLinear

WEIGHTS = ("int8", "int4")
_KEPT = ("lm_head", "kv_b_proj")

Narrowing = Callable[[torch.nn.Linear], torch.nn.Module]


def narrow(model: PreTrainedModel, weights: str) -> None:
    """Changes the model in place. `weights` is one of WEIGHTS.

    Raises ModelNotFound for experts that lie on disk or in a layout that is not known, and where torchao is missing.
    """
    mixtures = list(experts_of(model, "--weights-dtype"))
    if any(hasattr(experts, "matrices") for experts in mixtures):
        raise ModelNotFound(
            "experts that stay on disk are taken as they come; leave --weights-dtype or --experts-gb out"
        )
    if importlib.util.find_spec("torchao") is None:
        raise ModelNotFound(
            f"keeping weights in {weights} needs torchao, which is not installed: pip install torchao==0.18.0"
        )
    numbers: Any = torch  # whose own type hints leave int4 out
    torchao: Any = importlib.import_module("torchao.quantization")
    how = (
        torchao.Int8WeightOnlyConfig()
        if weights == "int8"
        else torchao.IntxWeightOnlyConfig(weight_dtype=numbers.int4, granularity=torchao.PerGroup(GROUP))
    )

    def narrowed(layer: torch.nn.Linear) -> torch.nn.Module:
        torchao.quantize_(layer, how)
        return layer if weights == "int8" else FourBitLinear(layer)

    for name, module in list(model.named_modules()):
        if _is_narrowed(module, name):
            parent, _, own = name.rpartition(".")
            setattr(model.get_submodule(parent), own, narrowed(module))
    for experts in mixtures:
        _narrow_experts(experts, narrowed)


def _is_narrowed(module: torch.nn.Module, name: str) -> TypeGuard[torch.nn.Linear]:
    return (
        type(module) is torch.nn.Linear  # Llama 4's router is a kind of these
        and module.in_features % GROUP == 0
        and name.rpartition(".")[2] not in _KEPT
    )


def _narrow_experts(experts: Any, narrowed: Narrowing) -> None:
    """Puts each expert's matrices, narrowed, in the place of the block of all."""
    pairs = [stored(experts, number) for number in range(len(experts.gate_up_proj))]
    layers = [torch.nn.ModuleList(_layer(matrix, narrowed) for matrix in weights_of(pair)) for pair in pairs]
    del experts.gate_up_proj, experts.down_proj, pairs
    experts.narrow = torch.nn.ModuleList(layers)
    compute_one_by_one(experts, lambda number: weights_of(stored(experts, number)))


def _layer(matrix: torch.Tensor, narrowed: Narrowing) -> torch.nn.Module:
    layer = torch.nn.Linear(matrix.shape[1], matrix.shape[0], bias=False, device="meta")
    layer.weight = torch.nn.Parameter(matrix.detach().clone(memory_format=torch.contiguous_format), requires_grad=False)
    return narrowed(layer) if layer.in_features % GROUP == 0 else layer
