"""SQuAD's exact match and F1 (arXiv:1606.05250), and balanced accuracy of refusing. All are averages over questions."""

from collections.abc import Iterable
from dataclasses import dataclass

from llm.prompt import NOT_FOUND
from llm.spans import normalised, overlap

Said = tuple[str, tuple[str, ...]]  # what the model said, and every right answer; none: it should have refused


def exact(answer: str, references: Iterable[str]) -> bool:
    """Whether the answer equals one of the references in the words that count."""
    return any(normalised(answer) == normalised(reference) for reference in references)


def f1(answer: str, references: Iterable[str]) -> float:
    """The best word overlap with a reference, 0 to 1."""
    return max((overlap(normalised(answer), normalised(reference)) for reference in references), default=0.0)


def is_refusal(answer: str) -> bool:
    """Whether the answer says that the document does not hold it."""
    return normalised(answer)[:2] == normalised(NOT_FOUND)[:2]


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
