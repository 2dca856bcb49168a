"""Which of several likely spans of a text fits a question: three things that a small model weighs too little.

An answer says something that the question does not say, and it stands where the text speaks of what the question names;
but what answers a yes-or-no question, a why or a how says much of the question again. And every word more costs
probability, so that a part of an answer is likelier than all of it. They are added to a span's log-probability (a
log-linear reranker; Och, 2003, P03-1021), with coefficients that were chosen on development contexts (docs/LOG.md).
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate

from llm.evidence.lexical import YES_OR_NO, question_terms, terms

_REPEATING, _NEARNESS, _LENGTH = -1.5, 2.0, 0.3  # nats; the last for e times as many words
_NEAR_CHARS = 60
_ASKS_FOR_A_CLAUSE = re.compile(
    rf"(?i){YES_OR_NO}"
    r"|(?:\w+ ){0,2}(?:why\b|how\b(?! (?:many|much|old|long|far|often|big|large|tall|high)\b))"
)


class Fitness:
    """How well spans of one text fit one question, in nats."""

    def __init__(self, question: str, text: str) -> None:
        """`text`: with one space between words, as the spans have it."""
        self._text = text.casefold()
        asked = frozenset(question_terms(question))
        self._asks_for_a_clause = _ASKS_FOR_A_CLAUSE.match(question.strip()) is not None
        ends = accumulate(len(word.casefold()) + 1 for word in text.split())
        found = zip((0, *ends), text.split(), strict=False)  # terms want the case: "US" is a name, "us" is none
        self._places = [(start, named) for start, word in found if (named := asked.intersection(terms(word)))]
        counts = Counter(term for _, named in self._places for term in named)
        self._rarities = {term: 1 / (1 + counts[term]) for term in asked}

    def of(self, span: str) -> float:
        """0 for one word that the question does not say and that stands near none of its words."""
        length = _LENGTH * math.log(max(1, len(span.split())))
        if self._asks_for_a_clause:
            return length
        said = terms(span)
        repeated = sum(term in self._rarities for term in said) / len(said) if said else 0.0
        nearness = max((self._nearness(start, start + len(span)) for start in self._starts(span)), default=0.0)
        return length + _REPEATING * repeated + _NEARNESS * nearness

    def _starts(self, span: str) -> Iterator[int]:
        wanted, start = span.casefold(), -1
        while (start := self._text.find(wanted, start + 1)) >= 0:
            yield start

    def _nearness(self, start: int, end: int) -> float:
        """Share of the question's words, rare ones of the text counted more, that stand around a place in the text."""
        near = frozenset[str]().union(
            *(
                named
                for at, named in self._places
                if start - _NEAR_CHARS < at < end + _NEAR_CHARS and not start <= at < end
            )
        )
        whole = sum(self._rarities.values())
        return sum(self._rarities[term] for term in near) / whole if whole else 0.0
