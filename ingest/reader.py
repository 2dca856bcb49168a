"""The contract of every reader: one file in, (document, problems) out.

A reader knows one format. It raises an `IngestError` when the file as a whole cannot be read, and returns a
`Problem` for everything smaller. It opens no network connection, writes nothing, and keeps no state. It runs in a
child process (`ingest.sandbox`), so its arguments and results can be pickled.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ingest.document import Document, Problem
from ingest.options import ReadOptions

OnProgress = Callable[[int, int], None]  # pages done, pages in all


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One regular file on disk, as its reader gets it."""

    path: Path
    name: str  # as the person knows it; the document's name
    id: str  # SHA-256 of its bytes, hex
    size_bytes: int

    @classmethod
    def of(cls, path: Path, name: str | None = None) -> "SourceFile":
        """Hashes the file. Raises OSError when it cannot be read."""
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return cls(path, name or path.name, digest, path.stat().st_size)


class Reader(Protocol):
    def __call__(
        self, file: SourceFile, options: ReadOptions, on_progress: OnProgress
    ) -> tuple[Document, list[Problem]]: ...
