"""Plain text, Markdown and reStructuredText: the file's own lines, with headings, code and tables marked.

Guarantees: the page's text is the file's text, character for character after decoding and line ends, so that line
numbers are the file's own.
"""

from collections.abc import Sequence
from itertools import accumulate

from ingest.document import Document, Heading, Kind, Page, Problem, Role, Span, TextOrigin
from ingest.options import ReadOptions
from ingest.page_text import empty_problems
from ingest.reader import OnProgress, SourceFile
from ingest.text.decoding import read_decoded
from ingest.text.marks import Mark, markdown_marks, rst_marks

MARKDOWN_SUFFIXES = (".md", ".markdown", ".mdown", ".mkd")
RST_SUFFIXES = (".rst", ".rest")


def read_text(file: SourceFile, options: ReadOptions, on_progress: OnProgress) -> tuple[Document, list[Problem]]:
    """One page, as the file has it."""
    found = read_decoded(file.path, file.name)
    lines = found.text.split("\n")
    name = file.name.lower()
    marks: list[Mark] = []
    if name.endswith(MARKDOWN_SUFFIXES):
        marks = markdown_marks(lines)
    elif name.endswith(RST_SUFFIXES):
        marks = rst_marks(lines)
    document = Document(
        file.id,
        file.name,
        Kind.TEXT,
        pages=(exact_page(found.text, _spans(lines, marks)),),
        size_bytes=file.size_bytes,
        headings=tuple(Heading(mark.level, mark.title, 1) for mark in marks if mark.role is Role.HEADING),
        metadata=_title(marks),
    )
    on_progress(1, 1)
    problems = [found.problem] if found.problem else []
    return document, problems + empty_problems(file.name, document.pages)


def exact_page(text: str, spans: Sequence[Span] = ()) -> Page:
    """The one page of a text file."""
    return Page(1, text, tuple(spans), origin=TextOrigin.LAYER if text.strip() else TextOrigin.NONE)


def _spans(lines: Sequence[str], marks: Sequence[Mark]) -> list[Span]:
    starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
    return [
        Span(starts[mark.line_index], starts[mark.line_index] + len(lines[mark.line_index]), role=mark.role)
        for mark in marks
        if lines[mark.line_index]
    ]


def _title(marks: Sequence[Mark]) -> dict[str, str]:
    """The first heading, when it is of the first level."""
    headings = [mark for mark in marks if mark.role is Role.HEADING]
    return {"title": headings[0].title} if headings and headings[0].level == 1 else {}
