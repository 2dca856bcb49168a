"""Files that are on disk when they say so: synced writes, renamed replacements, reads that notice a short file.

Private to the person: files 0600 in folders 0700. No file stays open between two calls, so that a deleted snapshot
gives its space back at once. Knows nothing of blocks.
"""

import ctypes
import mmap
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]

_BINARY = getattr(os, "O_BINARY", 0)  # Windows would translate line ends
_SECTOR_BYTES = 512  # the unit of st_blocks, whatever the file system (stat(2))
_WHOLE_BYTES = 1 << 20  # a multiple of every file system's block
_KEEP_SIZE_AND_PUNCH_HOLE = 0x01 | 0x02  # linux/falloc.h


@contextmanager
def synced(path: Path, size: int | None = None) -> Iterator[Callable[[int, Bytes], None]]:
    """A writer (offset, bytes) into `path`, made if need be; on leaving, everything written is on disk.

    `size` makes the file that long at once; what is not written takes no space.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _BINARY, 0o600)
    try:
        if size is not None and os.fstat(descriptor).st_size != size:
            os.ftruncate(descriptor, size)
        yield lambda offset, data: _write_at(descriptor, offset, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace(path: Path, data: bytes) -> None:
    """Puts `data` in place of what `path` holds: wholly, or not at all."""
    writing = path.with_suffix(".writing")
    with synced(writing, size=len(data)) as write:
        write(0, np.frombuffer(data, np.uint8))
    os.replace(writing, path)
    with suppress(OSError):  # it is in place; should power fail now, the old content may come back, as wholly
        _sync_folder(path.parent)


def read_rows(path: Path, offsets: Sequence[int], rows: Bytes) -> None:
    """Fills rows (n, width) from `path`. Raises EOFError when the file is too short, FileNotFoundError without one."""
    with path.open("rb", buffering=0) as stream:
        for offset, row in zip(offsets, rows, strict=True):
            stream.seek(offset)
            if stream.readinto(row) != len(row):
                raise EOFError(f"{path.name} ends before byte {offset + len(row)}")


def read_ahead(path: Path, offsets: Sequence[int], width: int) -> None:
    """Asks the system to bring these ranges into the page cache; returns at once."""
    if not hasattr(os, "posix_fadvise"):
        return
    with path.open("rb", buffering=0) as stream:
        for offset in offsets:
            os.posix_fadvise(stream.fileno(), offset, width, os.POSIX_FADV_WILLNEED)


def mapped(path: Path, size: int) -> mmap.mmap:
    """`path` as memory that the page cache holds. Writing to it never reaches the file. Raises EOFError when short."""
    with path.open("rb", buffering=0) as stream:
        if os.fstat(stream.fileno()).st_size < size:
            raise EOFError(f"{path.name} ends before byte {size}")
        return mmap.mmap(stream.fileno(), size, access=mmap.ACCESS_COPY)


def make_private_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def bytes_below(folder: Path) -> int:
    """Bytes on disk; holes in files do not count."""
    return sum(_bytes_on_disk(path) for path in folder.rglob("*") if path.is_file())


def remove_folder(folder: Path) -> int:
    """Removes it with all it holds; bytes removed. Space is free at once even where a file is still mapped."""
    removed = bytes_below(folder)
    for path in folder.rglob("*"):
        if path.is_file():
            _punch_out(path)
    shutil.rmtree(folder, ignore_errors=True)
    return removed


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_at(descriptor: int, offset: int, data: Bytes) -> None:
    os.lseek(descriptor, offset, os.SEEK_SET)
    left = data.reshape(-1).data
    while left:
        left = left[os.write(descriptor, left) :]


def _bytes_on_disk(path: Path) -> int:
    status = path.stat()
    return status.st_blocks * _SECTOR_BYTES if hasattr(status, "st_blocks") else status.st_size


def _punch_out(path: Path) -> None:
    """Frees a file's space but leaves its length, so that a process that maps it reads zeros and is not killed."""
    if sys.platform != "linux":
        return
    with path.open("r+b", buffering=0) as stream:
        size = -(-os.fstat(stream.fileno()).st_size // _WHOLE_BYTES) * _WHOLE_BYTES  # or the last sectors stay
        fallocate = ctypes.CDLL(None).fallocate
        fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
        fallocate(stream.fileno(), _KEEP_SIZE_AND_PUNCH_HOLE, 0, size)  # refused by few file systems: freed later then
