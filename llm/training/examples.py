"""Training examples: a document of one or several labelled passages, and many questions on it with their targets.

About a third of the questions have no answer in the document: they come from a passage of the same kind that shares
words with it. Which kind comes next, which passages share a document and which questions are asked is drawn from one
random generator, so a run can be continued exactly.
"""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm.prompt import NOT_FOUND, label
from llm.training.code import code_passages
from llm.training.forms import form_passage
from llm.training.sources import Part, Passage, Question, read_sets, target

# How often a document's first passage is of a kind, and how many of its questions are asked at most.
KIND_SHARES: Mapping[str, float] = {
    "squadshifts-new_wiki": 0.20,
    "squadshifts-reddit": 0.11,
    "squadshifts-amazon_reviews": 0.11,
    "wtq": 0.15,
    "qamr": 0.09,
    "policyqa": 0.08,
    "tatqa": 0.05,
    "friendsqa": 0.03,
    "fairytaleqa": 0.04,
    "fetaqa": 0.01,
    "form": 0.08,
    "code": 0.05,
}
MAX_ANSWER_CHARS = 260
_UNANSWERED_SHARE = 0.3
_SEVERAL_PASSAGES_SHARE = 0.45
_FILE_NAMES = (
    "report.pdf",
    "notes.txt",
    "contract.pdf",
    "manual.pdf",
    "scan-04.png",
    "minutes.docx",
    "letter.pdf",
    "data.xlsx",
    "page.html",
    "a.md",
)
_VAGUE_KINDS = ("squadshifts-reddit", "squadshifts-amazon_reviews", "friendsqa", "policyqa")  # "What did he say?"
_WORD = re.compile(r"[^\W_]{3,}")
_COMMON = frozenset(
    _WORD.findall(
        "the and for are was were what who whom which when where why how did does has have had that this with from "
        "into than then there their his her its not but you your they she him can could would will many much any all"
    )
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and what the model shall say."""

    question: str
    answer: str  # NOT_FOUND when the document does not hold it
    kind: str
    references: tuple[str, ...] = ()  # every answer that counts as right


@dataclass(frozen=True, slots=True)
class Example:
    document: str
    asked: tuple[Asked, ...]


def words(text: str) -> frozenset[str]:
    """The content words of a text, lower case."""
    return frozenset(_WORD.findall(text.lower())) - _COMMON


def answer_text(question: Question, passage: Passage) -> str | None:
    """The one place that decides what the model is taught to say; None: do not teach this question."""
    if not question.answers:
        return NOT_FOUND
    answer = target(question, passage.context)
    if answer is None or not answer or len(answer) > MAX_ANSWER_CHARS:
        return None
    counted = passage.kind == "wtq" and answer.isdigit() and int(answer) <= 10
    if answer not in passage.context and passage.kind in ("tatqa", "wtq") and not counted:
        return None  # arithmetic that a model of this size can only guess
    return answer


class Mixture:
    """Endless examples of one part of the data. `state`/`restore` continue exactly where a run stopped."""

    def __init__(
        self, passages: Mapping[str, list[Passage]], count_tokens: Callable[[str], int], *, seed: int, max_tokens: int
    ) -> None:
        """`max_tokens` bounds a document; a longer first passage is left out, other passages fill what is free."""
        self._passages = {kind: found for kind, found in passages.items() if found and kind in KIND_SHARES}
        self._kinds = [*self._passages, "form"]
        self._shares = [KIND_SHARES[kind] for kind in self._kinds]
        self._count_tokens, self._max_tokens = count_tokens, max_tokens
        self._rng = random.Random(seed)

    def state(self) -> Any:
        """What `restore` needs; JSON can hold it."""
        return self._rng.getstate()

    def restore(self, state: Any) -> None:
        """Continue as the mixture that gave `state`."""
        version, numbers, gauss = state
        self._rng.setstate((version, tuple(numbers), gauss))

    def draw(self, max_questions: int = 12) -> Example:
        """The next example."""
        passages = self._draw_passages()
        known = [
            Asked(question.text, answer, passage.kind, question.answers)
            for passage in passages
            for question in passage.questions
            if (answer := answer_text(question, passage)) is not None
        ]
        self._rng.shuffle(known)
        foreign = round(max_questions * _UNANSWERED_SHARE)
        asked = known[: max_questions - foreign]
        already = sum(item.answer == NOT_FOUND for item in asked)
        wanted = round(len(asked) * _UNANSWERED_SHARE / (1 - _UNANSWERED_SHARE) + self._rng.random() - 0.5) - already
        for _ in range(wanted):
            swapped = self.foreign_question(self._rng.choice(passages), passages)
            if swapped and all(swapped.question != item.question for item in known):
                asked.append(swapped)
        self._rng.shuffle(asked)
        return Example(self._document(passages), tuple(asked))

    def _draw(self, kind: str) -> Passage:
        return form_passage(self._rng) if kind == "form" else self._rng.choice(self._passages[kind])

    def _draw_passages(self) -> list[Passage]:
        """The first passage decides the kind; others are mostly of other kinds, so that its questions stay clear."""
        while True:
            first = self._draw(self._rng.choices(self._kinds, self._shares)[0])
            left = self._max_tokens - self._count_tokens(first.context)
            if left > 0:
                break
        passages = [first]
        wanted = self._rng.choice((1, 1, 2, 3)) if self._rng.random() < _SEVERAL_PASSAGES_SHARE else 0
        if first.kind in ("qamr", "code"):
            wanted = self._rng.randint(2, 5)  # short passages with clear questions: several of a kind
        for _ in range(wanted):
            same = first.kind in ("qamr", "code") and self._rng.random() < 0.8
            other = self._draw(first.kind if same else self._rng.choices(self._kinds, self._shares)[0])
            cost = self._count_tokens(other.context) + 12
            clash = not same and any(other.kind == passage.kind for passage in passages)
            if cost <= left and not clash and other not in passages:
                passages.append(other)
                left -= cost
        self._rng.shuffle(passages)
        return passages

    def _document(self, passages: list[Passage]) -> str:
        """Passages as the runtime shows them: each under its label; a lone one often bare. Code always has its file."""
        if len(passages) == 1 and passages[0].kind != "code" and self._rng.random() < 0.5:
            return passages[0].context
        parts = []
        for passage in passages:
            name = passage.name or self._rng.choice(_FILE_NAMES)
            page_no = None if passage.kind == "code" else self._rng.choice((None, 1, self._rng.randint(1, 400)))
            parts.append(label(name, page_no) + passage.context)
        return "\n\n".join(parts)

    def foreign_question(self, passage: Passage, shown: list[Passage]) -> Asked | None:
        """A question of the same kind that shares words with the passage but asks about something it lacks."""
        if passage.kind == "form":
            return None  # forms ask the same of every document and bring their own unanswered questions
        needed = 2 if passage.kind in _VAGUE_KINDS else 1
        text = "\n".join(item.context for item in shown)
        seen = words(text)
        best: tuple[int, str] | None = None
        for _ in range(self._rng.choice((4, 12, 30))):
            other = self._draw(passage.kind)
            if other in shown or not other.questions:
                continue
            question = self._rng.choice(other.questions)
            asks = words(question.text)
            lacks_something = len(asks - seen) >= needed and not any(answer in text for answer in question.answers)
            if lacks_something and (best is None or len(asks & seen) > best[0]):
                best = (len(asks & seen), question.text)
        return Asked(best[1], NOT_FOUND, passage.kind) if best else None


def load_passages(folder: Path, part: Part) -> dict[str, list[Passage]]:
    """Everything that a part of the data is made from, except forms, which are made while drawing."""
    return {**read_sets(folder, part), "code": code_passages(part)}
