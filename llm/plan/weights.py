"""How many parameters a model has, and how many of them one text token goes through.

Counted on transformers' own modules, built on the meta device: exact, and without memory. What transformers does not
build of a checkpoint (DeepSeek's layer for multi-token prediction, say) is not counted.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, PretrainedConfig, PreTrainedModel

from llm.errors import ModelNotFound

_EXPERTS = re.compile(r"(?:^|\.)experts\.(?!.*router)")
_NUM_ROUTED = ("num_local_experts", "n_routed_experts", "num_experts")
_NUM_CHOSEN = ("num_experts_per_tok", "experts_per_token", "top_k_experts")


class WeightsDtype(StrEnum):
    """In what weights are kept. Scales of the narrow ones come on top: fp8 0.02 %, int4 in groups of 128 3 %."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    FP8 = "fp8"
    INT8 = "int8"
    INT4 = "int4"

    @property
    def bits(self) -> int:
        return {"float32": 32, "bfloat16": 16, "float16": 16, "fp8": 8, "int8": 8, "int4": 4}[self]

    def num_bytes(self, parameters: int) -> int:
        return parameters * self.bits // 8


@dataclass(frozen=True, slots=True)
class Parameters:
    """Numbers of parameters."""

    total: int
    experts: int  # in routed experts, of all layers
    active: int  # that one text token goes through: without image tower, and of the experts the chosen ones


def parameters_of(config: PretrainedConfig) -> Parameters:
    """Counts. Raises ModelNotFound for a config that transformers has no model for."""
    model = _empty_model(config)
    total = _count(model)
    experts = sum(parameter.numel() for name, parameter in model.named_parameters() if _EXPERTS.search(name))
    active = _text_count(model) - experts + round(experts * _share_chosen(config))
    return Parameters(total, experts, active)


def _empty_model(config: PretrainedConfig) -> PreTrainedModel:
    seeing: Any = AutoModelForImageTextToText
    maker: Any = seeing if type(config) in seeing._model_mapping else AutoModelForCausalLM
    try:
        with torch.device("meta"):
            model: PreTrainedModel = maker.from_config(config)
    except (ValueError, AttributeError) as error:
        raise ModelNotFound(
            f"model type {config.model_type!r} has no language model in this version of transformers; "
            "use a model of another family, or a newer transformers"
        ) from error
    return model


def _text_count(model: PreTrainedModel) -> int:
    """Parameters of the language model with its head."""
    decoder = model.get_decoder()
    inside = {id(parameter) for parameter in decoder.parameters()}
    head = model.get_output_embeddings()
    beside = sum(parameter.numel() for parameter in head.parameters() if id(parameter) not in inside) if head else 0
    return _count(decoder) + beside


def _count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _share_chosen(config: PretrainedConfig) -> float:
    """Of its routed experts, the share that a token goes to; 1 without experts."""
    text: Any = config.get_text_config(decoder=True)
    routed, chosen = _first(text, _NUM_ROUTED), _first(text, _NUM_CHOSEN)
    return chosen / routed if routed and chosen else 1.0


def _first(text: Any, names: tuple[str, ...]) -> int | None:
    return next((value for name in names if (value := getattr(text, name, None))), None)
