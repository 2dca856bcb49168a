"""Quoting: which sentences of the ranked passages carry an answer, as exact ranges of their pages, best first.

A quote is one unit (sentence, line, row), or a short unit without a number and the one behind it, since a label and its
value often stand on two lines. Nothing is ever changed in it: `page.text[quote.start:quote.end]` is the quote.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ingest.document import Document
from llm.evidence.lexical import terms
from llm.evidence.locating import find, normal_answer
from llm.evidence.passages import flowing
from llm.evidence.ranking import Ranked

_SHORT_CHARS = 60  # such a unit may be quoted with the one behind it

# Beside 1.0 for the passage's score, the cosine, and the covered share. Flat around here on 300 SQuADShifts questions;
# without that share, the first quote holds the answer 46 times of 100 instead of 61, and at less than 1.0 a sentence
# that says the answer by the way is taken for the right one more often (docs/LOG.md).
_WEIGHT_HOLDS_ANSWER, _WEIGHT_ANSWER_WORDS, _PAIR_COSTS = 1.0, 0.5, 0.05


@dataclass(frozen=True, slots=True)
class Quote:
    """Characters [start, end) of a page of a leaf document, and how well they carry the answer."""

    document: Document
    page_index: int
    start: int
    end: int
    score: float
    holds_answer: bool  # the answer stands in it, word for word but for case and spacing

    @property
    def text(self) -> str:
        return self.document.pages[self.page_index].text[self.start : self.end]


def quotes(ranked: Sequence[Ranked], answer: str | None = None, *, limit: int = 3) -> list[Quote]:
    """At most `limit` quotes, best first, none inside another. Without an answer: the nearest to the question.

    Where the best says the answer, those that do not say it are none.
    """
    wanted = normal_answer(answer or "")
    words = frozenset(terms(answer or ""))
    candidates = [
        _scored(item, start, end, is_pair, wanted, words) for item in ranked for start, end, is_pair in _ranges(item)
    ]
    chosen: list[Quote] = []
    for quote in sorted(candidates, key=lambda quote: -quote.score):
        if len(chosen) == limit:
            break
        says_less = bool(chosen) and chosen[0].holds_answer and not quote.holds_answer
        if not says_less and not any(_overlap(quote, other) for other in chosen):
            chosen.append(quote)
    return chosen


def _ranges(item: Ranked) -> Iterator[tuple[int, int, bool]]:
    """Start, end, and whether it is a label with the line behind it."""
    text = item.document.pages[item.passage.page_index].text
    units = item.passage.units
    for index, (start, end) in enumerate(units):
        if re.search(r"\w", text[start:end]) is None:  # "*," or a rule of dashes
            continue
        yield start, end, False
        is_label = end - start < _SHORT_CHARS and not re.search(r"\d|[.!?。！？]$", text[start:end])
        if is_label and index + 1 < len(units) and units[index + 1][1] - start < 3 * _SHORT_CHARS:
            yield start, units[index + 1][1], True


def _scored(item: Ranked, start: int, end: int, is_pair: bool, wanted: str, words: frozenset[str]) -> Quote:
    text = item.document.pages[item.passage.page_index].text[start:end]
    found = set(terms(flowing(text)))
    total = sum(item.term_weights.values())
    covered = sum(weight for term, weight in item.term_weights.items() if term in found) / total if total else 0.0
    cosine = max((piece.cosine for piece in item.pieces if piece.start < end and start < piece.end), default=0.0)
    holds_answer = next(find(wanted, text), None) is not None
    score = (
        item.score
        + cosine
        + covered
        + _WEIGHT_HOLDS_ANSWER * holds_answer
        + _WEIGHT_ANSWER_WORDS * (len(words & found) / len(words) if words else 0.0)
        - _PAIR_COSTS * is_pair
    )
    return Quote(item.document, item.passage.page_index, start, end, score, holds_answer)


def _overlap(first: Quote, second: Quote) -> bool:
    same_page = first.document.id == second.document.id and first.page_index == second.page_index
    return same_page and first.start < second.end and second.start < first.end
