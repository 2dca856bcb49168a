"""Haystacks made of question-answering contexts: nested, seeded, every question's own context inside.

All contexts stand in one seeded order, those of the questions first. A haystack of a size is a stretch of that order
of so many tokens; a smaller size cuts every stretch into shorter ones, so the haystack that a question meets at one
size holds the haystack that it meets at every smaller size that divides it. Within a haystack the contexts are
shuffled, one to a page. Questions are about contexts that no training of LeafMoE saw (`part_of`: "test").
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from app.bench.corpus import CountTokens, document, page_tokens
from app.errors import BadRequest
from ingest.document import Document
from llm.training.sources import Passage, part_of

NAME = "haystack.txt"


@dataclass(frozen=True, slots=True)
class PoolQuestion:
    """A question that one context answers."""

    text: str
    answers: tuple[str, ...]
    context: str

    @property
    def key(self) -> str:
        return f"{self.text} <- {self.context[:80]}"


@dataclass(frozen=True, slots=True)
class Haystack:
    """A document of contexts, one a page, and the questions that it answers."""

    document: Document
    questions: tuple[PoolQuestion, ...]

    def gold_page(self, question: PoolQuestion) -> int:
        """Index of the page that answers the question."""
        return next(index for index, page in enumerate(self.document.pages) if page.text == question.context)


def draw_questions(passages: Sequence[Passage], number: int, seed: int) -> list[PoolQuestion]:
    """Questions about contexts held out of training. Raises BadRequest where there are not so many."""
    held_out = [
        PoolQuestion(question.text, question.answers, passage.context)
        for passage in passages
        if part_of(passage.kind, passage.context) == "test"
        for question in passage.questions
        if question.answers
    ]
    if number > len(held_out):
        raise BadRequest(
            f"{number} questions were asked for, and {len(held_out)} are about contexts that training did not see; "
            "lower --questions"
        )
    return random.Random(f"{seed} questions").sample(held_out, number)


class Pools:
    """The haystacks of one seed."""

    def __init__(
        self, passages: Sequence[Passage], questions: Sequence[PoolQuestion], seed: int, count_tokens: CountTokens
    ) -> None:
        self._seed = seed
        self._questions = questions
        gold = list(dict.fromkeys(question.context for question in questions))
        others = sorted({passage.context for passage in passages} - set(gold))
        self._order = [*gold, *random.Random(f"{seed} order").sample(others, len(others))]
        costs = (page_tokens(NAME, number, text, count_tokens) for number, text in enumerate(self._order, 1))
        self._starts = [0, *accumulate(costs)]  # where each context begins, and where the last one ends

    @property
    def num_tokens(self) -> int:
        """Of all contexts together."""
        return self._starts[-1]

    def of_size(self, num_tokens: int) -> Iterator[Haystack]:
        """The haystacks of about that many tokens that hold the contexts of questions.

        What is left behind the last whole stretch belongs to it, if it is less than half a stretch.
        """
        last = max(1, round(self.num_tokens / num_tokens)) - 1
        stretches: dict[int, list[str]] = {}
        for text, start in zip(self._order, self._starts, strict=False):
            stretches.setdefault(min(start // num_tokens, last), []).append(text)
        for number, texts in stretches.items():
            inside = set(texts)
            asked = tuple(question for question in self._questions if question.context in inside)
            if asked:
                shuffled = random.Random(f"{self._seed} {num_tokens} {number}").sample(texts, len(texts))
                yield Haystack(document(NAME, shuffled), asked)
