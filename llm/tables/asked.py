"""What a question says about a table: its words, its numbers, and the cells that it names.

Owns how words of a question are linked to cells. A link is a set of rows in which one column holds what the question
says; where a longer stretch of the question names cells of a column, the stretches inside it are no links of it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from llm.evidence.lexical import terms
from llm.tables.grid import Column, Grid, plain

_WORDS = re.compile(r"[^\W_]+(?:[.,:'’/-][^\W_]+)*|[%$€£#&+]")
_SMALL = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_ORDINAL_WORDS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th)", re.IGNORECASE)
_AMOUNT = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
_LONGEST = 5  # words of the question that together name a cell
_MOST_LINKS = 14
MOST_ROWS = 20_000  # of a grid that is computed over


@dataclass(frozen=True, slots=True)
class Link:
    """Rows whose cell in a column holds what words of the question say. `how`: "equal", "has" or "number"."""

    column: int
    rows: frozenset[int]
    how: str
    words: frozenset[int]  # indexes of the question's words


class AskedOfTable:
    """A question beside a grid."""

    def __init__(self, question: str, grid: Grid) -> None:
        self.grid = grid
        self.text = plain(question)
        self.words = tuple(word.casefold() for word in _WORDS.findall(question))
        self._terms = tuple(tuple(terms(word)) for word in self.words)

    @cached_property
    def numbers(self) -> dict[int, float]:
        """Numbers that the question names, by the index of the word: "3,000", "three" and "third" alike."""
        return {at: number for at, word in enumerate(self.words) if (number := _number(word)) is not None}

    @cached_property
    def content_words(self) -> tuple[int, ...]:
        """Indexes of the words that say something."""
        return tuple(at for at, found in enumerate(self._terms) if found)

    @cached_property
    def head_words(self) -> frozenset[int]:
        """Indexes of the words that stand in the head of a column."""
        heads = frozenset(term for column in self.grid.columns for term in terms(column.name))
        return frozenset(at for at in self.content_words if heads.intersection(self._terms[at]))

    @cached_property
    def stems(self) -> frozenset[str]:
        return frozenset(term for found in self._terms for term in found)

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """At most 14, those that take up most of the question first; each set of rows of a column once."""
        found: dict[tuple[int, frozenset[int]], Link] = {}
        for index, column in enumerate(self.grid.columns):
            for link in self._links_of(index, column):
                key = (link.column, link.rows)
                if key not in found or len(found[key].words) < len(link.words):
                    found[key] = link
        rank = {"equal": 0, "number": 1, "has": 2}
        ordered = sorted(found.values(), key=lambda link: (-len(link.words), rank[link.how], len(link.rows)))
        return tuple(ordered[:_MOST_LINKS])

    @cached_property
    def linked_words(self) -> frozenset[int]:
        """Indexes of the words that name a cell."""
        return frozenset(at for link in self.links for at in link.words)

    @cached_property
    def named_words(self) -> frozenset[int]:
        """Indexes of the words that are all of a cell: leaving these out is leaving out what was asked about."""
        return frozenset(at for link in self.links if link.how == "equal" for at in link.words)

    def _links_of(self, index: int, column: Column) -> Iterator[Link]:
        taken: list[range] = []
        head = frozenset(terms(column.name))
        for length in range(min(_LONGEST, len(self.words)), 0, -1):
            for start in range(len(self.words) - length + 1):
                stretch = range(start, start + length)
                if any(stretch.start >= other.start and stretch.stop <= other.stop for other in taken):
                    continue
                link = self._link(index, column, stretch, head)
                if link:
                    taken.append(stretch)
                    yield link

    def _link(self, index: int, column: Column, stretch: range, head: frozenset[str]) -> Link | None:
        if not (self._terms[stretch.start] and self._terms[stretch.stop - 1]):
            return None  # it would begin or end with a word that says nothing
        wanted = frozenset(term for at in stretch for term in self._terms[at])
        if wanted <= head and len(stretch) == 1:
            return None
        rows = frozenset[int].intersection(*(column.where.get(term, frozenset()) for term in wanted))
        if rows:
            same = all(len(column.says[row]) == len(wanted) for row in rows)
            return Link(index, rows, "equal" if same else "has", frozenset(stretch))
        number = self.numbers.get(stretch.start) if len(stretch) == 1 else None
        if number is not None and column.is_numbers:
            rows = frozenset(row for row, value in enumerate(column.numbers) if value == number)
            if rows:
                return Link(index, rows, "number", frozenset(stretch))
        return None


def _number(word: str) -> float | None:
    if word in _SMALL:
        return float(_SMALL.index(word))
    if word in _ORDINAL_WORDS:
        return float(_ORDINAL_WORDS.index(word) + 1)
    if ordinal := _ORDINAL.fullmatch(word):
        return float(ordinal[1])
    return float(word.replace(",", "")) if _AMOUNT.fullmatch(word) else None
