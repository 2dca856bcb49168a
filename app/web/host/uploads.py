"""Where uploaded files wait for the library to copy them: one folder a batch, written straight from the request.

Owns one folder below `<data dir>/uploads`; nothing that is uploaded ever reaches Gradio's own file cache. Guarantees:
no path leaves its batch; a batch is removed when the library has its copy, when it was given up, and at the next start.
"""

import logging
import re
import secrets
import shutil
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from filelock import FileLock, Timeout

from app.errors import BadRequest
from app.web.texts import number, t
from ingest.errors import SourceTooLarge
from ingest.options import Limits

log = logging.getLogger(__name__)
BATCH = re.compile("[0-9a-f]{32}")
GIVEN_UP_AFTER_S = 6 * 3600.0  # a batch that was never handed over
CHECK_EVERY_S = 1.0
MAX_NAME_BYTES = 240  # of one part of a path; file systems allow 255


@dataclass
class _Batch:
    folder: Path
    num_bytes: int = 0
    num_files: int = 0
    started: float = field(default_factory=time.monotonic)
    handed_over: bool = False


class Uploads:
    """Batches of uploaded files. Safe to call from several threads."""

    def __init__(self, root: Path, limits: Limits | None = None) -> None:
        """Takes a folder below `root` for this process, and removes those of processes that are gone."""
        self.limits = limits or Limits()
        self._batches: dict[str, _Batch] = {}
        self._lock = threading.Lock()
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        _remove_orphans(root)
        self._root = root / secrets.token_hex(8)
        self._owner = FileLock(f"{self._root}.lock", thread_local=False)
        self._owner.acquire()
        self._root.mkdir(mode=0o700)

    def close(self) -> None:
        """Removes every batch."""
        shutil.rmtree(self._root, ignore_errors=True)
        self._owner.release()
        Path(self._owner.lock_file).unlink(missing_ok=True)

    def open(self) -> str:
        """A new batch's id, which cannot be guessed."""
        self._remove_given_up()
        batch_id = secrets.token_hex(16)
        folder = self._root / batch_id
        folder.mkdir()
        with self._lock:
            self._batches[batch_id] = _Batch(folder)
        return batch_id

    async def write(
        self, batch_id: str, relative: str, chunks: AsyncIterator[bytes], announced: str | None = None
    ) -> int:
        """One file of the batch, in bytes written. Raises BadRequest, SourceTooLarge, OSError.

        `announced`: the request's Content-Length; what says itself that it is too large is refused unread.
        """
        batch = self._batch(batch_id)
        if announced is not None and announced.isdecimal():
            self._check_room(relative, int(announced), batch.num_bytes + int(announced))
        target = _free(batch.folder / _inside(relative))
        self._count_file(batch)
        target.parent.mkdir(parents=True, exist_ok=True)
        written = 0
        try:
            with target.open("xb") as stream:
                async for chunk in chunks:
                    written += len(chunk)
                    self._count_bytes(batch, relative, written, len(chunk))
                    stream.write(chunk)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        return written

    def hand_over(self, batch_id: str) -> list[tuple[Path, str]]:
        """The batch's sources: its files and folders, with their names. Raises BadRequest when it is empty."""
        batch = self._batch(batch_id)
        batch.handed_over = True
        sources = [(path, path.name) for path in sorted(batch.folder.iterdir())]
        if not sources:
            self.discard(batch_id)
            raise BadRequest(t("nothing was uploaded: the folder or the selection holds no files; choose some"))
        return sources

    def discard(self, batch_id: str) -> None:
        """Removes the batch and its files."""
        with self._lock:
            batch = self._batches.pop(batch_id, None)
        if batch is not None:
            shutil.rmtree(batch.folder, ignore_errors=True)

    def discard_when(self, batch_id: str, is_over: Callable[[], bool]) -> None:
        """Removes the batch as soon as `is_over()`; returns at once."""
        threading.Thread(target=self._wait_and_discard, args=(batch_id, is_over), daemon=True).start()

    def _wait_and_discard(self, batch_id: str, is_over: Callable[[], bool]) -> None:
        try:
            while not is_over():
                time.sleep(CHECK_EVERY_S)
        finally:
            self.discard(batch_id)

    def _batch(self, batch_id: str) -> _Batch:
        with self._lock:
            batch = self._batches.get(batch_id) if BATCH.fullmatch(batch_id) else None
        if batch is None or batch.handed_over:
            raise BadRequest(t("this upload is not open any more; add the files again"))
        return batch

    def _count_file(self, batch: _Batch) -> None:
        with self._lock:
            batch.num_files += 1
            if batch.num_files > self.limits.max_archive_members:
                raise SourceTooLarge(
                    t(
                        "the upload has more than {n} files; add the folder by its path",
                        n=number(self.limits.max_archive_members),
                    )
                )

    def _count_bytes(self, batch: _Batch, relative: str, file_bytes: int, added: int) -> None:
        with self._lock:
            batch.num_bytes += added
            batch_bytes = batch.num_bytes
        self._check_room(relative, file_bytes, batch_bytes)

    def _check_room(self, relative: str, file_bytes: int, batch_bytes: int) -> None:
        limits = self.limits
        if file_bytes > limits.max_file_bytes:
            raise SourceTooLarge(_too_large(relative, limits.max_file_bytes))
        if batch_bytes > limits.max_archive_bytes:
            raise SourceTooLarge(
                t("the upload is over the limit of {size} bytes in all", size=number(limits.max_archive_bytes))
            )

    def _remove_given_up(self) -> None:
        now = time.monotonic()
        with self._lock:
            old = [
                batch_id
                for batch_id, batch in self._batches.items()
                if not batch.handed_over and now - batch.started > GIVEN_UP_AFTER_S
            ]
        for batch_id in old:
            log.info("removing an upload that was never handed over")
            self.discard(batch_id)


def _remove_orphans(root: Path) -> None:
    """Folders whose owner does not hold its lock any more: it was killed."""
    for lock_file in root.glob("*.lock"):
        try:
            with FileLock(lock_file, timeout=0):
                shutil.rmtree(lock_file.with_suffix(""), ignore_errors=True)
                lock_file.unlink(missing_ok=True)
        except Timeout:
            continue


def _too_large(relative: str, max_bytes: int) -> str:
    return t("{file} is over the limit of {size} bytes a file", file=relative, size=number(max_bytes))


def _inside(relative: str) -> PurePosixPath:
    """The path as the browser gave it, made harmless. Raises BadRequest for what cannot be a file name."""
    parts = [part for part in relative.replace("\\", "/").split("/") if part not in ("", ".")]
    if not parts or ".." in parts or any(_is_bad(part) for part in parts):
        raise BadRequest(
            t("{file} cannot be stored under that name; rename the file and add it again", file=repr(relative[:200]))
        )
    return PurePosixPath(*parts)


def _is_bad(part: str) -> bool:
    return any(ord(char) < 32 for char in part) or not 0 < len(part.encode("utf-8", "replace")) <= MAX_NAME_BYTES


def _free(path: Path) -> Path:
    """`path`, or "name (2).ext" where a file of that name is there already."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.stem} ({number}){path.suffix}")
    return free
