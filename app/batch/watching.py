"""Waiting until the files below some paths have changed, and are quiet again: a copy in progress is not half-read."""

import glob
import time
from collections.abc import Collection, Sequence
from pathlib import Path

POLL_S = 2.0

Sight = frozenset[tuple[str, int, int]]  # path, bytes and time of every file


def sight(words: Sequence[str], own: Collection[Path]) -> Sight:
    """What is there now, without our own files. Lists of paths are looked at themselves, not what they name."""
    ours = {path.absolute() for path in own}
    paths = {path.absolute() for word in words for path in _paths(word)} - ours
    return frozenset(seen for path in paths if (seen := _seen(path)) is not None)


def wait_for_change(words: Sequence[str], own: Collection[Path], known: Sight) -> Sight:
    """Returns when something differs from `known` and two looks in a row saw the same."""
    before = known
    while True:
        time.sleep(POLL_S)
        now = sight(words, own)
        if now != known and now == before:
            return now
        before = now


def _paths(word: str) -> list[Path]:
    path = Path(word.removeprefix("@")).expanduser()
    if path.is_dir():
        return [each for each in path.rglob("*") if not each.is_dir()]
    return [path] if path.exists() else [Path(each) for each in glob.glob(str(path), recursive=True)]


def _seen(path: Path) -> tuple[str, int, int] | None:
    try:
        status = path.stat()
    except OSError:  # gone between two looks
        return None
    return str(path), status.st_size, status.st_mtime_ns
