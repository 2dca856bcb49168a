"""Fits the calibration: `python -m llm.evidence.fit QA_FOLDER [--questions N]` writes `calibration.json`.

Takes every `*.jsonl.gz` of the folder that is named below, makes questions with and without an answer from each
(`llm.evidence.examples`), fits on the train runs, chooses the thresholds on the dev runs, and prints what the test runs
say. Needs scikit-learn, which answering does not.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]

from llm.evidence.calibration import Regression, evidence_numbers
from llm.evidence.embedding import Embedder
from llm.evidence.examples import Context, Example, embed_all, examples, read_contexts
from llm.evidence.ranking import Searcher

# Questions of `False` files are asked of any policy or table alike: another context answers them as well, so that
# leaving out their own context does not make them unanswerable.
SOURCES = {
    "squadshifts-new_wiki": True,
    "squadshifts-reddit": True,
    "squadshifts-amazon_reviews": True,
    "fairytaleqa-train": True,
    "friendsqa-dev": True,
    "wtq-training": True,
    "fetaqa-dev": True,
    "tatqa-dev": True,
    "policyqa-dev": False,
}
_CONTEXTS = 500  # of each file
_TOP_K = 8


@dataclass(frozen=True, slots=True)
class Observed:
    """One example with its numbers."""

    example: Example
    split: str
    numbers: dict[str, float]

    @property
    def holds_answer(self) -> bool:
        return self.example.gold is not None


def observe(folder: Path, questions: int, embedder: Embedder) -> Iterator[Observed]:
    """`questions` examples of each file and split (dev and test: a third as many)."""
    files = {name: read_contexts(folder / f"{name}.jsonl.gz", _CONTEXTS) for name in SOURCES}
    for name, contexts in files.items():
        print(f"{name}: {len(contexts)} contexts", file=sys.stderr, flush=True)
        foreign = [ask for other in files if other != name for context in files[other] for ask, _ in context.questions]
        yield from _observe_file(name, contexts, foreign, questions, embedder)


def _observe_file(
    name: str, contexts: Sequence[Context], foreign: Sequence[str], questions: int, embedder: Embedder
) -> Iterator[Observed]:
    indexes = embed_all([context.document for context in contexts], embedder)
    for split, number in (("train", questions), ("dev", questions // 3), ("test", questions // 3)):
        for example in examples(name, contexts, foreign, split, number, hard=SOURCES[name]):
            searcher = Searcher([indexes[document.id] for document in example.haystack], embedder)
            ranked = searcher.rank(example.question, _TOP_K)
            yield Observed(example, split, evidence_numbers(example.question, ranked))


def fit(train: Sequence[Observed], dev: Sequence[Observed]) -> Regression:
    """The regression of the train examples, with the threshold that balances best on the dev examples."""
    names = list(train[0].numbers)
    scaler = StandardScaler().fit(_matrix(train, names))
    model = LogisticRegression(C=0.3, max_iter=1000).fit(scaler.transform(_matrix(train, names)), _labels(train))
    weights = model.coef_[0] / scaler.scale_
    bias = float(model.intercept_[0] - (weights * scaler.mean_).sum())
    shipped = {name: round(float(weight), 4) for name, weight in zip(names, weights, strict=True)}
    open_ended = Regression(round(bias, 4), shipped, 0.5)
    predicted = [open_ended.probability(item.numbers) for item in dev]
    steps = [step / 100 for step in range(20, 81)]
    best = max(steps, key=lambda step: (round(balanced_accuracy(predicted, _labels(dev), step), 4), -abs(step - 0.5)))
    return Regression(open_ended.bias, open_ended.weights, best)


def balanced_accuracy(predicted: Sequence[float], labels: Sequence[bool], threshold: float) -> float:
    """The mean of the shares decided rightly among questions with and without an answer."""
    said = np.asarray(predicted) >= threshold
    held = np.asarray(labels, dtype=bool)
    return float((said[held].mean() + (~said[~held]).mean()) / 2)


def report(regression: Regression, test: Sequence[Observed]) -> dict[str, object]:
    """What the regression is worth on examples that it never saw."""
    predicted = [regression.probability(item.numbers) for item in test]
    kinds = {item.example.kind for item in test}
    right = [(value >= regression.threshold) == item.holds_answer for value, item in zip(predicted, test, strict=True)]
    deciles = []
    for low in range(10):
        inside = [at for at, value in enumerate(predicted) if low / 10 <= value < low / 10 + 0.1 + (low == 9)]
        if inside:
            said = sum(predicted[at] for at in inside) / len(inside)
            seen = sum(test[at].holds_answer for at in inside) / len(inside)
            deciles.append({"predicted": round(said, 3), "observed": round(seen, 3), "questions": len(inside)})
    return {
        "questions": len(test),
        "threshold": regression.threshold,
        "balanced_accuracy": round(balanced_accuracy(predicted, _labels(test), regression.threshold), 3),
        "right_by_kind": {kind: _share(right, [item.example.kind == kind for item in test]) for kind in sorted(kinds)},
        "reliability": deciles,
    }


def _share(right: Sequence[bool], among: Sequence[bool]) -> float:
    chosen = [value for value, inside in zip(right, among, strict=True) if inside]
    return round(sum(chosen) / len(chosen), 3) if chosen else 0.0


def _matrix(items: Sequence[Observed], names: Sequence[str]) -> np.ndarray:
    return np.array([[item.numbers[name] for name in names] for item in items])


def _labels(items: Sequence[Observed]) -> list[bool]:
    return [item.holds_answer for item in items]
