"""What can be computed from a table for a question: choices of rows, and what is said of them.

A program chooses rows (those that a link names, those above a number, the one with the most, the next one ...) and says
something of them: cells of a column, how many they are, a sum. Programs are made from the bottom up, as in Pasupat and
Liang 2015 (arXiv:1508.00305), without regard to which is meant; `llm.tables.choice` weighs their parts.
"""

import operator
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice
from typing import NamedTuple

from llm.tables.asked import AskedOfTable
from llm.tables.grid import Column, Grid

_MOST_PROGRAMS = 4_000
_MOST_PAIRS = 24
_LONGEST_LIST = 8  # cells of an answer
_COMPARES = re.compile(
    r"\b(?:than|least|most|over|under|above|below|before|after|since|until|between|exceed\w*|more|less|fewer|up to)\b"
)
_ORDERS = re.compile(
    r"\b(?:\w+est|most|least|first|last|top|bottom|best|worst|more|less|fewer|better|worse|earlier|later|latest|recent|"
    r"longer|larger|higher|lower|taller|bigger|smaller|greater|older|younger|newer|faster|slower|max\w*|min\w*|"
    r"only|final|begin\w*|start\w*|end\w*|lead\w*|win\w*|won)\b"
)
_STEPS = re.compile(
    r"\b(?:next|previous\w*|prior|before|after|follow\w*|preced\w*|above|below|right|immediately|then|later|earlier)\b"
)
_ADDS = re.compile(
    r"\b(?:total|sum|average|mean|combined?|altogether|together|all|how (?:much|many|long)|number|amount|difference|"
    r"more|less|fewer|longer|than|between|much|add\w*|overall|max\w*|min\w*)\b"
)
_NEGATES = re.compile(r"\b(?:not|never|no|non|other|besides|except|without|didnt|isnt|wasnt|doesnt|else|did not)\b")
_QUOTING = ("cells", "most often", "least often", "greatest", "smallest")
COUNTING = ("count", "distinct", "count difference")
_COUNTS = re.compile(r"\b(?:most|least|often|frequent\w*|common\w*|more|times|fewest|mode)\b")


_SIGNS = {">": "over", "<": "under", ">=": "at least", "<=": "at most"}
HOLDS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


class Part(NamedTuple):
    """One decision of a program; the weights of a program's parts add up to its score."""

    kind: str
    column: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Rows:
    """A choice of rows, in order, and how it was made."""

    rows: tuple[int, ...]
    parts: tuple[Part, ...]
    shape: str
    told: str  # the choice in words
    columns: frozenset[int] = frozenset()  # by which they were chosen
    words: frozenset[int] = frozenset()  # of the question, that the choice takes up


@dataclass(frozen=True, slots=True)
class Program:
    """What it says, and from what. `rows` and `column` are the cells to look at; None: whole rows."""

    said: tuple[str, ...]
    parts: tuple[Part, ...]
    operation: str
    choice: Rows
    column: int | None

    @property
    def is_quoted(self) -> bool:
        """Whether it says what stands in cells, and not something computed from them."""
        return self.operation in _QUOTING


def programs(asked: AskedOfTable) -> list[Program]:
    """All that is tried for a question, the same thing said in the same way once."""
    made: dict[tuple[object, ...], Program] = {}
    for program in islice(_programs(asked), _MOST_PROGRAMS):
        made.setdefault((program.said, program.parts), program)
    return list(made.values())


def _programs(asked: AskedOfTable) -> Iterator[Program]:
    grid = asked.grid
    every = Rows(grid.items, (Part("from", None, "all"),), "all", "all rows")
    links, chosen = _chosen(asked, every)
    moved = list(_moved(asked, links))
    extreme = list(_extremes(asked, [every, *chosen]))
    for rows in (*chosen, *moved, *extreme):
        yield from _cells(asked, rows)
    for rows in (every, *chosen):
        yield from _amounts(asked, rows)
    yield from _differences(asked, links)
    for rows in (every, *chosen[:6]):
        yield from _frequent(asked, rows)


def _chosen(asked: AskedOfTable, every: Rows) -> tuple[list[Rows], list[Rows]]:
    """Choices by one link each, and all choices by links and comparisons."""
    grid = asked.grid
    links = [
        Rows(
            tuple(sorted(link.rows)),
            (Part("from", None, "link"), Part("link", link.column, f"{link.how} {len(link.words)}")),
            "link",
            f"{_name(grid, link.column)}: {' '.join(asked.words[at] for at in sorted(link.words))}",
            frozenset((link.column,)),
            link.words,
        )
        for link in asked.links
    ]
    compared = list(_compared(asked)) if _COMPARES.search(asked.text) else []
    single = [*links, *compared]
    both = [pair for a, b in combinations(single, 2) if (pair := _both(a, b))][:_MOST_PAIRS]
    either = [pair for a, b in combinations(links, 2) if (pair := _either(a, b))][:_MOST_PAIRS]
    without = []
    if _NEGATES.search(asked.text):
        for rows in links:
            left = tuple(row for row in grid.items if row not in set(rows.rows))
            if left:
                parts = (Part("from", None, "not"), *rows.parts[1:])
                without.append(replace(rows, rows=left, parts=parts, shape="not", told=f"not {rows.told}"))
    return links, [*single, *both, *either, *without]


def _compared(asked: AskedOfTable) -> Iterator[Rows]:
    items = asked.grid.items
    for at, number in asked.numbers.items():
        for index, column in enumerate(asked.grid.columns):
            values = column.numbers if column.is_numbers or not column.is_dates else column.dates
            if column.amounts is None:
                continue
            bound = number * 10_000 if column.is_dates and 1000 <= number <= 2100 else number
            for sign, holds in HOLDS.items():
                rows = tuple(row for row in items if (value := values[row]) is not None and holds(value, bound))
                if rows and len(rows) < len(items):
                    parts = (Part("from", None, "compare"), Part("compare", index, sign))
                    told = f"{_name(asked.grid, index)} {_SIGNS[sign]} {asked.words[at]}"
                    yield Rows(rows, parts, "compare", told, frozenset((index,)), frozenset((at,)))


def _both(first: Rows, second: Rows) -> Rows | None:
    if first.words & second.words or (first.columns == second.columns and first.shape == second.shape == "link"):
        return None
    rows = tuple(sorted(set(first.rows) & set(second.rows)))
    if not rows or len(rows) == min(len(first.rows), len(second.rows)) > 1:
        return None
    parts = (Part("from", None, "both"), *first.parts[1:], *second.parts[1:])
    told = f"{first.told} and {second.told}"
    return Rows(rows, parts, "both", told, first.columns | second.columns, first.words | second.words)


def _either(first: Rows, second: Rows) -> Rows | None:
    if first.words & second.words or first.columns != second.columns or set(first.rows) & set(second.rows):
        return None
    rows = tuple(sorted({*first.rows, *second.rows}))
    parts = (Part("from", None, "either"), *first.parts[1:], *second.parts[1:])
    told = f"{first.told} or {second.told}"
    return Rows(rows, parts, "either", told, first.columns, first.words | second.words)


def _moved(asked: AskedOfTable, links: Iterable[Rows]) -> Iterator[Rows]:
    """The rows right after and before those that a link names."""
    if not _STEPS.search(asked.text):
        return
    for rows in links:
        for name, row in (("next", rows.rows[-1] + 1), ("previous", rows.rows[0] - 1)):
            if 0 <= row < asked.grid.num_rows:
                parts = (Part("from", None, name), *rows.parts[1:])
                told = f"the row {'after' if name == 'next' else 'before'} {rows.told}"
                yield replace(rows, rows=(row,), parts=parts, shape=name, told=told)


def _extremes(asked: AskedOfTable, choices: Iterable[Rows]) -> Iterator[Rows]:
    """Of each choice of several rows: the first, the last, and those with the most and the least in a column."""
    if not _ORDERS.search(asked.text):
        return
    for rows in choices:
        if len(rows.rows) < 2:
            continue
        for name, row in (("first", rows.rows[0]), ("last", rows.rows[-1])):
            parts = (*rows.parts, Part("order", None, name))
            yield replace(rows, rows=(row,), parts=parts, shape=name, told=f"the {name} of {rows.told}")
        for index, column in enumerate(asked.grid.columns):
            if column.amounts is None:
                continue
            known = [(value, row) for row in rows.rows if (value := column.amounts[row]) is not None]
            if len(known) < 2:
                continue
            for name, bound in (("most", max(known)[0]), ("least", min(known)[0])):
                found = tuple(row for value, row in known if value == bound)
                if len(found) < len(known):
                    yield replace(
                        rows, rows=found, parts=(*rows.parts, Part("extreme", index, name)), shape=name,
                        told=f"the {name} {_name(asked.grid, index)} of {rows.told}", columns=rows.columns | {index},
                    )  # fmt: skip


def _cells(asked: AskedOfTable, rows: Rows) -> Iterator[Program]:
    """What stands in one column of the rows."""
    for index, column in enumerate(asked.grid.columns):
        said = tuple(dict.fromkeys(column.cells[row].text for row in rows.rows if not column.cells[row].is_empty))
        if 0 < len(said) <= _LONGEST_LIST:
            named = index in rows.columns and any(Part("link", index, part.detail) in rows.parts for part in rows.parts)
            yield _program(asked, said, rows, "cells", index, size=str(min(len(said), 3)) + (" named" if named else ""))


def _amounts(asked: AskedOfTable, rows: Rows) -> Iterator[Program]:
    """How many rows, how many different cells, and sums over a column."""
    yield _program(asked, (str(len(rows.rows)),), rows, "count", None, size=_size(len(rows.rows), asked.grid))
    for index, column in enumerate(asked.grid.columns):
        keys = {column.keys[row] for row in rows.rows if not column.cells[row].is_empty}
        if 0 < len(keys) < len(rows.rows):  # where all is empty there is nothing to count
            yield _program(asked, (str(len(keys)),), rows, "distinct", index, size=_size(len(keys), asked.grid))
        if not column.is_numbers or not _ADDS.search(asked.text):
            continue
        values = [value for row in rows.rows if (value := column.numbers[row]) is not None]
        if len(values) > 1:
            for name, value in (
                ("sum", sum(values)), ("mean", sum(values) / len(values)), ("range", max(values) - min(values)),
                ("greatest", max(values)), ("smallest", min(values)),
            ):  # fmt: skip
                yield _program(asked, (shown(value),), rows, name, index)


def _differences(asked: AskedOfTable, links: Sequence[Rows]) -> Iterator[Program]:
    """Between the numbers of two named rows, and between how many rows two links name."""
    if not _ADDS.search(asked.text):
        return
    for first, second in islice(combinations(links, 2), _MOST_PAIRS):
        both = _either(first, second)
        if both is None:
            continue
        gap = abs(len(first.rows) - len(second.rows))
        yield _program(asked, (str(gap),), both, "count difference", None)
        if len(first.rows) != 1 or len(second.rows) != 1:
            continue
        for index, column in enumerate(asked.grid.columns):
            one, other = column.numbers[first.rows[0]], column.numbers[second.rows[0]]
            if column.is_numbers and one is not None and other is not None and index not in both.columns:
                yield _program(asked, (shown(abs(one - other)),), both, "difference", index)


def _frequent(asked: AskedOfTable, rows: Rows) -> Iterator[Program]:
    """The cells that stand most and least often in a column."""
    if not _COUNTS.search(asked.text) or len(rows.rows) < 2:
        return
    for index, column in enumerate(asked.grid.columns):
        filled = [row for row in rows.rows if not column.cells[row].is_empty]
        counts = Counter(column.keys[row] for row in filled)
        if not 1 < len(counts) < len(filled):
            continue
        for name, wanted in (("most often", max(counts.values())), ("least often", min(counts.values()))):
            keys = [key for key, count in counts.items() if count == wanted]
            if len(keys) <= 2:
                where = tuple(row for row in filled if column.keys[row] in keys)
                said = tuple(dict.fromkeys(_first_text(column, where, key) for key in keys))
                yield _program(asked, said, replace(rows, rows=where), name, index, size=str(len(keys)))


def _first_text(column: Column, rows: Sequence[int], key: str) -> str:
    return next(column.cells[row].text for row in rows if column.keys[row] == key)


def _program(
    asked: AskedOfTable, said: tuple[str, ...], rows: Rows, operation: str, column: int | None, *, size: str = ""
) -> Program:
    unused = min(len(asked.linked_words - rows.words), 4)
    left = min(len(asked.named_words - rows.words), 3)
    parts = [*rows.parts, Part("say", None, operation), Part("form", None, f"{operation} of {rows.shape}")]
    parts += [
        Part("unused", None, f"{unused} {operation}"),
        Part("left", None, str(left)),
        Part("size", None, f"{operation} {size}"),
    ]
    if column is not None:
        parts.append(Part("column", column, operation))
        if column in rows.columns:
            parts.append(Part("same", None, f"{operation} of {rows.shape}"))
    if len(said) == 1 and said[0].casefold() in asked.text:
        parts.append(Part("echo", None, operation))
    return Program(said, tuple(parts), operation, rows, column)


def _size(count: int, grid: Grid) -> str:
    return "all" if count == len(grid.items) else str(min(count, 3))


def shown(value: float) -> str:
    """A computed number without the noise of its last digits."""
    rounded = round(value, 2)
    return f"{int(rounded):d}" if rounded == int(rounded) else f"{rounded:.2f}".rstrip("0")


def _name(grid: Grid, column: int) -> str:
    return grid.columns[column].name or f"column {column + 1}"
