"""The rows of a batch on disk: the file that a person named with --out is the journal itself.

One JSON object a line, appended and synced before the next row is begun; so a kill loses at most the row in work, and
a last line that was cut short is taken off. Within one run nothing that was written changes. Between runs, `drop`
replaces the file as a whole, renamed into place. In memory is only where each row stands, a few hundred bytes: what a
batch of many thousand documents takes does not grow with what was answered.
"""

import hashlib
import json
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from sys import intern
from types import TracebackType
from typing import BinaryIO, NamedTuple

from filelock import FileLock, Timeout

from app.batch.rows import Row, key_of
from app.errors import BadRequest


class _Place(NamedTuple):
    """Where a row stands in the file, in bytes."""

    start: int
    size: int
    status: str


class RowJournal:
    """Rows by id, in the order in which they were written. One process and one thread at a time."""

    def __init__(self, path: Path, lock_dir: Path) -> None:
        """Raises BadRequest where another process writes there, or the file holds something else; OSError."""
        self.path = path
        self._places: dict[str, _Place] = {}
        self._by_key: dict[str, str] = {}  # ids of rows that did not fail
        self._size = 0  # bytes of the file
        self._writer: BinaryIO | None = None
        self._reader: BinaryIO | None = None
        self._lock = self._locked(lock_dir)
        try:
            self._load()
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> "RowJournal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._close_file()
        self._lock.release()

    def __contains__(self, row_id: str) -> bool:
        return row_id in self._places

    def ids(self) -> Iterator[str]:
        yield from self._places

    def status(self, row_id: str) -> str | None:
        place = self._places.get(row_id)
        return place.status if place is not None else None

    def get(self, row_id: str) -> Row | None:
        """Read from the file. Raises BadRequest where another program has changed that, OSError."""
        return self._read(row_id) if row_id in self._places else None

    def same(self, key: str) -> Row | None:
        """A row that did not fail, of the same bytes and question under any name. Raises as `get`."""
        row_id = self._by_key.get(key)
        return self._read(row_id) if row_id is not None else None

    def rows(self) -> Iterator[Row]:
        """Raises as `get`."""
        yield from map(self._read, self._places)

    def append(self, row: Row) -> None:
        """Writes the row; when this returns, it is on the disk."""
        assert row["id"] not in self._places, f"row {row['id']} was to be written twice"
        if self._writer is None:
            self._writer = self.path.open("ab")
        line = _line(row)
        self._writer.write(line)
        self._writer.flush()
        os.fsync(self._writer.fileno())
        self._keep(row, len(line))

    def drop(self, row_ids: Collection[str]) -> int:
        """Takes rows out; how many. Killed in between, the file is as it was before."""
        kept = [row_id for row_id in self._places if row_id not in row_ids]
        dropped = len(self._places) - len(kept)
        if dropped:
            writing = self.path.with_name(self.path.name + ".writing")
            with writing.open("wb") as file:
                file.writelines(map(self._line_of, kept))
                file.flush()
                os.fsync(file.fileno())
            self._close_file()
            writing.replace(self.path)
            self._places, self._by_key, self._size = {}, {}, 0
            self._load()
        return dropped

    def _keep(self, row: Row, size: int) -> None:
        self._places[row["id"]] = _Place(self._size, size, intern(row["status"]))
        self._size += size
        if row["status"] != "failed":
            self._by_key.setdefault(key_of(row), row["id"])

    def _read(self, row_id: str) -> Row:
        try:
            row = json.loads(self._line_of(row_id))
            if row["id"] == row_id:
                return dict(row)
        except (ValueError, TypeError, KeyError):
            pass
        raise BadRequest(f"{self.path} was changed by another program while the batch ran; run the same command again")

    def _line_of(self, row_id: str) -> bytes:
        if self._reader is None:
            self._reader = self.path.open("rb")
        place = self._places[row_id]
        self._reader.seek(place.start)
        return self._reader.read(place.size)

    def _close_file(self) -> None:
        for file in (self._writer, self._reader):
            if file is not None:
                file.close()
        self._writer = self._reader = None

    def _locked(self, lock_dir: Path) -> FileLock:
        name = hashlib.sha256(str(self.path.resolve()).encode("utf-8", "replace")).hexdigest()[:16]
        lock = FileLock(lock_dir / f"batch-{name}.lock", timeout=0, mode=0o600)
        try:
            lock.acquire()
        except Timeout:
            raise BadRequest(f"another batch is writing to {self.path}; wait for it, or name another --out") from None
        return lock

    def _load(self) -> None:
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    self._check_torn(line)
                    break
                self._keep(self._parsed(line, number), len(line))
            else:
                return
        os.truncate(self.path, self._size)

    def _parsed(self, line: bytes, number: int) -> Row:
        try:
            row = json.loads(line)
            if {"id", "source", "question", "status"} <= set(row):
                return dict(row)
        except (ValueError, TypeError):
            pass
        raise BadRequest(f"line {number} of {self.path} is no row of a batch; name another file with --out")

    def _check_torn(self, rest: bytes) -> None:
        """A file of something else that has no line end must not be emptied."""
        if not self._places and not rest.startswith(b'{"id": "'[: len(rest)]):
            raise BadRequest(f"{self.path} holds something else than rows of a batch; name another file with --out")


def _line(row: Row) -> bytes:
    return (json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", "replace")
