"""Weights in 8 or 4 bits, by torchao: what is narrowed here is a model's dense matrices, after they were loaded.

Integers with a scale for every row (8 bits) or every 32 columns of a row (4 bits), multiplied in the dtype of the
states. Embeddings, the head and the projection that expands latents stay as they are. A mixture's routed experts are no
matrices that the library knows, and they are most of it; so a mixture is refused.

torchao is not in requirements.txt: wherever it is installed, transformers loads it at every start, which takes half a
second and prints what GPU kernels it lacks.
"""

import importlib
import importlib.util
from typing import Any

import torch
from transformers import PreTrainedModel

from llm.errors import ModelNotFound

WEIGHTS = ("int8", "int4")
_GROUP = 32  # columns that share a scale, in 4 bits
_KEPT = ("lm_head", "kv_b_proj")


def narrow(model: PreTrainedModel, weights: str) -> None:
    """Changes the model in place. `weights` is one of WEIGHTS.

    Raises ModelNotFound for a mixture of experts, and where torchao is not installed.
    """
    if any(getattr(parameter, "ndim", 0) == 3 for parameter in model.parameters()):
        raise ModelNotFound(
            f"a model of type {model.config.model_type!r} has routed experts, which cannot be kept in {weights}; leave "
            "--weights-dtype out, or keep the experts in host memory with --experts-gb"
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
        else torchao.IntxWeightOnlyConfig(weight_dtype=numbers.int4, granularity=torchao.PerGroup(_GROUP))
    )
    torchao.quantize_(model, how, filter_fn=_is_narrowed)


def _is_narrowed(module: torch.nn.Module, name: str) -> bool:
    return (
        isinstance(module, torch.nn.Linear)
        and module.in_features % _GROUP == 0
        and name.rpartition(".")[2] not in _KEPT
    )
