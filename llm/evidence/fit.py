"""Fits the calibration: `python -m llm.evidence.fit QA_FOLDER` writes `calibration.json` and prints what it is worth.

Makes questions with and without an answer from every file of `llm.evidence.observing`, fits on the train runs, chooses
the thresholds on the dev runs, and reports the test runs. Two regressions: "evidence" from the ranking alone; "answer"
from its log odds and what the packaged model answered, so it is to be fitted again when that model changes. Needs
scikit-learn, which answering does not.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]

from llm.backbone import load_backbone
from llm.evidence.calibration import PATH, Regression
from llm.evidence.embedding import Embedder
from llm.evidence.observing import Observed, observe, observe_answers
from llm.evidence.reliability import balanced_accuracy, tenths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the question files")
    parser.add_argument("--questions", type=int, default=240, help="train questions of each file; dev and test a third")
    parser.add_argument(
        "--answers", type=int, default=160, help="train and test questions that the model answers; dev half"
    )
    options = parser.parse_args()
    backbone = load_backbone(None, cache_dir=user_cache_path("longleaf"), threads=1)
    seen = list(observe(options.folder, options.questions, Embedder()))
    evidence = fit(seen)
    answered = list(observe_answers(seen, options.answers, evidence, backbone))
    answer = fit(answered)
    made_with = {
        "command": f"python -m llm.evidence.fit QA_FOLDER --questions {options.questions} --answers {options.answers}",
        "model": asdict(backbone.name),
    }
    shipped = {"made_with": made_with, "evidence": asdict(evidence), "answer": asdict(answer)}
    PATH.write_text(json.dumps(shipped, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({"evidence": report(evidence, seen), "answer": report(answer, answered)}, indent=1))


def fit(seen: Sequence[Observed]) -> Regression:
    """The regression of the train examples, with the threshold that balances best on these and the dev examples.

    A dozen coefficients overfit little, and a threshold chosen on the dev examples alone hangs on a few of them.
    """
    train, known = _of(seen, "train"), [*_of(seen, "train"), *_of(seen, "dev")]
    names = list(train[0].numbers)
    scaler = StandardScaler().fit(_matrix(train, names))
    model = LogisticRegression(C=0.3, max_iter=1000).fit(scaler.transform(_matrix(train, names)), _labels(train))
    weights = model.coef_[0] / scaler.scale_
    bias = float(model.intercept_[0] - (weights * scaler.mean_).sum())
    rounded = {name: round(float(weight), 4) for name, weight in zip(names, weights, strict=True)}
    regression = Regression(round(bias, 4), rounded, threshold=0.5)
    predicted = [regression.probability(item.numbers) for item in known]
    steps = [step / 100 for step in range(20, 81)]
    best = max(steps, key=lambda step: (round(balanced_accuracy(predicted, _labels(known), step), 4), -abs(step - 0.5)))
    return Regression(regression.bias, regression.weights, best)


def report(regression: Regression, seen: Sequence[Observed]) -> dict[str, object]:
    """What the regression is worth on the test examples, which neither fit nor threshold saw."""
    test = _of(seen, "test")
    predicted = [regression.probability(item.numbers) for item in test]
    right = [(value >= regression.threshold) == item.holds_answer for value, item in zip(predicted, test, strict=True)]
    groups = {
        "kind": [item.example.kind for item in test],
        "contexts": [str(len(item.example.haystack)) for item in test],
        "source": [item.example.source for item in test],
    }
    return {
        "train": len(_of(seen, "train")),
        "test": len(test),
        "threshold": regression.threshold,
        "balanced_accuracy": round(balanced_accuracy(predicted, _labels(test), regression.threshold), 3),
        **{f"right_by_{name}": _shares(right, group) for name, group in groups.items()},
        "reliability": [asdict(tenth) for tenth in tenths(predicted, _labels(test))],
    }


def _shares(right: Sequence[bool], groups: Sequence[str]) -> dict[str, str]:
    """The share decided rightly in each group, and how many there were."""
    found = {}
    for group in sorted(set(groups)):
        inside = [value for value, own in zip(right, groups, strict=True) if own == group]
        found[group] = f"{sum(inside) / len(inside):.3f} of {len(inside)}"
    return found


def _of(seen: Sequence[Observed], split: str) -> list[Observed]:
    return [item for item in seen if item.split == split]


def _matrix(items: Sequence[Observed], names: Sequence[str]) -> NDArray[np.float64]:
    return np.array([[item.numbers[name] for name in names] for item in items])


def _labels(items: Sequence[Observed]) -> list[bool]:
    return [item.holds_answer for item in items]


if __name__ == "__main__":
    main()
