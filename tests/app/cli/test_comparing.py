"""`ask` with several models: every answer with what it took, and what a model that fails leaves."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import Result

from llm.errors import ModelNotFound
from tests.app.cli.test_ask import check

Run = Callable[..., Result]
ASKED = ("-q", "What are the crowns for?")


def test_all_answers_are_printed_with_their_places_and_their_cost(run: Run, texts: SimpleNamespace) -> None:
    result = run("ask", texts.lease, *ASKED, "--model", "a", "--model", "b")
    assert result.exit_code == 0, result.stderr
    shown = result.stdout.splitlines()
    assert shown[:7] == [
        "[a]",
        "The rent is 900 crowns.",
        "",
        "[1] lease.txt, line 2: “The rent is 900 crowns.”",
        "Read all 1 page (10 tokens).",
        "0.3 s in all, 0.2 s to the first word; read 0 new tokens in 0.1 s and reused 5; wrote 20 tokens a second "
        "with fake.",
        "",
    ]
    assert shown[7] == "[b]"


def test_json_is_one_object_a_line_for_every_question_and_model(run: Run, texts: SimpleNamespace) -> None:
    result = run("ask", texts.lease, *ASKED, "-q", "Why?", "--model", "a", "--model", "b", "--json")
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    for answer in answers:
        check(answer)
    assert [answer["question"] for answer in answers] == [ASKED[1]] * 2 + ["Why?"] * 2


@pytest.mark.parametrize(("failing", "code"), [(("b",), 1), (("a", "b"), 2)])
def test_a_model_that_fails_is_named(
    run: Run, texts: SimpleNamespace, engine: Any, monkeypatch: pytest.MonkeyPatch, failing: tuple[str, ...], code: int
) -> None:
    def longleaf(settings: Any, **named: Any) -> Any:
        def load(settings: Any, on_text: object) -> Any:
            if settings.model in failing:
                raise ModelNotFound(f"no model is called {settings.model!r}")
            engine.state_dir.mkdir(parents=True, exist_ok=True)
            return engine

        return Longleaf(settings, load=load, **named)

    from app.service import Longleaf

    monkeypatch.setattr("app.cli.session.Longleaf", longleaf)
    result = run("ask", texts.lease, *ASKED, "--model", "a", "--model", "b")
    assert result.exit_code == code
    assert "Error: b gave no answer: no model is called 'b'\n" in result.stderr
    assert ("[a]" in result.stdout) == ("a" not in failing)


def test_one_model_named_twice_is_a_mistake(run: Run, texts: SimpleNamespace) -> None:
    result = run("ask", texts.lease, *ASKED, "--model", "a", "--model", "a")
    assert result.exit_code == 2
    assert result.stderr == "Error: of the 2 models that were named only 1 differ; name each once\n"
