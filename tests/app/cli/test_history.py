"""`history …`: what was asked on the page, seen, exported and judged without it."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import Result

from app.service import Longleaf

Run = Callable[..., Result]


@pytest.fixture
def number(longleaf: Longleaf, texts: SimpleNamespace) -> int:
    """Of an answer in the conversation "abc1"; there is another one, "abd2"."""
    entry = longleaf.add(texts.lease)
    for conversation in ("abd2", "abc1"):
        list(longleaf.ask([entry.id], "When does the lease begin?", conversation=conversation))
    return longleaf.history.answers("abc1")[0].number


def test_list_show_and_export(run: Run, number: int, tmp_path: Path) -> None:
    listed = json.loads(run("history", "list", "--json").stdout)["conversations"]
    assert [each["id"] for each in listed] == ["abc1", "abd2"]
    assert run("history", "list").stdout.startswith("abc1  When does the lease begin?  (1 answers, last ")
    assert (
        f"> When does the lease begin?  #{number}\nThe lease begins in March." in run("history", "show", "abc").stdout
    )
    assert json.loads(run("history", "show", "abc1", "--json").stdout)["answers"][0]["number"] == number
    assert run("history", "export", "abc1").stdout.startswith("# When does the lease begin?\n")
    out = tmp_path / "talk.html"
    assert f"Written to {out}." in run("history", "export", "abc1", "--form", "html", "--out", out).stderr
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_rename_judge_and_delete(run: Run, number: int) -> None:
    run("history", "rename", "abc1", "Our lease")
    assert "Our lease" in run("history", "list").stdout
    assert run("history", "judge", number, "wrong", "--note", "It is May").exit_code == 0
    assert f"#{number} wrong: It is May" in run("history", "feedback").stdout
    assert json.loads(run("history", "feedback", "--json").stdout)["feedback"][0]["feedback"]["verdict"] == "wrong"
    assert "there is no terminal to confirm it on; add --yes" in run("history", "delete", "abc1").stderr
    assert run("history", "delete", "abc1", "--yes").stdout == "Deleted 'Our lease': 1 answers.\n"


def test_a_conversation_that_cannot_be_told_is_named(run: Run, number: int) -> None:
    assert "'ab' stands for 2 conversations; name one: abc1, abd2" in run("history", "show", "ab").stderr
    assert "there is no conversation 'x'; `history list` shows them" in run("history", "show", "x").stderr
    assert "there is no answer 99" in run("history", "judge", "99", "right").stderr
