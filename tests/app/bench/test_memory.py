"""Anonymous and file-backed memory are told apart."""

import mmap
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.bench import memory
from app.bench.memory import MemoryWatch, drop_from_page_cache, memory_now

SIZE = 64 * 2**20
HALF = SIZE // 2
on_linux = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells both kinds apart")


@contextmanager
def taken() -> Iterator[None]:
    """Holds SIZE bytes of new anonymous memory. `bytes(SIZE)` may be memory that the heap has kept in RAM."""
    with mmap.mmap(-1, SIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as pages:
        pages.write(b"1" * SIZE)
        yield


@on_linux
def test_what_is_taken_and_what_is_mapped_are_counted_apart(tmp_path: Path) -> None:
    path = tmp_path / "mapped"
    path.write_bytes(bytes(SIZE))
    before = memory_now()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert sum(mapped[at] for at in range(0, SIZE, mmap.PAGESIZE)) == 0
        seen = memory_now()
        assert seen.file_backed - before.file_backed > HALF > abs(seen.anonymous - before.anonymous)
    before = memory_now()
    with taken():
        assert memory_now().anonymous - before.anonymous > HALF


@on_linux
def test_a_watch_keeps_what_was_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_EVERY_S", 0.005)
    with MemoryWatch() as watch:
        before = watch.peak.anonymous
        deadline = time.monotonic() + 10
        with taken():
            while watch.peak.anonymous < before + HALF and time.monotonic() < deadline:
                time.sleep(0.005)
    assert watch.peak.anonymous - before > HALF


def test_without_proc_shared_memory_is_taken_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "_STATUS", tmp_path / "nothing")
    now = memory_now()
    assert now.anonymous > 2**20
    assert now.file_backed >= 0


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="this system cannot drop files from its page cache")
def test_files_that_were_dropped_are_still_whole(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "file").write_bytes(b"x" * 5000)
    assert drop_from_page_cache(tmp_path)
    assert (tmp_path / "below" / "file").read_bytes() == b"x" * 5000
