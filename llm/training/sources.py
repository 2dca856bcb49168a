"""Question-answering sets as passages with questions, and the one rule that says what training may see.

A context belongs to training, development or test by a hash of its text, so the split never depends on order, seed or
file name: a fifth of the SQuADShifts contexts and a tenth of every other set are held out, half of them for each use.
"""

import gzip
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Part = Literal["train", "dev", "test"]
TEXT_SETS = (
    "squadshifts-new_wiki",
    "squadshifts-reddit",
    "squadshifts-amazon_reviews",
    "policyqa-dev",
    "wtq-training",
    "tatqa-dev",
    "qamr-dev",
    "qamr-test",
    "friendsqa-dev",
    "fairytaleqa-train",
    "fetaqa-dev",
)
_HELD_OUT_SHARE = {"squadshifts": 0.2}
_OTHER_HELD_OUT_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Question:
    """`answers` as its writers gave them; none: the passage does not hold the answer."""

    text: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Passage:
    """A context with its questions. `kind` names the set without its split, `name` a file it could come from."""

    kind: str
    context: str
    questions: tuple[Question, ...]
    name: str | None = None


def part_of(kind: str, context: str) -> Part:
    """Which part of the data a context belongs to."""
    digest = hashlib.sha256(context.strip().encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64  # in [0, 1)
    share = _HELD_OUT_SHARE.get(kind.partition("-")[0], _OTHER_HELD_OUT_SHARE)
    if place >= share:
        return "train"
    return "dev" if place < share / 2 else "test"


def read_set(folder: Path, name: str) -> list[Passage]:
    """One set of `folder` as passages. Raises FileNotFoundError with the path that is missing."""
    path = folder / f"{name}.jsonl.gz"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: --data must name the folder that holds the question sets")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [_passage(kind_of(name), json.loads(line)) for line in lines]


def kind_of(name: str) -> str:
    """The set that a file belongs to: its name without the split."""
    return name.removesuffix("-train").removesuffix("-training").removesuffix("-dev").removesuffix("-test")


def read_sets(folder: Path, part: Part, names: Iterable[str] = TEXT_SETS) -> dict[str, list[Passage]]:
    """The passages of one part, by kind."""
    by_kind: dict[str, list[Passage]] = {}
    for name in names:
        for passage in read_set(folder, name):
            if part_of(passage.kind, passage.context) == part:
                by_kind.setdefault(passage.kind, []).append(passage)
    return by_kind


def _passage(kind: str, record: dict[str, object]) -> Passage:
    """A question that two writers asked in the same words is one, and what each of them marked answers it."""
    context = record["context"]
    questions = record["questions"]
    assert isinstance(context, str), "a context is text"
    assert isinstance(questions, list), "a context has a list of questions"
    answers: dict[str, list[str]] = {}
    for item in questions:
        answers.setdefault(item["question"].strip(), []).extend(answer.strip() for answer in item["answers"])
    return Passage(kind, context.strip(), tuple(Question(text, tuple(given)) for text, given in answers.items()))


class AskedTogether:
    """Which questions of a set are asked of the same contexts.

    A set that asks the same of many contexts (PolicyQA: "For what purpose do you use my data?") asks together what its
    writers count as one topic. Of a context that is asked one of them nobody knows that it does not answer another.
    """

    def __init__(self, passages: Iterable[Passage]) -> None:
        """`passages` of one set."""
        by_question: dict[str, list[Passage]] = defaultdict(list)
        for passage in passages:
            for text in {question.text for question in passage.questions}:
                by_question[text].append(passage)
        self._beside = {
            text: frozenset(question.text for passage in asking for question in passage.questions)
            for text, asking in by_question.items()
            if len(asking) > 1
        }

    def may_answer(self, question: str, passage: Passage) -> bool:
        """Whether the passage is asked what is asked together with the question somewhere."""
        beside = self._beside.get(question, frozenset())
        return any(other.text in beside for other in passage.questions)


def target(question: Question, context: str, *, longest: bool = False) -> str | None:
    """The answer to train on: the one most writers gave among those that stand in the context, else the first.

    None when nobody answered. Ties go to the shortest. `longest`: the longest of those that stand in the context.
    """
    standing = [answer for answer in question.answers if answer in context]
    if standing and longest:
        return max(standing, key=len)
    if standing:
        counts = Counter(standing)
        return min(counts, key=lambda answer: (-counts[answer], len(answer)))
    return question.answers[0] if question.answers else None
