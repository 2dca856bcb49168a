"""Which config a name stands for: one of the bundled table, of a checkpoint folder, or of the hub.

`models.json` beside this file has the released dimensions of the models of docs/MODELS.md. A hub name that is in the
table opens no connection; any other hub name does, because the person asked for it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from transformers import AutoConfig, PretrainedConfig

from llm.errors import ModelNotFound
from llm.leafmoe import register

_TABLE = Path(__file__).with_name("models.json")


@dataclass(frozen=True, slots=True)
class KnownModel:
    """One row of the bundled table."""

    name: str
    hub: tuple[str, ...]  # hub names of checkpoints with these dimensions
    fields: Mapping[str, Any]  # of transformers' config, `model_type` among them
    note: str | None = None  # what is not the released model's own


@cache
def known_models() -> Mapping[str, KnownModel]:
    """The bundled table, by name."""
    rows = json.loads(_TABLE.read_text("utf-8"))
    return {
        name: KnownModel(name, tuple(row["hub"]), row["config"], row.get("note")) for name, row in rows.items()
    }  # fmt: skip


def known_model(name: str) -> KnownModel | None:
    """The row that goes by this name, or by this hub name; letter case does not count."""
    wanted = name.lower()
    for model in known_models().values():
        if wanted == model.name or wanted in (hub.lower() for hub in model.hub):
            return model
    return None


def config_of(name: str) -> PretrainedConfig:
    """The config of a bundled model, a checkpoint folder or a hub name. Raises ModelNotFound."""
    register()
    if known := known_model(name):
        fields = dict(known.fields)
        return AutoConfig.for_model(fields.pop("model_type"), **fields)
    if not Path(name).is_dir() and "/" not in name:
        raise _not_found(name, "there is no such folder")
    try:
        config: PretrainedConfig = AutoConfig.from_pretrained(name)
    except (OSError, ValueError, KeyError) as error:
        raise _not_found(name, str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__) from error
    return config


def _not_found(name: str, reason: str) -> ModelNotFound:
    close = get_close_matches(name.lower(), known_models(), 3) or ["llama-4-scout", "deepseek-v3"]
    return ModelNotFound(
        f"no config could be read for {name!r}: {reason}; give a name of docs/MODELS.md such as {' or '.join(close)}, "
        "a checkpoint folder, or a hub name (OWNER/NAME)"
    )
