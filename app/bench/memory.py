"""Memory of this process while something runs, anonymous and file-backed apart; and files out of the page cache.

Anonymous memory is what the process has taken for itself. File-backed memory is what it sees of mapped files: the
system may take that back at any time, so it is no demand on the machine.
"""

import os
import threading
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import psutil

_STATUS = Path("/proc/self/status")
_EVERY_S = 0.25


class Memory(NamedTuple):
    """Bytes in RAM."""

    anonymous: int
    file_backed: int


def memory_now() -> Memory:
    """What this process holds right now. Where Linux does not say, shared memory stands for file-backed."""
    if _STATUS.exists():
        fields = dict(line.split(":", 1) for line in _STATUS.read_text("utf-8").splitlines() if ":" in line)
        sizes = {name: int(fields[name].split()[0]) * 1024 for name in ("RssAnon", "RssFile", "RssShmem")}
        return Memory(sizes["RssAnon"], sizes["RssFile"] + sizes["RssShmem"])
    held = psutil.Process().memory_info()
    shared = getattr(held, "shared", 0)
    return Memory(held.rss - shared, shared)


class MemoryWatch:
    """Samples in a thread, between entering and leaving; `peak` is the most of each kind so far."""

    def __init__(self) -> None:
        self.peak = memory_now()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="longleaf-memory", daemon=True)

    def __enter__(self) -> "MemoryWatch":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self.sample()

    def sample(self) -> None:
        now = memory_now()
        self.peak = Memory(max(self.peak.anonymous, now.anonymous), max(self.peak.file_backed, now.file_backed))

    def _watch(self) -> None:
        while not self._ended.wait(_EVERY_S):
            self.sample()


def drop_from_page_cache(folder: Path) -> bool:
    """Asks the system to forget the files of a folder, so that the next read comes from disk. False: it cannot."""
    if not hasattr(os, "posix_fadvise"):
        return False
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())  # what is not written yet would stay
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return True
