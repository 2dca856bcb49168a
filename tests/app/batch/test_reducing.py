"""One question over all rows: what lacks something, what has an answer, and what the model makes of the lines."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.batch import Row
from app.batch.reducing import reduce_rows
from app.errors import BadRequest
from app.service import Longleaf
from llm.answer import AskOptions

LAW, RENT = "Which law governs the lease?", "How much is the rent?"


def row(source: str, question: str, answer: str | None, status: str = "ok") -> Row:
    return {
        "id": f"{source}-{question}", "source": source, "document": source * 64, "question": question, "status": status,
        "answer": answer or "Not found: the documents do not hold it.", "found": answer is not None, "citations": [],
    }  # fmt: skip


ROWS = [
    row("a", LAW, "New York"), row("a", RENT, "900 crowns"), row("b", LAW, None), row("b", RENT, "800 crowns"),
    row("c", LAW, "the State of Ohio"), row("c", RENT, None), row("d", LAW, "", "failed"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("question", "way", "about", "answer"),
    [
        ("Which leases lack a governing law?", "lacking", LAW, "1 of 3 documents: b."),
        ("Which documents do not say how much the rent is?", "lacking", RENT, "1 of 3 documents: c."),
        ("Which leases are governed by the law of New York?", "matching", LAW, "1 of 3 documents: a."),
        ("How many leases are under the law of the State of Ohio?", "matching", LAW, "1 of 3 documents: c."),
    ],
)
def test_rows_are_counted(longleaf: Longleaf, question: str, way: str, about: str, answer: str) -> None:
    found = reduce_rows(longleaf, ROWS, question, AskOptions())
    assert (found.way, found.about, found.answer) == (way, about, answer)
    (document,) = found.as_json()["documents"]
    assert document["source"] in answer


def test_a_row_that_says_what_the_question_says_anyway_is_no_match(longleaf: Longleaf, engine: Any) -> None:
    rows = [row("a", LAW, "the law"), row("b", LAW, "Ohio")]
    assert reduce_rows(longleaf, rows, "Which law governs most?", AskOptions()).way == "model"


def test_else_the_model_answers_from_the_rows_and_leaves_no_trace(longleaf: Longleaf, engine: Any) -> None:
    found = reduce_rows(longleaf, ROWS, "Is there a price in crowns.", AskOptions())
    assert (found.way, found.answer) == ("model", f"a: {RENT} 900 crowns")
    assert [cited["source"] for cited in found.as_json()["documents"]] == ["a"]
    assert list((engine.state_dir / "index").glob("*")) == []


def test_without_a_sound_row_there_is_no_answer(longleaf: Longleaf) -> None:
    with pytest.raises(BadRequest, match="there is no row to answer 'Why"):
        reduce_rows(longleaf, [row("d", LAW, "", "failed")], "Why?", AskOptions())


def test_the_command_line_shows_and_keeps_it(
    texts: SimpleNamespace, tmp_path: Path, open_longleaf: Callable[..., Longleaf], monkeypatch: pytest.MonkeyPatch
) -> None:
    import json

    from click.testing import CliRunner

    from app.cli import cli

    monkeypatch.setattr("app.cli.session.Longleaf", open_longleaf)
    out = tmp_path / "rows.jsonl"
    words = ["batch", texts.lease, texts.notes, "-q", "How many crowns.", "--out", out, "--data-dir", tmp_path / "lib"]
    result = CliRunner().invoke(cli, [*map(str, words), "--reduce", "Which documents have no crowns?"])
    assert result.stdout.startswith("> Which documents have no crowns?\n1 of 2 documents: notes.txt.\n"), result.stderr
    (kept,) = json.loads(out.with_suffix(".reduced.json").read_text("utf-8"))
    assert [each["source"] for each in kept["documents"]] == ["notes.txt"]
