"""Reading a file that a test has saved, as every test of this folder does."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.document import Document, Problem
from ingest.office import SUFFIXES
from ingest.options import ReadOptions
from ingest.reader import SourceFile


@pytest.fixture
def read() -> Callable:
    def read(path: Path, options: ReadOptions | None = None) -> tuple[Document, list[Problem]]:
        return SUFFIXES[path.suffix](SourceFile.of(path), options or ReadOptions(), lambda done, total: None)

    return read
