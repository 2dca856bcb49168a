"""The engine of one process, loaded once, when first needed.

Importing this file imports no torch.
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from app.settings import Settings

if TYPE_CHECKING:
    from llm import Engine
    from llm.remote.engine import RemoteEngine

OnText = Callable[[str], None]
AnyEngine: TypeAlias = "Engine | RemoteEngine"
LoadEngine = Callable[[Settings, OnText], "AnyEngine"]
PACKAGED = "packaged"


def state_dir(settings: Settings) -> Path:
    """Where the engine keeps KV and index."""
    return settings.data_dir / "state"


def model_key(settings: Settings) -> str:
    """Under what the catalogue notes what was read."""
    adapted = f" with {settings.adapter}" if settings.adapter else ""
    seeing = "" if settings.page_images == "none" else f" seeing {settings.page_images} at {settings.page_px}"
    return (settings.model or PACKAGED) + adapted + seeing


def load_engine(settings: Settings, on_text: OnText) -> "AnyEngine":
    """Raises ModelNotFound."""
    from llm import Engine
    from llm.kv.codec import KVDtype
    from llm.remote.address import is_remote

    if settings.model is not None and is_remote(settings.model):
        return _connect(settings, settings.model)
    return Engine.load(
        settings.model, state_dir=state_dir(settings), cache_dir=settings.cache_dir, device=settings.device,
        dtype=settings.dtype, threads=settings.threads, adapter=settings.adapter,
        kv_dtype=KVDtype(settings.kv_dtype or KVDtype.INT8),
        experts_bytes=_bytes(settings.experts_gb), weights=settings.weights_dtype, mtp=settings.mtp,
        page_px=None if settings.page_images == "none" else settings.page_px, tools=settings.tools,
        disk_budget_bytes=_bytes(settings.kv_disk_gb),
        on_progress=on_text,
    )  # fmt: skip


def _bytes(gb: float | None) -> int | None:
    return None if gb is None else round(gb * 1e9)


def _connect(settings: Settings, name: str) -> "RemoteEngine":
    from llm.remote.engine import RemoteEngine

    return RemoteEngine.connect(
        name, state_dir=state_dir(settings), api_key=settings.api_key, timeout_s=settings.remote_timeout_s,
        limit_tokens=settings.remote_context_tokens, page_px=settings.page_px, has_tools=settings.tools,
    )  # fmt: skip


class LazyEngine:
    """Loads on the first call, once, whichever thread comes first."""

    def __init__(self, settings: Settings, load: LoadEngine, on_text: OnText) -> None:
        self._settings, self._load, self._on_text = settings, load, on_text
        self._lock = threading.Lock()
        self._engine: AnyEngine | None = None

    def __call__(self) -> "AnyEngine":
        with self._lock:
            if self._engine is None:
                self._engine = self._load(self._settings, self._on_text)
            return self._engine

    @property
    def is_loaded(self) -> bool:
        return self._engine is not None


class SharedEngine:
    """Models for the libraries of several people, each loaded once: nobody sees what the others read."""

    def __init__(self, settings: Settings, on_text: OnText, load: LoadEngine = load_engine) -> None:
        """`settings`: of all libraries but for their folder and their model."""
        self._settings, self._on_text, self._load = settings, on_text, load
        self._loaded: dict[str, LazyEngine] = {}  # by `model_key`

    def for_library(self, settings: Settings, on_text: OnText) -> "AnyEngine":
        """A `LoadEngine`. Raises ModelNotFound."""
        own = replace(settings, data_dir=self._settings.data_dir)
        loaded = self._loaded.setdefault(model_key(settings), LazyEngine(own, self._load, self._on_text))
        return loaded().beside(state_dir(settings))
