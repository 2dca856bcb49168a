"""Reading a file from its bytes, as every test of this folder does."""

from collections.abc import Callable
from pathlib import Path, PurePath

import pytest

from ingest.document import Document, Problem
from ingest.options import ReadOptions
from ingest.reader import SourceFile
from ingest.text import SUFFIXES

Read = Callable[[str, bytes | str], tuple[Document, list[Problem]]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read(name: str, data: bytes | str) -> tuple[Document, list[Problem]]:
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return SUFFIXES[PurePath(name).suffix](SourceFile.of(path), ReadOptions(), lambda done, total: None)

    return read
