"""Passages: the pieces of a document that are ranked, of 600 to 900 characters on unit borders, never across pages.

Owns the cutting and the words that stand around a passage (file name, nearest heading, a table's first row), which
help to find it but are not part of it: `page.text[passage.start:passage.end]` is all that is ever quoted.
Passages do not overlap: each is ranked by its best sentence, so a sentence on a border loses nothing.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from ingest.document import Document, Kind, Page, Role
from llm.evidence.sentences import Unit, sentences

MAX_CHARS = 900
_GOOD_CHARS = 500  # from here on a passage ends at the next paragraph or heading
_GOOD_DEFINITION_CHARS = 200  # … at the next definition of a code file
_CONTEXT_CHARS = 160


@dataclass(frozen=True, slots=True)
class Passage:
    """Characters [start, end) of one page of a leaf document. `context`: name, heading and table head above it."""

    page_index: int
    start: int
    end: int
    context: str
    units: tuple[tuple[int, int], ...]  # what can be quoted from it, as ranges of the page's characters
    defines: frozenset[str] = frozenset()  # names that a code file defines here

    def search_text(self, page: Page) -> str:
        """The text that is ranked: the context and the passage, line breaks and hyphenation undone."""
        return f"{self.context}\n{flowing(page.text[self.start : self.end])}"


def flowing(text: str) -> str:
    """Text as it reads aloud: words that a line break cut are whole again, every run of spaces is one."""
    return " ".join(re.sub(r"(?<=[^\W\d_])[-\u00ad]\n(?=[a-zß-ÿ])", "", text).replace("\u00ad", "").split())


def cut(document: Document) -> Iterator[Passage]:
    """The passages of a leaf document, in reading order."""
    headings = _Headings(document)
    for page_index, page in enumerate(document.pages):
        definitions = _definitions(document, page)
        headings.enter(page, definitions)
        table_head = ""
        for group in _groups(page, sentences(page, kind=document.kind), frozenset(mark.start for mark in definitions)):
            start = group[0].start
            above = table_head if group[0].role is Role.TABLE and not group[0].opens else ""
            context = " · ".join(
                part[:_CONTEXT_CHARS] for part in (document.name, headings.above(start), above) if part
            )
            end = group[-1].end
            names = frozenset(mark.name for mark in definitions if start <= mark.start < end)
            yield Passage(page_index, start, end, context, tuple((unit.start, unit.end) for unit in group), names)
            for unit in group:
                if unit.role is Role.TABLE and unit.opens:
                    table_head = flowing(page.text[unit.start : unit.end])


def _groups(page: Page, units: list[Unit], definitions: frozenset[int]) -> Iterator[list[Unit]]:
    """Packs units into passages. A passage ends early rather than split a paragraph, and never spans a footer."""
    group: list[Unit] = []
    for unit in units:
        if group and (_crosses_furniture(page, group[-1].end, unit.start) or _ends_before(unit, group, definitions)):
            yield group
            group = []
        group.append(unit)
    if group:
        yield group


def _ends_before(unit: Unit, group: list[Unit], definitions: frozenset[int]) -> bool:
    chars = group[-1].end - group[0].start
    if unit.end - group[0].start > MAX_CHARS or (unit.start in definitions and chars >= _GOOD_DEFINITION_CHARS):
        return True
    return (unit.opens or unit.role is Role.HEADING) and chars >= _GOOD_CHARS


def _crosses_furniture(page: Page, end: int, start: int) -> bool:
    return start > end and any(span.role in (Role.HEADER, Role.FOOTER) for span in page.spans_between(end, start))


class _Definition(NamedTuple):
    start: int
    kind: str
    name: str


def _definitions(document: Document, page: Page) -> list[_Definition]:
    """Where the definitions of a code file begin, with the comments and decorators directly above, and their names."""
    if document.kind is not Kind.CODE:
        return []
    lines = page.text.split("\n")
    starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
    found = []
    for definition in document.definitions:
        index = min(definition.line, len(lines)) - 1
        while index > 0 and lines[index - 1].lstrip().startswith(("#", "@", "//", "/*", "*")):
            index -= 1
        start = starts[index] + len(lines[index]) - len(lines[index].lstrip())
        found.append(_Definition(start, definition.kind, definition.name))
    return sorted(found)


class _Headings:
    """The heading that stands above a place: from the spans of the pages, else from the document's outline."""

    def __init__(self, document: Document) -> None:
        self._outline: dict[int, list[str]] = {}
        for heading in document.headings:
            self._outline.setdefault(heading.page_no, []).append(heading.title)
        self._before = ""  # the last heading of the pages before
        self._starts: list[int] = []
        self._titles: list[str] = []

    def enter(self, page: Page, definitions: list[_Definition]) -> None:
        """Makes `above` speak of this page. Pages are entered in order; a definition heads the code below it."""
        if self._titles:
            self._before = self._titles[-1]
        marks = [(span.start, page.text[span.start : span.end]) for span in page.spans if span.role is Role.HEADING]
        if not marks:
            titles = self._outline.get(page.page_no, [])
            marks = [(page.text.find(title), title) for title in titles]  # -1: above everything
        marks = sorted(marks + [(mark.start, f"{mark.kind} {mark.name}") for mark in definitions])
        self._starts = [start for start, _ in marks]
        self._titles = [flowing(title) for _, title in marks]

    def above(self, position: int) -> str:
        index = bisect_left(self._starts, position)
        return self._titles[index - 1] if index else self._before
