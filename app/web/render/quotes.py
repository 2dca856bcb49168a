"""Quotes as people read them: on one line, and of the row of a table its cells with a thin line between them.

Only the drawing differs: what is checked, stored and exported is the quote as it stands in the document.
"""

import re

from app.web.render.basics import escape
from ingest.document import Page, Role
from ingest.page_text import CELL_GAP, one_line
from llm.answer import Citation

_GAP = f'<span class="ll-gap">{CELL_GAP}</span>'
_BROKEN = re.compile(r"(?<=\w)-\n(?=[^\W\d_])")  # a word at a line's end
_RULE = re.compile(r"[\s|:=+-]+")  # the line below a head in Markdown


def is_row(page: Page | None, start: int, end: int) -> bool:
    """Whether the page's characters [start, end) are of a table."""
    return page is not None and any(span.role is Role.TABLE for span in page.spans_between(start, end))


def quoted(cite: Citation, page: Page | None, most: int) -> str:
    """Of the quote at most so many characters; `page` is the one that is cited, if it is there still."""
    if not is_row(page, cite.start, cite.end):
        return escape(_cut(one_line(_BROKEN.sub("-", cite.quote)), most))
    rows = "\n".join(_row(line) for line in cite.quote.split("\n") if not _RULE.fullmatch(line))
    return "<br>".join(with_gaps(escape(row)) for row in _cut(rows, most).split("\n"))


def with_gaps(fragment: str) -> str:
    """HTML of a table's row, with a thin line wherever a cell ends."""
    return fragment.replace(CELL_GAP, _GAP)


def _row(line: str) -> str:
    """A row without empty cells, and without what Markdown draws around it."""
    line = line.strip()
    if line.startswith("|") and line.endswith("|"):
        line = line[1:-1]
    return CELL_GAP.join(cell for part in line.split(CELL_GAP) if (cell := one_line(part)))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip(" \n|") + "…"
