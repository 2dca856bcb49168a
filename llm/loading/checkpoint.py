"""A checkpoint folder or a hub name as a model with its tokenizer and its name."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from transformers import AutoConfig, AutoTokenizer, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from llm.answer import ModelName
from llm.errors import ModelNotFound
from llm.loading.families import model_class
from llm.loading.fp8 import open_as_plain_numbers
from llm.runtime.kinds import layouts_of

Loaded = tuple[PreTrainedModel, PreTrainedTokenizerBase, ModelName]


def load_checkpoint(
    where: str,
    *,
    dtype: torch.dtype,
    device: torch.device,
    with_eyes: bool = False,
    device_map: str | Mapping[str, int | str] | None = None,
) -> Loaded:
    """Raises ModelNotFound with one sentence. FP8 weights become plain numbers on a CPU.

    `with_eyes`: with its image tower, if it has one. `device_map`: where its layers lie, as accelerate has it; None:
    in host memory, for the caller to move.
    """
    try:
        config = AutoConfig.from_pretrained(where)
        layouts_of(config)  # refuses what cannot be kept before any weight is loaded
        if device.type == "cpu":
            open_as_plain_numbers(config)
        tokenizer = AutoTokenizer.from_pretrained(where)
        model = model_class(config, with_eyes=with_eyes).from_pretrained(
            where, config=config, dtype=dtype, device_map=device_map
        )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise ModelNotFound(
            f"no model could be loaded from {where!r}: {_first_sentence(error)}; give a checkpoint folder, a hub name, "
            "or nothing for the packaged model"
        ) from error
    return model, tokenizer, ModelName(where, _revision(where, config))


def _first_sentence(error: Exception) -> str:
    return str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__


def _revision(where: str, config: PretrainedConfig) -> str:
    """The hub's commit, or for a folder a hash of its config and of its weight files' names, sizes and times."""
    if commit := getattr(config, "_commit_hash", None):
        return str(commit)
    digest = hashlib.sha256(config.to_json_string().encode())
    for path in sorted(Path(where).glob("*")):
        if path.suffix in (".safetensors", ".bin", ".json"):
            status = path.stat()
            digest.update(f"{path.name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
