"""Which of the programs a question means: a log-linear model over conjunctions of its words and the programs' parts.

After Pasupat and Liang 2015 (arXiv:1508.00305). Since some program is always the likeliest, a logistic regression says
apart from that whether the question is about the table at all. `llm.tables.fit` fits the weights of both.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from llm.evidence.calibration import Regression
from llm.evidence.lexical import terms
from llm.tables.asked import AskedOfTable
from llm.tables.grid import Column
from llm.tables.programs import Part, Program, programs

WEIGHTS = Path(__file__).with_name("weights.json")
_WH = re.compile(
    r"how many|how much|how long|how old|how \w+|who\w*|when|where|what (?:year|date|day|month|number|time)|"
    r"which|what|why|name|list|tell|is|are|was|were|did|does|do|in (?:what|which)|on (?:what|which)"
)
_WORDED = ("from", "say", "order", "extreme", "compare")


@dataclass(frozen=True, slots=True)
class Computed:
    """What a program says, and how probable it is, among all that was tried, that it is what was asked for.

    `belongs`: the probability that the question is about this table.
    """

    program: Program
    probability: float
    belongs: float


class Choice:
    """Weighs programs. Weights: a number for each feature that matters; all others count nothing."""

    def __init__(self, weights: Mapping[str, float], belonging: Regression | None = None) -> None:
        """Without a regression, every question is taken to be about the table."""
        self._weights, self._belonging = weights, belonging
        self._known = frozenset(name.rpartition("|")[2] for name in weights)

    @classmethod
    @cache
    def load(cls) -> "Choice":
        """The weights that come with the program."""
        shipped = json.loads(WEIGHTS.read_text("utf-8"))
        return cls(shipped["weights"], Regression(**shipped["belonging"]))

    @property
    def threshold(self) -> float:
        """From which probability on a question is taken to be about the table."""
        return self._belonging.threshold if self._belonging else 0.0

    def best(self, asked: AskedOfTable) -> Computed | None:
        """The likeliest program; the probabilities of programs that say the same add up. None: nothing to compute."""
        found = programs(asked)
        if not found:
            return None
        features = PartFeatures(asked)
        known: dict[Part, float] = {}
        scores = []
        for program in found:
            for part in program.parts:
                if part not in known:
                    known[part] = sum(self._weights.get(feature, 0.0) for feature in features.of(part))
            scores.append(sum(known[part] for part in program.parts))
        highest = max(scores)
        shares = [math.exp(score - highest) for score in scores]
        by_said: dict[tuple[str, ...], float] = {}
        for program, share in zip(found, shares, strict=True):
            by_said[program.said] = by_said.get(program.said, 0.0) + share
        said = max(by_said, key=by_said.__getitem__)
        best = max((at for at, program in enumerate(found) if program.said == said), key=scores.__getitem__)
        probability = by_said[said] / sum(shares)
        if self._belonging is None:
            return Computed(found[best], probability, 1.0)
        if not (asked.linked_words or asked.head_words):
            return Computed(found[best], probability, 0.0)  # nothing of the question stands in the table
        numbers = self.belonging_numbers(asked, found[best], probability)
        return Computed(found[best], probability, self._belonging.probability(numbers))

    def belonging_numbers(self, asked: AskedOfTable, program: Program, probability: float) -> dict[str, float]:
        """What tells whether a question is about the table: how much of it the table, or no table ever, explains."""
        content = frozenset(asked.content_words)
        rest = content - asked.linked_words - asked.head_words
        unknown = [at for at in rest if asked.words[at] not in self._known]
        number = max(1, len(content))
        return {
            "choice": max(-1.0, min(1.0, math.log(max(probability, 1e-6) / max(1 - probability, 1e-6)) / 3)),
            "linked": len(content & asked.linked_words) / number,
            "in_heads": len(content & asked.head_words) / number,
            "rest": min(len(rest), 6) / 3,
            "unknown": min(len(unknown), 4) / 2,
            "unused": min(len(asked.linked_words - program.choice.words), 4) / 2,
            "nothing_linked": float(not asked.linked_words),
        }


class PartFeatures:
    """Names of the features that parts of programs have beside one question."""

    def __init__(self, asked: AskedOfTable) -> None:
        self._asked = asked
        found = _WH.search(asked.text)
        self._wh = found[0] if found else "other"
        masked = ["#" if at in asked.linked_words else word for at, word in enumerate(asked.words)]
        pairs = (f"{first} {second}" for first, second in pairwise(masked))
        self._grams = tuple(dict.fromkeys([*(word for word in masked if word != "#"), *pairs]))
        self._opening = tuple(" ".join(masked[:size]) for size in (1, 2, 3))
        after = masked[masked.index(self._wh.split()[-1]) + 1 :] if self._wh.split()[-1] in masked else []
        self._after_wh = frozenset(term for word in after[:3] for term in terms(word))

    def of(self, part: Part) -> Iterator[str]:
        """The features of one part; all of value 1."""
        name = f"{part.kind}:{part.detail}"
        if part.kind in ("link", "column", "extreme", "compare") and part.column is not None:
            yield from self._of_column(part, name, self._asked.grid.columns[part.column])
        else:
            yield name
            yield f"{name}|{self._wh}"
        if part.kind in _WORDED:
            for gram in self._grams:
                yield f"{name}|{gram}"
        elif part.kind == "form":
            for opening in self._opening:
                yield f"{name}|{opening}"

    def _of_column(self, part: Part, name: str, column: Column) -> Iterator[str]:
        head = frozenset(terms(column.name))
        asked = head & self._asked.stems
        match = "all" if head and asked == head else "some" if asked else "none"
        near = "near" if head & self._after_wh else "far"
        kind = "date" if column.is_dates else "number" if column.is_numbers else "words"
        place = "first" if part.column == 0 else "last" if part.column == len(self._asked.grid.columns) - 1 else "mid"
        distinct = "distinct" if column.is_distinct else "repeated"
        yield f"{name}|head {match}"
        yield f"{name}|head {match} {near}"
        yield f"{name}|{kind} {self._wh}"
        yield f"{name}|{kind} {distinct} {place}"
        yield f"{name}|{match} {kind} {distinct}"
        if part.kind in ("column", "extreme"):
            for term in head:
                yield f"{part.kind}|{term}|{self._wh}"
            for opening in self._opening[1:]:
                yield f"{name}|{kind}|{opening}"
        if part.kind == "extreme":
            for gram in self._grams:
                yield f"{name}|{kind}|{gram}"
                for term in head:
                    yield f"{name}|{term}|{gram}"
