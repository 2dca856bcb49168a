"""Statements: tables of amounts whose rows have a name and whose columns are periods, as in accounts and reports.

They have no head of words, so nothing is computed over them; a question that names a row gets that row's amount
(`llm.tables.naming`). Section titles between the rows do not end a statement: each row knows the titles above it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ingest.document import Page, Role
from llm.tables.grid import Cell, cells_of

_AMOUNT = re.compile(
    r"[-+(]?\s*[$€£]?\s*\(?\d[\d,.\u00a0]*\s*\)?\s*(?:%|pts?|pp|bps)?\s*\)?(?:\s+\(\d{1,2}\))?|[$€£]?\s*[—–―-]"
)
_PERIOD = re.compile(
    r"(?i)\b(?:19|20)\d\d\b|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b|\bQ[1-4]\b|\b(?:weeks|months|"
    r"quarter|year|first|second|third|fourth)s?\b"
)
_YEAR = re.compile(r"(?:19|20)\d\d")
_UNIT = re.compile(r"(?i)\(?\bin (?:thousands|millions|billions)\b[^)\n]*\)?")
_TITLE_CHARS = 80  # a line of text this short between rows is a section's title
_CAPTION_CHARS = 300  # of the text above a statement
_MOST_HEADS = 3


@dataclass(slots=True)
class Statement:
    """Rows of one name and as many amounts as there are heads; ranges are characters of the page's text."""

    page_index: int
    heads: list[str]
    unit: str = ""
    labels: list[Cell] = field(default_factory=list)
    amounts: list[list[Cell]] = field(default_factory=list)
    row_ranges: list[tuple[int, int]] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)  # above each row: the table's caption and the section's name


def statements(page: Page, page_index: int) -> Iterator[Statement]:
    """The statements of a page, in order, of two rows or more."""
    heads: list[list[str]] = []
    made: Statement | None = None
    caption = section = ""
    for span in page.spans:
        cells = cells_of(page.text, span.start, span.end) if span.role is Role.TABLE else []
        amounts = cells[1:]
        if len(cells) > 1 and _is_named(cells[0]) and _are_amounts(amounts) and not _is_head(cells):
            if made is None or len(made.heads) != len(amounts):
                yield from _whole(made)
                units = _UNIT.findall(page.text[: span.start])
                made = Statement(page_index, _joined(heads, len(amounts)), units[-1].strip("() ") if units else "")
            made.labels.append(cells[0])
            made.amounts.append(amounts)
            made.row_ranges.append((span.start, span.end))
            made.titles.append(f"{caption} {section}".strip())
            heads = []
            continue
        line = page.text[span.start : span.end]
        if _is_head(cells):
            heads = [*heads, [cell.text for cell in cells]][-_MOST_HEADS:]
        elif _is_title(line) or _is_title_row(cells):
            section = line
        elif not (span.role is Role.TABLE and (_is_mark(line) or _is_nameless(cells))):
            yield from _whole(made)
            made, heads, section = None, [], ""
        if span.role is not Role.TABLE:
            caption = f"{caption} {line}"[-_CAPTION_CHARS:]
        if heads and made is not None:
            yield from _whole(made)
            made, section = None, ""
    yield from _whole(made)


def _joined(heads: Sequence[Sequence[str]], width: int) -> list[str]:
    """The heads of `width` columns: "Three Months Ended" over two of them, "June 25," over "2022"."""
    columns: list[list[str]] = [[] for _ in range(width)]
    for head in heads:
        names = head[1:] if len(head) == width + 1 else head
        if not names or width % len(names):
            continue
        for column, parts in enumerate(columns):
            parts.append(names[column * len(names) // width])
    return [" ".join(filter(None, parts)) for parts in columns]


def _whole(statement: Statement | None) -> Iterator[Statement]:
    if statement is not None and len(statement.labels) > 1:
        yield statement


def _is_named(cell: Cell) -> bool:
    return bool(re.search(r"[^\W\d_]{2}", cell.text)) and not _AMOUNT.fullmatch(cell.text)


def _are_amounts(cells: Sequence[Cell]) -> bool:
    return any(not cell.is_empty for cell in cells) and all(
        _AMOUNT.fullmatch(cell.text) or not cell.text for cell in cells
    )


def _is_head(cells: Sequence[Cell]) -> bool:
    """Whether a row names periods, beside words such as "Change"; the first cell may name the rows."""
    is_named = bool(cells) and _is_named(cells[0]) and not _PERIOD.search(cells[0].text)
    named = [cell.text for cell in cells[is_named:] if not cell.is_empty]
    periods = sum(bool(_PERIOD.search(text)) for text in named)
    has_amounts = any(_AMOUNT.fullmatch(text) and not _YEAR.fullmatch(text) for text in named)
    return not has_amounts and (1 if is_named else 2) <= len(named) <= 2 * periods


def _is_title_row(cells: Sequence[Cell]) -> bool:
    return len(cells) > 1 and sum(not cell.is_empty for cell in cells) == 1


def _is_nameless(cells: Sequence[Cell]) -> bool:
    """Units or words in place of amounts, or amounts that no name stands before, such as a total's."""
    return len(cells) > 1 and (cells[0].is_empty or not any(_AMOUNT.fullmatch(cell.text) for cell in cells))


def _is_title(line: str) -> bool:
    return len(line) <= _TITLE_CHARS and not re.search(r"\d", line) and not _is_mark(line)


def _is_mark(line: str) -> bool:
    """A footnote's number or a sign that was set by itself."""
    return not re.search(r"[^\W\d_]{2}", line)
