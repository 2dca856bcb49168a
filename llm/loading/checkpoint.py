"""A checkpoint folder or a hub name as a model with its tokenizer and its name."""

import hashlib
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoTokenizer, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from llm.answer import ModelName
from llm.errors import ModelNotFound
from llm.loading.families import model_class
from llm.loading.fp8 import open_as_plain_numbers
from llm.loading.on_disk import device_map_of, fetch_from_disk
from llm.runtime.kinds import layouts_of

Loaded = tuple[PreTrainedModel, PreTrainedTokenizerBase, ModelName]


def load_checkpoint(
    where: str,
    *,
    dtype: torch.dtype,
    device: torch.device,
    with_eyes: bool = False,
    device_map: str | Mapping[str, int | str] | None = None,
    experts_bytes: int | None = None,
    cache_dir: Path | None = None,
) -> Loaded:
    """Raises ModelNotFound with one sentence. FP8 weights become plain numbers on a CPU.

    `with_eyes`: with its image tower, if it has one. `device_map`: where its layers lie, as accelerate has it; None:
    in host memory, for the caller to move. `experts_bytes`: routed experts stay on disk but for so many
    bytes of them; what has to be written for that goes below `cache_dir`.
    """
    try:
        config = AutoConfig.from_pretrained(where)
        layouts_of(config)  # refuses what cannot be kept before any weight is loaded
        if device.type == "cpu":
            open_as_plain_numbers(config)
        tokenizer = AutoTokenizer.from_pretrained(where)
        auto = model_class(config, with_eyes=with_eyes)
        if experts_bytes is None:
            model = auto.from_pretrained(where, config=config, dtype=dtype, device_map=device_map)
        else:
            model = _with_experts_on_disk(auto, where, config, dtype, experts_bytes, cache_dir)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise ModelNotFound(
            f"no model could be loaded from {where!r}: {_first_sentence(error)}; give a checkpoint folder, a hub name, "
            "or nothing for the packaged model"
        ) from error
    return model, tokenizer, ModelName(where, _revision(where, config))


def _with_experts_on_disk(
    auto: Any, where: str, config: PretrainedConfig, dtype: torch.dtype, experts_bytes: int, cache_dir: Path | None
) -> PreTrainedModel:
    if cache_dir is not None:
        cache_dir.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="experts-", dir=cache_dir, ignore_cleanup_errors=True) as folder,
        warnings.catch_warnings(),
    ):
        # Of a module's own tensors; without them in the map, accelerate refuses it.
        warnings.filterwarnings("ignore", "The following device_map keys do not match", UserWarning)
        model: PreTrainedModel = auto.from_pretrained(
            where, config=config, dtype=dtype, device_map=device_map_of(config, auto), offload_folder=folder
        )
        fetch_from_disk(model, experts_bytes)
    return model


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
