"""LoRA adapters in peft's format, merged into a model's weights: what runs is as fast as the model alone."""

import hashlib
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from transformers import PreTrainedModel

from llm.answer import ModelName
from llm.errors import ModelNotFound

_WEIGHTS, _CONFIG = "adapter_model.safetensors", "adapter_config.json"


def with_adapter(model: PreTrainedModel, name: ModelName, folder: Path) -> tuple[PreTrainedModel, ModelName]:
    """The model with the adapter merged in, and its name; readings under another adapter are never mixed with these.

    Raises ModelNotFound for a folder that holds no adapter, or one of another model.
    """
    if not all((folder / part).is_file() for part in (_WEIGHTS, _CONFIG)):
        raise ModelNotFound(
            f"the folder {str(folder)!r} holds no adapter; give one with {_WEIGHTS} and {_CONFIG}, as peft saves them"
        )
    from peft import PeftModel

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # peft 0.21 asks transformers 5.23 for a renamed property
            adapted: Any = PeftModel.from_pretrained(cast(Any, model), str(folder))
    except (ValueError, RuntimeError, KeyError, TypeError) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise ModelNotFound(
            f"the adapter in {str(folder)!r} does not fit {name.name}: {reason}; give one that was made for this model"
        ) from error
    merged = cast(PreTrainedModel, adapted.merge_and_unload())
    digest = hashlib.sha256((folder / _CONFIG).read_bytes() + (folder / _WEIGHTS).read_bytes()).hexdigest()
    return merged, replace(name, name=f"{name.name} with {folder.name}", revision=f"{name.revision}+{digest[:16]}")
