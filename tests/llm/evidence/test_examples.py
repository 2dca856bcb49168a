"""Made questions: what a haystack holds, that splits share no context, and that a fit learns and reports truly."""

import gzip
import json
from pathlib import Path

import pytest

from llm.evidence.examples import SIZES, Context, Example, examples, read_contexts


@pytest.fixture
def contexts(tmp_path: Path) -> list[Context]:
    rows = [
        {
            "context": f"Context {number} tells of {number}.",
            "questions": [{"question": f"Q{number}?", "answers": ["a"]}],
        }
        for number in range(400)
    ]
    rows += [rows[0], {"context": "No question here.", "questions": [{"question": "?", "answers": []}]}]
    path = tmp_path / "set.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    return read_contexts(path)


def test_contexts_are_read_once_and_only_with_answers(contexts: list[Context]) -> None:
    assert len(contexts) == 400
    assert contexts[0].document.pages[0].text == "Context 0 tells of 0."
    assert contexts[7].questions == (("Q7?", ("a",)),)


def test_haystacks_hold_the_answer_exactly_when_they_should(contexts: list[Context]) -> None:
    by_question = {context.questions[0][0]: context.document.id for context in contexts}
    made = list(examples("set", contexts, ["Foreign?"], "train", 120))
    assert {kind: sum(item.kind == kind for item in made) for kind in ("answered", "removed", "foreign")} == {
        "answered": 60,
        "removed": 40,
        "foreign": 20,
    }
    for item in made:
        ids = [document.id for document in item.haystack]
        assert len(ids) == len(set(ids)) in SIZES
        assert (item.gold in ids) == (item.kind == "answered")
        assert (by_question.get(item.question) in ids) == (item.kind == "answered")
    assert not any(item.kind == "removed" for item in examples("set", contexts, ["F?"], "train", 30, hard=False))


def test_splits_share_no_context_and_are_made_alike_twice(contexts: list[Context]) -> None:
    seen = {
        split: {document.id for item in examples("set", contexts, ["F?"], split, 60) for document in item.haystack}
        for split in ("train", "dev", "test")
    }
    assert not seen["train"] & seen["dev"]
    assert not seen["train"] & seen["test"]
    assert not seen["dev"] & seen["test"]
    first, again = (list(examples("set", contexts, ["F?"], "dev", 20)) for _ in range(2))
    assert first == again


def test_a_fit_learns_what_tells_and_reports_what_it_is_worth() -> None:
    pytest.importorskip("sklearn", reason="fitting needs scikit-learn")
    from llm.evidence.fit import balanced_accuracy, fit, report
    from llm.evidence.observing import Observed

    def seen(split: str, at: int) -> Observed:
        example = Example("set", "q", (), (), "gold" if at % 2 else None, "answered" if at % 2 else "removed")
        return Observed(example, split, (), {"tells": at % 2 + (at % 7) / 10, "noise": (at * 37 % 11) / 11})

    items = [seen(split, at) for split in ("train", "dev", "test") for at in range(200)]
    regression = fit(items)
    assert regression.weights["tells"] > 10 * abs(regression.weights["noise"])
    told = report(regression, items)
    assert told["balanced_accuracy"] == 1.0
    assert told["right_by_kind"] == {"answered": "1.000 of 100", "removed": "1.000 of 100"}
    assert sum(row["questions"] for row in told["reliability"]) == told["test"] == 200
    assert balanced_accuracy([0.9, 0.4, 0.6, 0.1], [True, True, False, False], 0.5) == 0.5
