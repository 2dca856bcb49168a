"""Code files and notebooks as documents."""

import json
from pathlib import Path

import pytest

from ingest import Definition, Kind, PageRange, ReadOptions, SourceFile, UnreadableSource
from ingest.code import read_code, read_notebook
from ingest.document import Document


def read(path: Path, content: bytes, options: ReadOptions = ReadOptions()) -> Document:  # noqa: B008
    path.write_bytes(content)
    reader = read_notebook if path.suffix == ".ipynb" else read_code
    document, problems = reader(SourceFile.of(path), options, lambda done, total: None)
    assert document.problems == ()
    assert problems == []
    return document


def test_a_code_file_keeps_its_lines(tmp_path: Path) -> None:
    document = read(tmp_path / "a.py", b"\xef\xbb\xbfx = 1\r\n\r\n\x0cdef f():\r\n\treturn 'ab'\r\n")
    (page,) = document.pages
    assert page.text == "x = 1\n\n\x0cdef f():\n\treturn 'ab'\n"
    assert (document.kind, document.language, page.has_geometry) == (Kind.CODE, "python", False)
    assert document.definitions == (Definition("x", "variable", 1), Definition("f", "function", 3))
    start = page.text.index("return")
    assert page.place(start, start + 6).lines == (4, 4)


def test_old_encodings_are_decoded(tmp_path: Path) -> None:
    text = "// Größe der Fläche prüfen, übrigens für die Straße\nint größe = 1;\n"
    path = tmp_path / "a.c"
    path.write_bytes(text.encode("latin-1"))
    document, problems = read_code(SourceFile.of(path), ReadOptions(), lambda done, total: None)
    assert document.pages[0].text == text
    assert [problem.what for problem in problems] == ["broken encoding"]


def test_a_page_range_without_page_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableSource, match=r"a.py has 1 page; pages 2-3 were asked for"):
        read(tmp_path / "a.py", b"x = 1\n", ReadOptions(pages=PageRange(((2, 3),))))


def test_a_notebook_is_its_cells_and_text_outputs(tmp_path: Path) -> None:
    notebook = {
        "cells": [
            {"cell_type": "markdown", "source": ["# Title\n", "words"]},
            {
                "cell_type": "code",
                "source": "def area(r):\n    return r * r\n",
                "outputs": [
                    {"output_type": "stream", "text": ["1\n", "2\n"]},
                    {"data": {"text/plain": ["<Figure>"], "image/png": "AAAA"}},
                ],
            },
        ],
        "metadata": {"kernelspec": {"language": "python"}},
        "nbformat": 4,
    }
    document = read(tmp_path / "a.ipynb", json.dumps(notebook).encode())
    assert document.pages[0].text == (
        "# --- cell 1 (markdown) ---\n# Title\nwords\n\n"
        "# --- cell 2 (code) ---\ndef area(r):\n    return r * r\n# --- output of cell 2 ---\n1\n2\n<Figure>\n"
    )
    assert document.definitions == (Definition("area", "function", 6),)


@pytest.mark.parametrize("content", [b"{}", b"not json", b'{"cells": 3}', b'{"cells": [{}]}', b"[" * 100_000])
def test_a_broken_notebook_is_unreadable(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UnreadableSource, match=r"a.ipynb is named as a notebook but does not hold one"):
        read(tmp_path / "a.ipynb", content)
