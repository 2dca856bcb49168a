"""The rows of a batch on disk: the file that a person named with --out is the journal itself.

One JSON object a line, appended and synced before the next row is begun; so a kill loses at most the row in work, and
a last line that was cut short is taken off. Within one run nothing that was written changes. Between runs, `drop`
replaces the file as a whole, renamed into place.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from filelock import FileLock, Timeout

from app.batch.rows import Row, key_of
from app.errors import BadRequest


class RowJournal:
    """Rows by id, in the order in which they were written. One process at a time."""

    def __init__(self, path: Path, lock_dir: Path) -> None:
        """Raises BadRequest where another process writes there, or the file holds something else; OSError."""
        self.path = path
        self._rows: dict[str, Row] = {}
        self._by_key: dict[str, Row] = {}
        self._file: BinaryIO | None = None
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
        if self._file is not None:
            self._file.close()
            self._file = None
        self._lock.release()

    def get(self, row_id: str) -> Row | None:
        return self._rows.get(row_id)

    def same(self, key: str) -> Row | None:
        """A row that did not fail, of the same bytes and question under any name."""
        return self._by_key.get(key)

    def rows(self) -> Iterator[Row]:
        yield from self._rows.values()

    def append(self, row: Row) -> None:
        """Writes the row; when this returns, it is on the disk."""
        assert row["id"] not in self._rows, f"row {row['id']} was to be written twice"
        if self._file is None:
            self._file = self.path.open("ab")
        self._file.write(_line(row))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._keep(row)

    def drop(self, is_stale: Callable[[Row], bool]) -> int:
        """Takes rows out; how many. Killed in between, the file is as it was before."""
        kept = [row for row in self._rows.values() if not is_stale(row)]
        dropped = len(self._rows) - len(kept)
        if dropped:
            if self._file is not None:
                self._file.close()
                self._file = None
            writing = self.path.with_name(self.path.name + ".writing")
            with writing.open("wb") as file:
                file.writelines(map(_line, kept))
                file.flush()
                os.fsync(file.fileno())
            writing.replace(self.path)
            self._rows, self._by_key = {}, {}
            for row in kept:
                self._keep(row)
        return dropped

    def _keep(self, row: Row) -> None:
        self._rows[row["id"]] = row
        if row["status"] != "failed":
            self._by_key.setdefault(key_of(row), row)

    def _locked(self, lock_dir: Path) -> FileLock:
        name = hashlib.sha256(str(self.path.resolve()).encode("utf-8", "replace")).hexdigest()[:16]
        lock = FileLock(lock_dir / f"batch-{name}.lock", timeout=0, mode=0o600)
        try:
            lock.acquire()
        except Timeout:
            raise BadRequest(f"another batch is writing to {self.path}; wait for it, or name another --out") from None
        return lock

    def _load(self) -> None:
        data = self.path.read_bytes() if self.path.exists() else b""
        whole = data[: data.rfind(b"\n") + 1]
        for number, line in enumerate(whole.split(b"\n")[:-1], 1):
            self._keep(self._parsed(line, number))
        if len(whole) < len(data):
            self._check_torn(data[len(whole) :], bool(whole))
            with self.path.open("rb+") as file:
                file.truncate(len(whole))
                os.fsync(file.fileno())

    def _parsed(self, line: bytes, number: int) -> Row:
        try:
            row = json.loads(line)
            if {"id", "source", "question", "status"} <= set(row):
                return dict(row)
        except (ValueError, TypeError):
            pass
        raise BadRequest(f"line {number} of {self.path} is no row of a batch; name another file with --out")

    def _check_torn(self, rest: bytes, has_rows: bool) -> None:
        """A file of something else that has no line end must not be emptied."""
        if not has_rows and not rest.startswith(b'{"id": "'[: len(rest)]):
            raise BadRequest(f"{self.path} holds something else than rows of a batch; name another file with --out")


def _line(row: Row) -> bytes:
    return (json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", "replace")
