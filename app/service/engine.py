"""The engine of one process, loaded once, when first needed; and the lock that lets one process read at a time.

Importing this file imports no torch.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from app.settings import Settings

if TYPE_CHECKING:
    from llm import Engine

OnText = Callable[[str], None]
LoadEngine = Callable[[Settings, OnText], "Engine"]
POLL_S = 0.2
PACKAGED = "packaged"


def state_dir(settings: Settings) -> Path:
    """Where the engine keeps KV and index."""
    return settings.data_dir / "state"


def load_engine(settings: Settings, on_text: OnText) -> "Engine":
    """Raises ModelNotFound."""
    from llm import Engine
    from llm.kv.codec import KVDtype

    budget_gb = settings.kv_disk_gb
    return Engine.load(
        settings.model, state_dir=state_dir(settings), cache_dir=settings.cache_dir, device=settings.device,
        dtype=settings.dtype, threads=settings.threads, kv_dtype=KVDtype(settings.kv_dtype or KVDtype.INT8),
        disk_budget_bytes=None if budget_gb is None else round(budget_gb * 1e9), on_progress=on_text,
    )  # fmt: skip


class LazyEngine:
    """Loads on the first call, once, whichever thread comes first."""

    def __init__(self, settings: Settings, load: LoadEngine, on_text: OnText) -> None:
        self._settings, self._load, self._on_text = settings, load, on_text
        self._lock = threading.Lock()
        self._engine: Engine | None = None

    def __call__(self) -> "Engine":
        with self._lock:
            if self._engine is None:
                self._engine = self._load(self._settings, self._on_text)
            return self._engine

    @property
    def is_loaded(self) -> bool:
        return self._engine is not None


@contextmanager
def reading_lock(settings: Settings, cancel: threading.Event, on_wait: OnText) -> Iterator[bool]:
    """True inside: this process is the one that reads into this library. False: cancelled while waiting."""
    # Not bound to a thread: a generator that holds it may be resumed, and closed, on another one.
    lock = FileLock(settings.data_dir / "reading.lock", thread_local=False, mode=0o600)
    waits_since = time.monotonic()
    told = False
    while not cancel.is_set():
        try:
            lock.acquire(timeout=POLL_S)
            break
        except Timeout:
            if not told and time.monotonic() - waits_since > 1:
                on_wait("Waiting for another reading of this library to finish")
                told = True
    try:
        yield lock.is_locked
    finally:
        lock.release()
