"""Text, Markdown and reStructuredText keep their lines; headings, code and tables are found."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.document import Document, Heading, Kind, Role
from ingest.text.marks import markdown_marks, rst_marks

MARKDOWN = """---
title: not a heading
---
# Manual #

Set up
------
Some text.
```python
# not a heading
```
| name | price |
|------|-------|
### Deep
- item
---
#hashtag
"""
RST = """=======
 Title
=======

Part one
========
Some text.

Details
-------

Part two
========
list::

    ========
"""


def of_role(document: Document, role: Role) -> list[str]:
    page = document.pages[0]
    return [page.text[span.start : span.end] for span in page.spans if span.role is role]


def test_text_is_exact_and_has_lines(read: Callable) -> None:
    document, problems = read("a.txt", "one\r\n\r\n  three\r\n")
    (page,) = document.pages
    assert (page.text, page.spans, page.width_pt, document.kind) == ("one\n\n  three\n", (), None, Kind.TEXT)
    assert page.place(7, 12).lines == (3, 3)
    assert problems == []


def test_markdown_headings_code_and_tables(read: Callable) -> None:
    document, _ = read("a.md", MARKDOWN)
    assert document.pages[0].text == MARKDOWN
    assert document.headings == (Heading(1, "Manual", 1), Heading(2, "Set up", 1), Heading(3, "Deep", 1))
    assert of_role(document, Role.HEADING) == ["# Manual #", "Set up", "### Deep"]
    assert of_role(document, Role.CODE) == ["```python", "# not a heading", "```"]
    assert of_role(document, Role.TABLE) == ["| name | price |", "|------|-------|"]
    assert document.metadata == {"title": "Manual"}


def test_rst_headings_have_the_level_of_their_style(read: Callable) -> None:
    document, _ = read("a.rst", RST)
    assert document.headings == (
        Heading(1, "Title", 1),
        Heading(2, "Part one", 1),
        Heading(3, "Details", 1),
        Heading(2, "Part two", 1),
    )


def test_a_file_of_blanks_is_a_problem(read: Callable) -> None:
    _, problems = read("a.txt", " \n\n")
    assert [problem.what for problem in problems] == ["no text found"]


@given(st.lists(st.text("#=-`|a 1\t", max_size=6), max_size=12))
def test_marks_are_in_order_and_inside_the_file(lines: list[str]) -> None:
    for marks in (markdown_marks(lines), rst_marks(lines)):
        indices = [mark.line_index for mark in marks]
        assert indices == sorted(set(indices))
        assert all(0 <= index < len(lines) for index in indices)


def test_a_real_essay(read: Callable) -> None:
    path = Path(__file__).parents[4] / "shared/data/documents/essays/avg.txt"
    if not path.exists():
        pytest.skip(f"real documents are missing: no file {path}")
    document, problems = read("avg.txt", path.read_bytes())
    assert document.pages[0].text == path.read_text(encoding="utf-8")
    assert problems == []
