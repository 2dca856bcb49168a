"""Questions made from tables themselves, for fitting: sums, means, counts under conditions, comparisons.

The question set is about sports and films, where "total" mostly counts; people also have invoices and budgets. What is
made here asks in those words, with answers computed from the columns directly. Always the same for the same table.
"""

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from llm.tables.grid import Column, Grid
from llm.tables.programs import HOLDS, shown
from llm.training.sources import Question

_MADE_PER_TABLE = 5
_MAX_NAME, _MAX_VALUE = 24, 28
_SUM = (
    "what is the total {n}{of}?", "total {n}{of}?", "what is the sum of all {n}{of}?", "sum of {n}{of}",
    "how much {n} in total{of}?", "what do the {n}{of} add up to?", "what is the combined {n}{of}?",
)  # fmt: skip
_SPENT = (
    "how much was spent on {v} in total?", "how much was spent on {v}?", "how much did we pay {v} in total?",
    "how much did {v} cost in total?", "what did we spend on {v} altogether?", "how much came from {v} in total?",
)  # fmt: skip
_ONE = (
    "how much did {v} cost?",
    "how much is {v}?",
    "how much was paid to {v}?",
    "what is the {n} of {v}?",
    "{n} of {v}",
)
_MEAN = ("what is the average {n}{of}?", "average {n}{of}", "what is the mean {n}{of}?")
_GREATEST = ("what is the highest {n}{of}?", "what is the largest {n}{of}?", "what is the maximum {n}{of}?")
_SMALLEST = ("what is the lowest {n}{of}?", "what is the smallest {n}{of}?", "what is the minimum {n}{of}?")
_OF = (" of {v}", " for {v}", " where {c} is {v}", " with {c} {v}")
_ALL = ("how many {k}s are there?", "how many {k}s are listed?", "number of {k}s", "how many rows are there?")
_SAME = (
    "how many {k}s have {c} {v}?", "how many {k}s are {v}?", "number of {k}s with {c} {v}",
    "how many {v} {k}s are there?", "how many {k}s are from {v}?", "how many {k}s are there for {v}?",
)  # fmt: skip
_TWO = ("how many {k}s with {c} {v} have {d} {w}?", "how many {k}s of {v} are {w}?", "how many {v} {k}s have {d} {w}?")
_BOUNDS = {
    ">": ("over", "above", "more than", "greater than", "higher than", "larger than"),
    "<": ("under", "below", "less than", "fewer than", "lower than", "smaller than"),
    ">=": ("at least", "or more"),
    "<=": ("at most", "no more than"),
}
_COMPARED = ("how many {k}s have a {n} {b}?", "how many {k}s have {n} {b}?", "number of {k}s with {n} {b}")
_LISTED = ("which {k}s have a {n} {b}?", "list the {k}s with {n} {b}", "which {k}s have {n} {b}?")
_EXTREME = ("which {k} with {c} {v} has the {e} {n}?", "of {v}, which {k} has the {e} {n}?")
_ENDS = {"highest": max, "largest": max, "most": max, "lowest": min, "smallest": min, "least": min}
_RANKS = re.compile(r"rank|place|pos|\bno\b|num|#|№|year|date", re.IGNORECASE)  # nobody adds these up
_DIFFERENCE = ("what is the difference in {n} between {v} and {w}?", "how much more {n} does {v} have than {w}?")
_DISTINCT = ("how many different {c}s are there?", "how many distinct {c}s are listed?", "number of unique {c}s")


def made_questions(grid: Grid) -> list[Question]:
    """At most five, each once; none where the table has no names, or no two rows."""
    maker = _Maker(grid)
    if not maker.can_make:
        return []
    found = {question.text: question for _ in range(4 * _MADE_PER_TABLE) for question in maker.draw()}
    return list(found.values())[:_MADE_PER_TABLE]


class _Maker:
    def __init__(self, grid: Grid) -> None:
        head = grid.columns
        text = "\n".join(cell.text for column in head for cell in column.cells)
        self._rng = random.Random(text)
        named = [column for column in head if 0 < len(column.name) <= _MAX_NAME and column.name.isascii()]
        self._keys = [column for column in named if column.is_distinct and (not column.is_numbers or column is head[0])]
        self._numbers = [
            column
            for column in named
            if column.is_numbers and column not in self._keys and not _RANKS.search(column.name)
            if all(number is not None for number in column.numbers)
        ]
        self._groups = [column for column in named if not column.is_numbers and _repeated(column)]
        self._num_rows = grid.num_rows
        self.can_make = bool(self._keys) and grid.num_rows > 2

    def draw(self) -> Iterator[Question]:
        """One question, or none where the table has nothing that it could ask about."""
        key = self._rng.choice(self._keys)
        kinds = [self._all, self._distinct]
        kinds += [self._aggregate, self._aggregate, self._compared, self._difference] if self._numbers else []
        kinds += [self._one] if len(self._numbers) == 1 else []
        kinds += [self._same, self._two] if self._groups else []
        kinds += [self._extreme] if self._groups and self._numbers else []
        made = self._rng.choice(kinds)(key)
        if made:
            text, said = made
            yield Question(text.lower() if self._rng.random() < 0.7 else text, (said,))

    def _all(self, key: Column) -> tuple[str, str] | None:
        return self._say(_ALL, k=key.name), str(self._num_rows)

    def _distinct(self, key: Column) -> tuple[str, str] | None:
        column = self._rng.choice(self._groups) if self._groups else key
        return self._say(_DISTINCT, c=column.name), str(len(set(column.keys)))

    def _aggregate(self, key: Column) -> tuple[str, str] | None:
        number, rows, of = self._rng.choice(self._numbers), list(range(self._num_rows)), ""
        value = ""
        if self._groups and self._rng.random() < 0.6:
            group, value, rows = self._group()
            of = self._say(_OF, c=group.name, v=value)
        values = _of(number, rows)
        if value and len(self._numbers) == 1 and len(values) > 1 and self._rng.random() < 0.4:
            return self._say(_SPENT, v=value), shown(sum(values))
        wordings, said = self._rng.choice(
            (
                (_SUM, sum(values)), (_SUM, sum(values)), (_MEAN, sum(values) / len(values)),
                (_GREATEST, max(values)), (_SMALLEST, min(values)),
            )
        )  # fmt: skip
        return (self._say(wordings, n=number.name, of=of), shown(said)) if len(values) > 1 else None

    def _one(self, key: Column) -> tuple[str, str] | None:
        number, row = self._numbers[0], self._rng.randrange(self._num_rows)
        name = key.cells[row].text
        said = number.cells[row].text
        return (self._say(_ONE, n=number.name, v=name), said) if len(name) <= _MAX_VALUE else None

    def _same(self, key: Column) -> tuple[str, str] | None:
        group, value, rows = self._group()
        return self._say(_SAME, k=key.name, c=group.name, v=value), str(len(rows))

    def _two(self, key: Column) -> tuple[str, str] | None:
        (group, value, rows), (other, second, others) = self._group(), self._group()
        both = set(rows) & set(others)
        if group is other or not both:
            return None
        return self._say(_TWO, k=key.name, c=group.name, v=value, d=other.name, w=second), str(len(both))

    def _compared(self, key: Column) -> tuple[str, str] | None:
        number, sign = self._rng.choice(self._numbers), self._rng.choice(list(_BOUNDS))
        values = _of(number, range(self._num_rows))
        bound = self._rng.choice(values)
        bound = bound if self._rng.random() < 0.4 else float(round(bound, -len(str(int(abs(bound)))) + 1))
        rows = [row for row, value in enumerate(values) if HOLDS[sign](value, bound)]
        words = self._rng.choice(_BOUNDS[sign])
        told = f"{shown(bound)} {words}" if words == "or more" else f"{words} {shown(bound)}"
        if not rows or len(rows) == self._num_rows:
            return None
        if len(rows) <= 4 and self._rng.random() < 0.4:
            listed = ", ".join(key.cells[row].text for row in rows)
            return self._say(_LISTED, k=key.name, n=number.name, b=told), listed
        return self._say(_COMPARED, k=key.name, n=number.name, b=told), str(len(rows))

    def _extreme(self, key: Column) -> tuple[str, str] | None:
        (group, value, rows), number = self._group(), self._rng.choice(self._numbers)
        word = self._rng.choice(list(_ENDS))
        values = _of(number, rows)
        wanted = _ENDS[word](values)
        if len(values) < 2 or values.count(wanted) > 1:
            return None
        row = rows[values.index(wanted)]
        return self._say(_EXTREME, k=key.name, c=group.name, v=value, e=word, n=number.name), key.cells[row].text

    def _difference(self, key: Column) -> tuple[str, str] | None:
        number, (first, second) = self._rng.choice(self._numbers), self._rng.sample(range(self._num_rows), 2)
        one, other = _of(number, (first, second))
        names = key.cells[first].text, key.cells[second].text
        if one <= other or max(map(len, names)) > _MAX_VALUE:
            return None
        return self._say(_DIFFERENCE, n=number.name, v=names[0], w=names[1]), shown(one - other)

    def _group(self) -> tuple[Column, str, list[int]]:
        group = self._rng.choice(self._groups)
        values = [
            (key, count) for key, count in Counter(group.keys).items() if key and count > 1 and len(key) <= _MAX_VALUE
        ]
        key = self._rng.choice(values)[0]
        rows = [row for row, other in enumerate(group.keys) if other == key]
        return group, group.cells[rows[0]].text, rows

    def _say(self, wordings: Sequence[str], **words: str) -> str:
        return self._rng.choice(wordings).format(**words)


def _repeated(column: Column) -> bool:
    """Whether some short cell stands in several rows, so that it names a group of them."""
    counts = Counter(key for key in column.keys if key and len(key) <= _MAX_VALUE)
    return bool(counts) and counts.most_common(1)[0][1] > 1 and not column.is_dates


def _of(column: Column, rows: Sequence[int] | range) -> list[float]:
    return [value for row in rows if (value := column.numbers[row]) is not None]
