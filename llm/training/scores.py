"""SQuAD's exact match and F1 (arXiv:1606.05250), and balanced accuracy of refusing. All are averages over questions."""

import re
import string
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from llm.prompt import NOT_FOUND

Said = tuple[str, tuple[str, ...]]  # what the model said, and every right answer; none: it should have refused

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalised(text: str) -> list[str]:
    """The words that count: lower case, no punctuation, no articles."""
    return _ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split()


def exact(answer: str, references: Iterable[str]) -> bool:
    """Whether the answer equals one of the references in the words that count."""
    return any(normalised(answer) == normalised(reference) for reference in references)


def f1(answer: str, references: Iterable[str]) -> float:
    """The best word overlap with a reference, 0 to 1."""
    return max((_overlap(normalised(answer), normalised(reference)) for reference in references), default=0.0)


def is_refusal(answer: str) -> bool:
    """Whether the answer says that the document does not hold it."""
    return normalised(answer)[:2] == normalised(NOT_FOUND)[:2]


def _overlap(answer: list[str], reference: list[str]) -> float:
    if not answer or not reference:
        return float(answer == reference)
    common = sum((Counter(answer) & Counter(reference)).values())
    return 2 * common / (len(answer) + len(reference))


@dataclass(frozen=True, slots=True)
class Score:
    """`f1` and `exact` count answered questions only; a refusal of one scores 0."""

    f1: float
    exact: float
    refusal_balanced_accuracy: float  # mean of: unanswered questions refused, answered questions not refused
    answered: int
    unanswered: int


def score(answers: list[Said]) -> Score:
    """The averages over these answers."""
    answered = [(said, references) for said, references in answers if references]
    refused = [is_refusal(said) for said, references in answers if not references]
    spoke = [not is_refusal(said) for said, _ in answered]
    rates = [_mean(flags) for flags in (refused, spoke) if flags]
    return Score(
        f1=_mean([f1(said, references) for said, references in answered]),
        exact=_mean([exact(said, references) for said, references in answered]),
        refusal_balanced_accuracy=_mean(rates),
        answered=len(answered),
        unanswered=len(refused),
    )


def _mean(numbers: Iterable[float]) -> float:
    values = list(numbers)
    return round(sum(values) / len(values), 4) if values else 0.0
