"""The trained part of LeafMoE as one small file, and its composition with the base checkpoint.

The file is safetensors in bfloat16 (27 MB for 4 experts of 64 in 30 layers); its metadata holds the shape, so nothing
else is needed to build the model. Base weights are never written.
"""

import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from transformers import AutoConfig

from llm.errors import ModelNotFound
from llm.leafmoe.config import LeafMoEConfig
from llm.leafmoe.modeling import LeafMoEForCausalLM, LowRankLinear

SHAPE_KEYS = ("num_experts", "expert_width", "experts_per_token", "attention_rank")
_FORMAT = "leafmoe-1"


def upcycle(base: Path, *, dtype: torch.dtype = torch.bfloat16, **shape: int) -> LeafMoEForCausalLM:
    """The base checkpoint in `base` with fresh experts: the same function as the base, ready to train.

    `shape` holds fields of LeafMoEConfig. The caller seeds torch.
    """
    base_config = AutoConfig.from_pretrained(base)
    config = LeafMoEConfig(**{**base_config.to_dict(), **shape, "model_type": "leafmoe", "architectures": None})
    model: LeafMoEForCausalLM = LeafMoEForCausalLM.from_pretrained(base, config=config, dtype=dtype)
    return model


def save_adapter(model: LeafMoEForCausalLM, path: Path, notes: dict[str, str] | None = None) -> None:
    """Write the trained part atomically; `notes` (data, steps, …) go into the file's metadata."""
    shape = {key: getattr(model.config, key) for key in SHAPE_KEYS}
    metadata = {"format": _FORMAT, "shape": json.dumps(shape), **(notes or {})}
    tensors = {
        name: tensor.detach().to(torch.float32 if name.endswith("selection_bias") else torch.bfloat16).contiguous()
        for name, tensor in model.trained_state().items()
    }
    partial = path.with_name(path.name + ".partial")
    save_file(tensors, partial, metadata=metadata)
    os.replace(partial, path)


def read_shape(path: Path) -> dict[str, int]:
    """The LeafMoEConfig fields of an adapter file. Raises ModelNotFound when it is not one."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise ModelNotFound(
            f"{path} cannot be read as LeafMoE weights: {error}; train or download them again"
        ) from error
    if metadata.get("format") != _FORMAT:
        raise ModelNotFound(
            f"{path} has format {metadata.get('format')!r} and this version reads {_FORMAT!r}; train the weights again"
        )
    shape: dict[str, int] = json.loads(metadata["shape"])
    return shape


def load_adapter(model: LeafMoEForCausalLM, path: Path) -> None:
    """Put the weights of an adapter file into `model`. Raises ModelNotFound when names or shapes differ."""
    own = model.trained_state()
    with safe_open(path, framework="pt") as file:
        names = set(file.keys())
        if names != own.keys():
            odd = sorted(names ^ own.keys())
            raise ModelNotFound(
                f"{path} was trained for another model: it differs in {len(odd)} weights, first {odd[0]}"
            )
        with torch.no_grad():
            for name, tensor in own.items():
                stored = file.get_tensor(name)
                if stored.shape != tensor.shape:
                    raise ModelNotFound(
                        f"{path} was trained for another model: {name} has shape {tuple(stored.shape)}, "
                        f"the model wants {tuple(tensor.shape)}"
                    )
                tensor.copy_(stored)


def merge_low_rank(model: LeafMoEForCausalLM) -> None:
    """Fold the low-rank updates of attention into plain matrices, so that they cost nothing at inference."""
    for layer in model.model.layers:
        for name, child in list(layer.self_attn.named_children()):
            if isinstance(child, LowRankLinear):
                setattr(layer.self_attn, name, child.merged())
    model.config.attention_rank = 0


def load_leafmoe(base: Path, adapter: Path, *, dtype: torch.dtype = torch.bfloat16) -> LeafMoEForCausalLM:
    """The model for answering: base checkpoint folder + adapter file, low-rank updates merged, in eval mode."""
    model = upcycle(base, dtype=dtype, **read_shape(adapter))
    load_adapter(model, adapter)
    merge_low_rank(model)
    model.eval()  # type: ignore[no-untyped-call]
    return model
