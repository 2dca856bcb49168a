"""A page without geometry, grown line by line: its text, the spans whose role matters, its headings.

Used by every reader that has no boxes (text, office). Guarantees "\\n" line ends, and spans that are exact.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ingest.document import Heading, Page, Problem, Role, Span, TextOrigin

CELL_GAP = " | "
_LINE_ENDS = re.compile(r"\r\n?")


def with_plain_line_ends(text: str) -> str:
    return _LINE_ENDS.sub("\n", text)


def one_line(text: str) -> str:
    """The text with every run of white space as one blank."""
    return " ".join(text.split())


def empty_problems(source: str, pages: Sequence[Page]) -> list[Problem]:
    """One problem for each page without text."""
    return [
        Problem(source, page.page_no, "no text found", "No readable text was found on this page.")
        for page in pages
        if not page.text.strip()
    ]


@dataclass(slots=True)
class PageText:
    """One page being written."""

    page_no: int = 1
    headings: list[Heading] = field(default_factory=list)
    _lines: list[str] = field(default_factory=list)
    _spans: list[Span] = field(default_factory=list)
    _length: int = 0

    def add(self, text: str, role: Role = Role.TEXT, confidence: float | None = None) -> None:
        """Appends one line or more; white space alone is left out."""
        if not text.strip():
            return
        for line in with_plain_line_ends(text).rstrip().split("\n"):
            start = self._length
            self._lines.append(line)
            self._length += len(line) + 1
            if role is not Role.TEXT and line:
                self._spans.append(Span(start, start + len(line), role=role, confidence=confidence))

    def heading(self, title: str, level: int) -> None:
        """Appends a heading, on one line, and enters it in the outline."""
        title = one_line(title)
        if title:
            self.gap()
            self.add(title, Role.HEADING)
            self.headings.append(Heading(level, title, self.page_no))

    def row(self, cells: list[str]) -> None:
        """Appends a table row; one without any text is left out."""
        cells = [one_line(cell) for cell in cells]
        if any(cells):
            self.add(CELL_GAP.join(cells), Role.TABLE)

    def gap(self) -> None:
        """A blank line, unless the page begins here or has one already."""
        if self._lines and self._lines[-1]:
            self._lines.append("")
            self._length += 1

    def page(self, label: str | None = None) -> Page:
        text = "\n".join(self._lines).rstrip("\n")
        return Page(
            self.page_no,
            text,
            tuple(self._spans),
            label=label,
            origin=TextOrigin.LAYER if text else TextOrigin.NONE,
        )
