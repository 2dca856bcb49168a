"""What several rooms of ingest's tests need."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from ingest import Opened, open_source
from ingest.sandbox import shared

TASKS = """
import os, sys, time
from ingest.errors import UnreadableSource

def echo(text, on_progress): return text.encode()
def pid(on_progress): return str(os.getpid()).encode()
def noisy(on_progress):
    print("printed"); os.write(1, b"written"); sys.stderr.write("told")
    return b"quiet"
def abort(on_progress): os.abort()
def hoard(on_progress):
    blocks = [bytearray(60_000) for _ in range(4_000)]  # below glibc's limit for a mapping of its own
    kept.append(blocks.pop())  # the last, so that what is free before it does not go back by itself
    return b""
kept = []
def hang(on_progress): time.sleep(60)
def hang_natively(on_progress):
    sum(range(10**12))  # one C call: never lets another Python thread run
def eat_memory(on_progress): return bytes(bytearray(2**40))
def eat_memory_slowly(on_progress):
    eaten = []
    while True: eaten.append(bytearray(16 * 2**20))
def refuse(on_progress): raise UnreadableSource("it is damaged")
def refuse_path(path, on_progress): raise UnreadableSource(f"it is damaged (cannot open '{path}')")
def break_down(on_progress): raise LookupError("no such luck")
def count(on_progress):
    for page in range(1, 4):
        on_progress(page, 3)
        time.sleep(0.15)
    return b"3"
"""


@pytest.fixture(scope="session")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """A module of badly behaved tasks that children started from now on can import, too."""
    shared().close()
    shared.cache_clear()
    folder = tmp_path_factory.mktemp("tasks")
    (folder / "sandbox_tasks.py").write_text(TASKS)
    sys.path.insert(0, str(folder))
    import sandbox_tasks  # type: ignore[import-not-found]

    yield sandbox_tasks
    sys.path.remove(str(folder))
    del sys.modules["sandbox_tasks"]


@pytest.fixture
def door(tmp_path: Path) -> Callable[..., Opened]:
    """`open_source` with a work folder of the test's own."""

    def opened(source: Path, **options: object) -> Opened:
        return open_source(source, work_dir=tmp_path / "work", **options)  # type: ignore[arg-type]

    return opened
