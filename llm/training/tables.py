"""Questions about the cells of a table, made from the table itself: what stands where, and in which row most or least.

The tables of the question sets come with a few hard questions each; these teach to read a table at all. Every answer
is one cell, and what a question names is unique in its column.
"""

import random
import re
from collections.abc import Mapping
from dataclasses import replace

from llm.training.sources import Passage, Question

_MADE_PER_TABLE = 5
_MAX_CELL_CHARS, _MAX_NAME_CHARS = 60, 30
_NUMBER = re.compile(r"[-+]?[$£€]?\d+(?:,\d{3})*(?:\.\d+)?%?")
_ORDER = re.compile(r"rank|place|pos|no\b|num|#|№|year|date", re.IGNORECASE)  # the "highest" of these is unclear
_LOOK_UP = ("What is the {column} of {row}?", "what is the {column} for {row}?", "{row}: what is the {column}?")
_FIND = ("Which {key} has {column} {value}?", "which {key} has a {column} of {value}?")
_MOST = ("Which {key} has the highest {column}?", "which {key} has the most {column}?")
_LEAST = ("Which {key} has the lowest {column}?", "which {key} has the least {column}?")


def with_table_questions(passages: Mapping[str, list[Passage]]) -> dict[str, list[Passage]]:
    """The same passages; the tables of `wtq` have a few questions more, always the same ones."""
    return {kind: [_with_more(p) for p in found] if kind == "wtq" else found for kind, found in passages.items()}


def _with_more(passage: Passage) -> Passage:
    rng = random.Random(passage.context)
    made = {question.text: question for _ in range(4 * _MADE_PER_TABLE) if (question := _question(passage, rng))}
    known = {question.text for question in passage.questions}
    new = [question for text, question in made.items() if text not in known]
    return replace(passage, questions=(*passage.questions, *new[:_MADE_PER_TABLE]))


def _question(passage: Passage, rng: random.Random) -> Question | None:
    """A question about cells drawn at random; None where they are not clear enough to ask."""
    head, *rows = [[cell.strip() for cell in line.split(" | ")] for line in passage.context.split("\n")]
    if len(rows) < 2 or len(set(head)) < len(head) or any(len(row) != len(head) for row in rows):
        return None
    columns = list(zip(*rows, strict=True))
    key = next((at for at, cells in enumerate(columns) if _names_rows(cells)), None)
    if key is None:
        return None
    at = rng.choice([at for at in range(len(head)) if at != key] or [key])
    row = rng.randrange(len(rows))
    value, cells = columns[at][row], columns[at]
    words = {"key": head[key], "column": head[at], "row": columns[key][row], "value": value}
    if at == key or not all(0 < len(words[name]) <= _MAX_NAME_CHARS for name in ("key", "column")):
        return None
    if len(value) > _MAX_CELL_CHARS or not re.search(r"\w", value):
        return None
    ranks = _ORDER.search(head[at]) or any("total" in name.casefold() for name in columns[key])
    if not ranks and all(_NUMBER.fullmatch(cell) for cell in cells) and rng.random() < 0.5:
        return _extreme([_amount(cell) for cell in cells], columns[key], words, rng)
    if cells.count(value) == 1 and rng.random() < 0.5:
        return Question(rng.choice(_FIND).format(**words), (words["row"],))
    return Question(rng.choice(_LOOK_UP).format(**words), (value,))


def _names_rows(cells: tuple[str, ...]) -> bool:
    """Whether every cell is a name of its own, so that it can stand for its row."""
    has_letters = all(re.search(r"[^\W\d_]{2}", cell) and len(cell) <= _MAX_CELL_CHARS for cell in cells)
    return has_letters and len({cell.casefold() for cell in cells}) == len(cells)


def _extreme(
    amounts: list[float], names: tuple[str, ...], words: Mapping[str, str], rng: random.Random
) -> Question | None:
    wanted, asks = rng.choice(((max(amounts), _MOST), (min(amounts), _LEAST)))
    if amounts.count(wanted) > 1:
        return None
    return Question(rng.choice(asks).format(**words), (names[amounts.index(wanted)],))


def _amount(cell: str) -> float:
    return float(re.sub(r"[^\d.+-]", "", cell))
