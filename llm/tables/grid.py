"""Tables as grids of cells: the rows of a page that ingest marked as a table, with what each cell says as a number.

Owns how the text of a row becomes cells and how a cell becomes something to compare. Guarantees: `Cell.start` and
`Cell.end` are characters of the page's text, so that every cell can be quoted; all rows of a grid have its width.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from ingest.document import Page, Role
from ingest.page_text import CELL_GAP
from llm.evidence.lexical import terms

_GAP = CELL_GAP.strip()
_RULE = re.compile(r"[\s|:=+-]+")  # the line below a head in Markdown
_FOOTNOTES = re.compile(r"\[[^\]\s]{1,12}\]|[*†‡]+$")
_NUMBER = re.compile(r"[-+−]?(?:\d{1,3}(?:[,\u00a0\u202f]\d{3})+|\d+)?(?:\.\d+|(?<=\d))")
_CLOCK = re.compile(r"\b(\d{1,3}):(\d\d)(?::(\d\d))?(\.\d+)?\b")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = rf"({'|'.join(_MONTHS)})[a-z]*\.?"
_DAY_FIRST = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?\s+{_MONTH}(?:,?\s+(\d{{4}}))?", re.IGNORECASE)
_MONTH_FIRST = re.compile(rf"\b{_MONTH}\s+(?:(\d{{1,2}})(?!\d)(?:st|nd|rd|th)?,?\s*)?(\d{{4}})?", re.IGNORECASE)
_ISO_DATE = re.compile(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b")
_YEAR = re.compile(r"(?:1\d|20)\d\d")
_FEWEST = 2  # rows
_LABELS = 2  # columns at the left in which a row may be called a total
_TOTAL = re.compile(r"(?:grand |sub|sub-|overall )?(?:totals?|sums?|averages?|means?|overall)\b.{0,12}")
_FIELD = re.compile(r"[^\W\d_][^:]{0,30}:(?!\d)")  # "Name: Ada Smith"
_EVEN = 0.5  # share of the rows that must be as wide as the head
_MOSTLY = 0.6  # share of the filled cells of a column that makes it one of numbers or dates


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell; `start` and `end` are its characters in the page's text."""

    text: str
    start: int
    end: int

    @property
    def is_empty(self) -> bool:
        return not re.search(r"\w", self.text)


@dataclass(frozen=True)
class Column:
    """One column under its head."""

    name: str
    cells: tuple[Cell, ...]  # one a row

    @cached_property
    def numbers(self) -> tuple[float | None, ...]:
        """The first number of each cell; a time such as 2:56:11.7 in seconds."""
        return tuple(number_in(cell.text) for cell in self.cells)

    @cached_property
    def dates(self) -> tuple[float | None, ...]:
        """The date in each cell as year * 10,000 + month * 100 + day; parts that are not written count as 0."""
        return tuple(date_in(cell.text) for cell in self.cells)

    @cached_property
    def says(self) -> tuple[frozenset[str], ...]:
        """The terms of each cell."""
        return tuple(frozenset(terms(cell.text)) for cell in self.cells)

    @cached_property
    def where(self) -> dict[str, frozenset[int]]:
        """In which rows each term stands."""
        rows: dict[str, list[int]] = {}
        for row, found in enumerate(self.says):
            for term in found:
                rows.setdefault(term, []).append(row)
        return {term: frozenset(found) for term, found in rows.items()}

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Each cell as it is compared: lower case, without footnotes and quotes."""
        return tuple(plain(cell.text) for cell in self.cells)

    @cached_property
    def is_dates(self) -> bool:
        """Whether cells are dates; years alone are numbers."""
        with_month = tuple(date if date is not None and date % 10_000 else None for date in self.dates)
        return self._mostly(with_month)

    @cached_property
    def is_numbers(self) -> bool:
        """Whether cells can be compared by their number: it stands first in most of them."""
        leading = tuple(
            number if cell.text[:1].isdigit() or not re.match(r"[^\W\d_]{3}", cell.text) else None
            for number, cell in zip(self.numbers, self.cells, strict=True)
        )
        return self._mostly(leading)

    @cached_property
    def is_distinct(self) -> bool:
        filled = [key for key in self.keys if key]
        return len(set(filled)) == len(filled) > 0

    @cached_property
    def amounts(self) -> tuple[float | None, ...] | None:
        """What rows are ordered by; None where the column is of words."""
        if self.is_dates:
            return self.dates
        return self.numbers if self.is_numbers else None

    def _mostly(self, values: Sequence[float | None]) -> bool:
        filled = [value for value, cell in zip(values, self.cells, strict=True) if not cell.is_empty]
        return len(filled) > 0 and sum(value is not None for value in filled) >= _MOSTLY * len(filled)


@dataclass(frozen=True)
class Grid:
    """A table of one page: a head and at least two rows."""

    page_index: int
    columns: tuple[Column, ...]
    row_ranges: tuple[tuple[int, int], ...]  # characters of the page's text, a row each, the head left out
    head_range: tuple[int, int]

    @property
    def num_rows(self) -> int:
        return len(self.row_ranges)

    @cached_property
    def items(self) -> tuple[int, ...]:
        """The rows that are no totals of others: nobody counts or adds those."""
        firsts = zip(*(column.keys for column in self.columns[:_LABELS]), strict=True)
        return tuple(row for row, keys in enumerate(firsts) if not any(_TOTAL.fullmatch(key) for key in keys))


def grids(page: Page, page_index: int) -> Iterator[Grid]:
    """The tables of a page, in order: runs of table rows with nothing between them, of two columns or more.

    A table without a row of names above it is none of these; `llm.tables.statements` has some of them. Nor are the
    fields of a form.
    """
    run: list[tuple[int, int]] = []
    for span in page.spans:
        if span.role is Role.TABLE:
            if run and page.text[run[-1][1] : span.start].strip():
                yield from _grid(page.text, page_index, run)
                run = []
            run.append((span.start, span.end))
        elif run:
            yield from _grid(page.text, page_index, run)
            run = []
    yield from _grid(page.text, page_index, run)


def _grid(text: str, page_index: int, run: Sequence[tuple[int, int]]) -> Iterator[Grid]:
    """One grid; its head is the first row that has as many cells as most rows."""
    cut = [(at, cells_of(text, *at)) for at in run if not _RULE.fullmatch(text[at[0] : at[1]])]
    if not cut:
        return
    width = Counter(len(cells) for _, cells in cut).most_common(1)[0][0]
    first = next(index for index, (_, cells) in enumerate(cut) if len(cells) == width)
    (head_range, head), rows = cut[first], cut[first + 1 :]
    if (
        width < 2
        or len(rows) < _FEWEST
        or not _is_head(head)
        or sum(len(cells) == width for _, cells in rows) < _EVEN * len(rows)
        or _are_fields([cell for _, cells in rows for cell in cells if not cell.is_empty])
    ):
        return
    columns = []
    for index in range(width):
        cells = tuple(cells[index] if index < len(cells) else Cell("", at[1], at[1]) for at, cells in rows)
        columns.append(Column(head[index].text, cells))
    yield Grid(page_index, tuple(columns), tuple(at for at, _ in rows), head_range)


def _is_head(cells: Sequence[Cell]) -> bool:
    """Whether a row names columns: most of its cells are words, or years."""
    named = sum(bool(re.search(r"[^\W\d_]", cell.text) or _YEAR.fullmatch(cell.text)) for cell in cells)
    return 2 * named > len(cells)


def _are_fields(cells: Sequence[Cell]) -> bool:
    """Whether most cells say themselves what they are, as two signatures side by side: no columns then."""
    return 2 * sum(_FIELD.match(cell.text) is not None for cell in cells) > len(cells)


def cells_of(text: str, start: int, end: int) -> list[Cell]:
    """The cells of a row that stands at characters [start, end) of a text."""
    row = text[start:end]
    if row.startswith(_GAP):  # Markdown draws a bar at both ends
        row, start = row[1:], start + 1
        row = row[: row.rstrip().rfind(_GAP)] if row.rstrip().endswith(_GAP) else row
    cells = []
    for part in re.split(rf"(?:(?<=\s)|^){re.escape(_GAP)}(?=\s|$)", row):
        stripped = part.strip()
        at = start + (len(part) - len(part.lstrip()) if stripped else 0)
        cells.append(Cell(stripped, at, at + len(stripped)))
        start += len(part) + len(_GAP)
    return cells


def plain(text: str) -> str:
    """A cell's or a question's text as it is compared."""
    return " ".join(re.sub(r"[\"“”‘’'`]", "", _FOOTNOTES.sub("", text)).casefold().split()).strip(" .,;:?!")


def number_in(text: str) -> float | None:
    """The first number of a text; None where there is none."""
    clock = _CLOCK.search(text)
    if clock:
        hours_or_minutes, second, third, fraction = clock.groups()
        whole = int(hours_or_minutes) * 60 + int(second)
        return (whole * 60 + int(third) if third else whole) + float(fraction or 0)
    for found in _NUMBER.finditer(_FOOTNOTES.sub("", text)):
        digits = found[0].replace("−", "-").translate({ord(","): None, 0xA0: None, 0x202F: None})
        if any(char.isdigit() for char in digits):
            is_range = digits[0] == "-" and found.start() > 0 and text[found.start() - 1].isalnum()
            return abs(float(digits)) if is_range else float(digits)
    return None


def date_in(text: str) -> float | None:
    """The date of a text: with a month, or a year alone. None where there is none."""
    if iso := _ISO_DATE.search(text):
        return _date(int(iso[1]), int(iso[2]), int(iso[3]))
    if day_first := _DAY_FIRST.search(text):
        return _date(int(day_first[3] or 0), _month(day_first[2]), int(day_first[1]))
    month_first = _MONTH_FIRST.search(text)
    if month_first and (month_first[2] or month_first[3]):
        return _date(int(month_first[3] or 0), _month(month_first[1]), int(month_first[2] or 0))
    year = re.match(r"\D{0,3}(1\d{3}|20\d\d)\b", text)
    return _date(int(year[1]), 0, 0) if year else None


def _month(name: str) -> int:
    return _MONTHS.index(name[:3].lower()) + 1


def _date(year: int, month: int, day: int) -> float:
    return float(year * 10_000 + month * 100 + day)
