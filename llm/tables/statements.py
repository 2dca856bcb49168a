"""Statements: tables of amounts whose rows have a name and whose columns are periods, as in accounts and reports.

They have no head of words, so nothing is computed over them; a question that names a row gets that row's amount, of the
period that it names, else of the first, which is the latest by custom. Section titles between the rows do not end a
statement.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ingest.document import Page, Role, Span
from llm.evidence.lexical import question_terms, terms
from llm.tables.grid import Cell, cells_of

_AMOUNT = re.compile(r"[-+(]?\s*[$€£]?\s*\(?\d[\d,.\u00a0]*\)?\s*%?|[—–-]")
_PERIOD = re.compile(
    r"(?i)\b(?:19|20)\d\d\b|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b|\bQ[1-4]\b|\b(?:weeks|months|"
    r"quarter|year)s?\b"
)
_UNIT = re.compile(r"(?i)\(?\bin (?:thousands|millions|billions)\b[^)\n]*\)?")
_TITLE_CHARS = 80  # a line of text this short between rows is a section's title
_MOST_HEADS = 3
_VALUE_ASKED = re.compile(r"(?i)\s*(?:and )?(?:what|how much|how many|give|tell|state|find)\b")
_MORE_ASKED = re.compile(
    r"(?i)\b(?:\w+est|most|least|chang\w*|increas\w*|decreas\w*|differen\w*|gr[eo]w\w*|percent\w*|compar\w*|why|average|"
    r"mean|ratio|nine|six|twelve|margin of|than|each|per|sum|between)\b"
)
_LIKE = 0.8  # F1 of the words of question and row


@dataclass(slots=True)
class Statement:
    """Rows of one name and as many amounts as there are heads; ranges are characters of the page's text."""

    page_index: int
    heads: list[str]
    unit: str = ""
    labels: list[Cell] = field(default_factory=list)
    amounts: list[list[Cell]] = field(default_factory=list)
    row_ranges: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Looked:
    """The amount of one row under one head."""

    statement: Statement
    row: int
    column: int
    like: float  # F1 of the words of the question and of the row's name

    @property
    def text(self) -> str:
        return re.sub(r"(?<=[$€£])\s+", "", self.statement.amounts[self.row][self.column].text)

    @property
    def how(self) -> str:
        """Where it stands, in words, with the unit that the page states."""
        head = self.statement.heads[self.column]
        parts = [f"“{self.statement.labels[self.row].text}”" + (f", {head}" if head else ""), self.statement.unit]
        return "; ".join(part for part in parts if part)


def statements(page: Page, page_index: int) -> Iterator[Statement]:
    """The statements of a page, in order, of two rows or more."""
    heads: list[list[str]] = []
    made: Statement | None = None
    for span in page.spans:
        cells = cells_of(page.text, span.start, span.end) if span.role is Role.TABLE else []
        amounts = cells[1:]
        if len(cells) > 1 and _is_named(cells[0]) and all(_AMOUNT.fullmatch(cell.text) for cell in amounts):
            if made is None or len(made.heads) != len(amounts):
                yield from _whole(made)
                units = _UNIT.findall(page.text[: span.start])
                made = Statement(page_index, _joined(heads, len(amounts)), units[-1].strip("() ") if units else "")
            made.labels.append(cells[0])
            made.amounts.append(amounts)
            made.row_ranges.append((span.start, span.end))
            heads = []
        elif len(cells) > 1 and all(_PERIOD.search(cell.text) or not cell.text for cell in cells):
            heads = [*heads, [cell.text for cell in cells]][-_MOST_HEADS:]
        elif not _is_title(page.text, span):
            yield from _whole(made)
            made, heads = None, []
        if heads and made is not None:
            yield from _whole(made)
            made = None
    yield from _whole(made)


def look_up(question: str, statement: Statement) -> Looked | None:
    """The amount that a question names by its row; None where it asks for more, or names none clearly."""
    if not _VALUE_ASKED.match(question) or _MORE_ASKED.search(question):
        return None
    asked = frozenset(question_terms(question))
    column = _column(asked, statement.heads)
    asked -= frozenset(term for head in statement.heads for term in terms(head))
    best: tuple[float, int] | None = None
    for row, label in enumerate(statement.labels):
        words = frozenset(terms(label.text))
        shared = len(words & asked)
        like = 2 * shared / max(1, len(words) + len(asked))
        if (like >= _LIKE or (len(words) > 1 and words <= asked)) and (best is None or like > best[0]):
            best = (like, row)
    if best is None or _is_share(statement, best[1], column):
        return None
    return Looked(statement, best[1], column, best[0])


def _column(asked: frozenset[str], heads: Sequence[str]) -> int:
    """The head that most of the question's words stand in; the first of equals."""
    shared = [len(asked.intersection(terms(head))) for head in heads]
    return shared.index(max(shared))


def _is_share(statement: Statement, row: int, column: int) -> bool:
    """Whether a number stands in a column of shares without saying so itself."""
    shares = any("%" in amounts[column].text for amounts in statement.amounts)
    return shares and "%" not in statement.amounts[row][column].text


def _joined(heads: Sequence[Sequence[str]], width: int) -> list[str]:
    """Head rows of that width, column by column: "June 25," over "2022"."""
    fitting = [head for head in heads if len(head) == width]
    return [" ".join(head[at] for head in fitting) for at in range(width)]


def _whole(statement: Statement | None) -> Iterator[Statement]:
    if statement is not None and len(statement.labels) > 1:
        yield statement


def _is_named(cell: Cell) -> bool:
    return bool(re.search(r"[^\W\d_]{2}", cell.text)) and not _AMOUNT.fullmatch(cell.text)


def _is_title(text: str, span: Span) -> bool:
    line = text[span.start : span.end]
    return len(line) <= _TITLE_CHARS and not re.search(r"\d", line)
