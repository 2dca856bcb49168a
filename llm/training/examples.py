"""Training examples: a document and many questions on it with what the model shall say.

Owns what is taught; `llm.training.mixture` and `llm.training.close` own what is drawn.
"""

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

from ingest.document import Doubt
from llm.prompt import NOT_FOUND
from llm.training.code import code_passages
from llm.training.sources import Part, Passage, Question, read_sets, target

MAX_ANSWER_CHARS = 260
FILE_NAMES = (
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
_LOOSE_KINDS = ("policyqa",)  # from one word to the whole text were marked for the same question
_LEAST_LOOSE_WORDS = 3
_UNANSWERED_SHARE = 0.33
_LOOSE_UNANSWERED_SHARE = 0.1  # what the next text answers, this one often answers too
_WORD = re.compile(r"[^\W_]{3,}")
_COMMON = frozenset(
    _WORD.findall(
        "the and for are was were what who whom which when where why how did does has have had that this with from "
        "into than then there their his her its not but you your they she him can could will would many much any all"
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
    """A document and what is asked; nothing: plain text, learned for itself.

    `doubts`: of a document that looks as if it had been recognised on a scan. `apart`: where parts of it begin that
    were read each without the others, as the KV of several documents is put together; none: it was read as one.
    """

    document: str
    asked: tuple[Asked, ...]
    doubts: tuple[Doubt, ...] = ()
    apart: tuple[int, ...] = ()

    @classmethod
    def of_parts(cls, parts: Sequence[str], asked: Iterable[Asked], *, apart: bool) -> "Example":
        """One document of the parts, which was read as one, or each of them without the others."""
        starts = tuple(accumulate(map(len, parts[:-1]), initial=0)) if apart and len(parts) > 1 else ()
        return cls("".join(parts), tuple(asked), apart=starts)

    @property
    def parts(self) -> list[str]:
        """What was read as one, in order."""
        starts = self.apart or (0,)
        return [self.document[start:end] for start, end in zip(starts, (*starts[1:], None), strict=True)]


def words(text: str) -> frozenset[str]:
    """The content words of a text, lower case."""
    return frozenset(_WORD.findall(text.lower())) - _COMMON


def is_unanswered(question: Question, kind: str, texts: Iterable[str]) -> bool:
    """Whether none of the texts can answer it: none holds an answer's text, and each lacks words that are asked for."""
    needed = 2 if kind in _VAGUE_KINDS else 1
    asks = words(question.text)
    answers = [answer.casefold() for answer in question.answers]
    return all(
        len(asks - words(text)) >= needed and not any(answer in text.casefold() for answer in answers) for text in texts
    )


def num_unanswered(asked: Iterable[Asked], rng: random.Random) -> int:
    """How many unanswered questions belong beside these: about a third of all, fewer where the kind is loose."""
    shares = (_LOOSE_UNANSWERED_SHARE if item.kind in _LOOSE_KINDS else _UNANSWERED_SHARE for item in asked)
    return round(sum(share / (1 - share) for share in shares) + rng.random() - 0.5)


def answer_text(question: Question, passage: Passage) -> str | None:
    """The one place that decides what the model is taught to say; None: do not teach this question."""
    if not question.answers:
        return NOT_FOUND
    is_loose = passage.kind in _LOOSE_KINDS
    if is_loose:
        question = replace(question, answers=tuple(each for each in question.answers if _says_something(each)))
    answer = target(question, passage.context, longest=is_loose)
    if answer is None or not answer or len(answer) > MAX_ANSWER_CHARS:
        return None
    counted = passage.kind == "wtq" and answer.isdigit() and int(answer) <= 10
    if answer not in passage.context and passage.kind in ("tatqa", "wtq") and not counted:
        return None  # arithmetic that a model of this size can only guess
    return answer


def _says_something(answer: str) -> bool:
    """Whether an answer of a loose kind says something when it is read alone, and is short enough to be taught."""
    return len(answer.split()) >= _LEAST_LOOSE_WORDS and len(answer) <= MAX_ANSWER_CHARS


def taught(passage: Passage) -> list[Asked]:
    """Every question of a passage that is taught."""
    return [
        Asked(question.text, answer, passage.kind, question.answers)
        for question in passage.questions
        if (answer := answer_text(question, passage)) is not None
    ]


def load_passages(folder: Path, part: Part) -> dict[str, list[Passage]]:
    """Everything that a part of the data is made from, except forms, which are made while drawing."""
    return {**read_sets(folder, part), "code": code_passages(part)}
