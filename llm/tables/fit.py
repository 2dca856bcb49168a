"""`python -m llm.tables.fit`: fit the weights of `llm.tables.choice` on questions about tables, and score them.

Only the right answers are known, not the programs: the likelihood of all programs that say the right thing is raised
together (AdaGrad, with a penalty that keeps rare features at zero). Questions belong to training, development or test
by the split of `llm.training.sources`.
"""

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import scipy.sparse as sparse  # type: ignore[import-untyped]

from ingest.document import Page, Role, Span
from llm.evidence.calibration import Regression
from llm.tables.asked import AskedOfTable
from llm.tables.choice import WEIGHTS, Choice, PartFeatures
from llm.tables.grid import grids
from llm.tables.made import made_questions
from llm.tables.programs import Part, Program, programs
from llm.training.scores import exact, f1
from llm.training.sources import Part as DataPart
from llm.training.sources import Passage, Question, part_of, read_set

SET = "wtq-training"
_RARE = 6  # questions; features of fewer are left out
_KEPT = 0.02  # weights smaller than this are not written


@dataclass(frozen=True, slots=True)
class _Example:
    """One question: the features of its parts, which parts its programs have, and which programs are right."""

    features: sparse.csr_matrix  # (parts, D)
    parts: sparse.csr_matrix  # (programs, parts)
    right: np.ndarray  # (programs,) bool


def page_of(context: str) -> Page:
    """A table of a question set as a page, as ingest would mark it."""
    spans, start = [], 0
    for line in context.split("\n"):
        if line.strip():
            spans.append(Span(start, start + len(line), role=Role.TABLE))
        start += len(line) + 1
    return Page(1, context, tuple(spans))


def is_right(program: Program, answers: Sequence[str]) -> bool:
    """Whether it says one of the answers; numbers count by their value, lists in any order."""
    said = ", ".join(program.said)
    if exact(said, answers):
        return True
    return len(program.said) > 1 and any(
        sorted(program.said) == sorted(part.strip() for part in answer.split(", ")) for answer in answers
    )


def _asked(passages: Iterable[Passage], *, made: bool) -> Iterator[tuple[AskedOfTable, Question]]:
    """Every answered question with its table; `made`: those made from the table instead of those of the set."""
    for passage in passages:
        grid = next(grids(page_of(passage.context), 0), None)
        if grid is not None:
            for question in made_questions(grid) if made else passage.questions:
                if question.answers:
                    yield AskedOfTable(question.text, grid), question


class Fitting:
    """Examples of the training part, and weights that get better over them."""

    def __init__(self, passages: Sequence[Passage], most: int, seed: int) -> None:
        self._ids: dict[str, int] = {}
        self._rng = random.Random(seed)
        pairs = [*_asked(passages, made=False), *_asked(passages, made=True)]
        self._rng.shuffle(pairs)
        found = [(asked, self._programs(asked, question)) for asked, question in pairs[:most]]
        usable = [(asked, made) for asked, made in found if made and 0 < sum(right for _, right in made) < len(made)]
        self.reached = len(usable) / max(1, len(found))
        features = [self._features(asked, made) for asked, made in usable]
        self._name_frequent(features)
        self._examples = [self._example(by_part, made) for by_part, (_, made) in zip(features, usable, strict=True)]
        self.weights = np.zeros(len(self._ids), dtype=np.float32)
        self._squares = np.full(len(self._ids), 1e-6, dtype=np.float32)

    def run(self, epochs: int, rate: float, penalty: float) -> None:
        """Passes over all examples in a new order each time."""
        for epoch in range(epochs):
            self._rng.shuffle(self._examples)
            loss = sum(self._step(example, rate, penalty) for example in self._examples)
            print(f"epoch {epoch + 1}: loss {loss / max(1, len(self._examples)):.4f}", file=sys.stderr, flush=True)

    def kept(self) -> dict[str, float]:
        """The weights that matter, by feature."""
        return {
            name: round(float(self.weights[at]), 3)
            for name, at in sorted(self._ids.items())
            if abs(self.weights[at]) >= _KEPT
        }

    def _programs(self, asked: AskedOfTable, question: Question) -> list[tuple[Program, bool]]:
        return [(program, is_right(program, question.answers)) for program in programs(asked)]

    def _features(self, asked: AskedOfTable, made: Sequence[tuple[Program, bool]]) -> dict[Part, list[str]]:
        of = PartFeatures(asked)
        return {part: list(of.of(part)) for part in dict.fromkeys(p for program, _ in made for p in program.parts)}

    def _name_frequent(self, features: Sequence[dict[Part, list[str]]]) -> None:
        counts = Counter(name for by_part in features for name in {n for names in by_part.values() for n in names})
        for name, count in counts.items():
            if count >= _RARE:
                self._ids[name] = len(self._ids)

    def _example(self, by_part: dict[Part, list[str]], made: Sequence[tuple[Program, bool]]) -> _Example:
        place = {part: at for at, part in enumerate(by_part)}
        cells = [
            (place[part], self._ids[name]) for part, names in by_part.items() for name in names if name in self._ids
        ]
        used = [(at, place[part]) for at, (program, _) in enumerate(made) for part in program.parts]
        return _Example(
            _ones(cells, (len(by_part), len(self._ids))),
            _ones(used, (len(made), len(by_part))),
            np.array([right for _, right in made]),
        )

    def _step(self, example: _Example, rate: float, penalty: float) -> float:
        scores = example.parts @ (example.features @ self.weights)
        shares = np.exp(scores - scores.max())
        shares /= shares.sum()
        right = float(shares[example.right].sum())
        wanted = np.where(example.right, shares, 0) / max(right, 1e-12)
        gradient = example.features.T @ (example.parts.T @ (wanted - shares))
        at = gradient.nonzero()[0]
        self._squares[at] += gradient[at] ** 2
        step = rate / np.sqrt(self._squares[at])
        moved = self.weights[at] + step * gradient[at]
        self.weights[at] = np.sign(moved) * np.maximum(np.abs(moved) - step * penalty, 0)
        return -float(np.log(max(right, 1e-12)))


def _ones(cells: Sequence[tuple[int, int]], shape: tuple[int, int]) -> sparse.csr_matrix:
    rows, columns = zip(*cells, strict=True) if cells else ((), ())
    return sparse.csr_matrix((np.ones(len(cells), dtype=np.float32), (rows, columns)), shape=shape)


def scores(choice: Choice, passages: Sequence[Passage], most: int, *, made: bool = False) -> dict[str, float]:
    """F1 and exact match over questions, those without any program counting 0; and how sure it is where."""
    pairs = list(islice(_asked(passages, made=made), most))
    rows = []
    for asked, question in pairs:
        best = choice.best(asked)
        said = ", ".join(best.program.said) if best else ""
        right = best is not None and is_right(best.program, question.answers)
        rows.append((f1(said, question.answers), right, best.probability if best else 0.0))
    bands = {}
    for low, high in ((0, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1.01)):
        inside = [right for _, right, probability in rows if low <= probability < high]
        bands[f"right from {low} on"] = round(sum(inside) / len(inside), 3) if inside else 0.0
        bands[f"share from {low} on"] = round(len(inside) / len(rows), 3)
    number = len(rows)
    return {"f1": sum(r[0] for r in rows) / number, "right": sum(r[1] for r in rows) / number, "n": number, **bands}


def fit_belonging(
    choice: Choice, passages: Sequence[Passage], seed: int, number: int = 1_500
) -> tuple[Regression, float]:
    """Tells questions about a table from questions about any other, and about one that has a word of it.

    Balanced accuracy is of the last fifth, which nothing was fitted on; the threshold is the one that is best on the
    rest. Needs scikit-learn, which answering does not.
    """
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

    rng = random.Random(seed)
    pairs = list(islice(_asked(rng.sample(list(passages), len(passages)), made=False), 8 * number))
    rows: list[tuple[dict[str, float], bool]] = []
    for asked, question in rng.sample(pairs, min(number, len(pairs))):
        others = [AskedOfTable(question.text, other.grid) for other, _ in rng.sample(pairs, 12)]
        foreign = [other for other in others if other.grid is not asked.grid]
        near = [other for other in foreign if other.linked_words]
        for each, is_own in ((asked, True), *((other, False) for other in (*near[:1], *foreign[:1]))):
            best = choice.best(each)
            if best:
                rows.append((choice.belonging_numbers(each, best.program, best.probability), is_own))
    kept = len(rows) * 4 // 5
    names = list(rows[0][0])
    numbers = np.array([[row[name] for name in names] for row, _ in rows])
    labels = np.array([label for _, label in rows])
    model = LogisticRegression(max_iter=1000, class_weight="balanced").fit(numbers[:kept], labels[:kept])
    predicted = model.predict_proba(numbers)[:, 1]
    steps = [step / 100 for step in range(20, 81)]
    best_step = max(steps, key=lambda step: _balanced(predicted[:kept], labels[:kept], step))
    weights = {name: round(float(weight), 4) for name, weight in zip(names, model.coef_[0], strict=True)}
    regression = Regression(round(float(model.intercept_[0]), 4), weights, best_step)
    return regression, round(_balanced(predicted[kept:], labels[kept:], best_step), 3)


def _balanced(predicted: np.ndarray, labels: np.ndarray, threshold: float) -> float:
    said = predicted >= threshold
    return float((said[labels].mean() + (~said[~labels]).mean()) / 2)


def main() -> int:
    """Fit, write the weights, and print the scores as one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m llm.tables.fit", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the question sets (*.jsonl.gz)")
    parser.add_argument("--questions", type=int, default=14_000, help="of training, at most")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--penalty", type=float, default=1e-2)
    parser.add_argument("--part", choices=("dev", "test"), default="dev", help="which part is scored")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    arguments = parser.parse_args()
    scored: DataPart = arguments.part
    passages = read_set(arguments.data, SET)
    fitting = Fitting([p for p in passages if _part(p) == "train"], arguments.questions, seed=0)
    fitting.run(arguments.epochs, arguments.rate, arguments.penalty)
    weights = fitting.kept()
    belonging, balanced = fit_belonging(Choice(weights), [p for p in passages if _part(p) != "test"], seed=0)
    shipped = {"belonging": asdict(belonging), "weights": weights}
    arguments.out.write_text(json.dumps(shipped, ensure_ascii=False, indent=0) + "\n", "utf-8")
    held_out = [passage for passage in passages if _part(passage) == scored]
    found = {
        "asked by people": scores(Choice(weights), held_out, 2_000),
        "made from tables": scores(Choice(weights), held_out, 2_000, made=True),
        "belonging, balanced accuracy": balanced,
    }
    noted = {"part": scored, "weights": len(weights), "reached in training": round(fitting.reached, 3)}
    print(json.dumps({**noted, **found}, indent=1))
    return 0


def _part(passage: Passage) -> DataPart:
    return part_of(passage.kind, passage.context)


if __name__ == "__main__":
    sys.exit(main())
