"""Small PDF files made for the tests with PyMuPDF, and the reader called the way the sandbox calls it."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymupdf
import pytest
from PIL import Image

from ingest.document import Box, Document, Page, Problem, Role
from ingest.ocr import Recognised, TextLine
from ingest.options import ReadOptions
from ingest.pdf import read_pdf
from ingest.reader import SourceFile

DOCUMENTS = Path(__file__).parents[4] / "shared" / "data" / "documents"
SENTENCE = "The quick brown fox jumps over the lazy dog while the band plays on and on"


def made(path: Path, *pages: Callable[[Any], None], size: tuple[float, float] = (595, 842)) -> Path:
    """A PDF with one page for each drawing function."""
    pdf = pymupdf.open()
    for draw in pages:
        draw(pdf.new_page(width=size[0], height=size[1]))
    pdf.save(path)
    pdf.close()
    return path


def lines(page: Any, x: float, y: float, texts: list[str], **style: Any) -> None:
    """Texts under each other, 14 points apart."""
    for index, text in enumerate(texts):
        page.insert_text((x, y + 14 * index), text, **{"fontsize": 10, **style})


PLAIN = ReadOptions()


def read(path: Path, options: ReadOptions = PLAIN) -> tuple[Document, list[Problem]]:
    return read_pdf(SourceFile.of(path), options, lambda done, total: None)


def rows(page: Page, role: Role | None = None) -> list[str]:
    """Texts of the page's spans, all or those of one role; the contract of spans is checked on the way."""
    position = 0
    for span in page.spans:
        assert span.start >= position, f"span {span} overlaps the one before it"
        position = span.end
        assert span.box is not None
        assert span.box.x0 < span.box.x1
        assert span.box.y0 < span.box.y1
    return [page.text[span.start : span.end] for span in page.spans if role in (None, span.role)]


def shared(*parts: str) -> Path:
    """A file of the shared documents; the test is skipped where they are missing."""
    path = DOCUMENTS.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"needs {Path('..', 'shared', 'data', 'documents', *parts)}")
    return path


class FakeRecogniser:
    """Stands in for `ingest.ocr.recognise`: the same lines for every image; remembers the images."""

    def __init__(self, *texts: str, rotation: int = 0, confidence: float = 0.95) -> None:
        self.images: list[Image.Image] = []
        self._lines = tuple(
            TextLine(text, Box(200.0, 100.0 + 60 * i, 900.0, 140.0 + 60 * i), confidence)
            for i, text in enumerate(texts)
        )
        self._rotation = rotation

    def __call__(self, image: Image.Image, *, find_rotation: bool = True) -> Recognised:
        self.images.append(image)
        return Recognised(self._rotation if find_rotation else 0, self._lines)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> "FakeRecogniser":
        monkeypatch.setattr(sys.modules["ingest.ocr"], "recognise", self)
        return self
