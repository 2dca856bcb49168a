"""Watching: a file that grows is waited for, our own files are not seen, and what appears has its rows."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from app.batch import watching
from app.batch.watching import sight, wait_for_change
from app.cli import cli
from app.service import Longleaf


def test_a_file_that_grows_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "POLL_S", 0.05)
    known = sight([str(tmp_path)], ())

    def copy() -> None:
        for part in range(6):
            with (tmp_path / "big.txt").open("a") as file:
                file.write("x" * (part + 1))
            time.sleep(0.02)

    copying = threading.Thread(target=copy)
    copying.start()
    found = wait_for_change([str(tmp_path)], (), known)
    copying.join()
    assert [(Path(path).name, size) for path, size, _ in found] == [("big.txt", 21)]


def test_own_files_are_not_seen(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("x")
    (tmp_path / "a.txt").write_text("x")
    assert [Path(path).name for path, _, _ in sight([str(tmp_path)], [tmp_path / "rows.jsonl"])] == ["a.txt"]
    assert len(sight([str(tmp_path / "*.txt"), f"@{tmp_path / 'a.txt'}"], ())) == 1


def test_what_appears_and_changes_has_rows_until_a_person_stops_it(
    texts: SimpleNamespace, open_longleaf: Callable[..., Longleaf], engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = texts.lease.parent
    turns = iter(
        (
            lambda: (folder / "new.txt").write_text("A crown for the plumber.\n"),
            lambda: texts.notes.write_text("No crowns at all.\n"),
        )
    )

    def wait(*_: object) -> frozenset[Any]:
        turn = next(turns, None)
        if turn is None:
            raise KeyboardInterrupt
        turn()
        return frozenset()

    monkeypatch.setattr("app.cli.session.Longleaf", open_longleaf)
    monkeypatch.setattr(watching, "wait_for_change", wait)
    out = folder / "rows.jsonl"
    words = ["batch", folder, "-q", "How many crowns.", "--out", out, "--csv", folder / "t.csv", "--watch"]
    result = CliRunner().invoke(cli, [*map(str, words), "--data-dir", str(folder.parent / "library")])
    assert result.exit_code == 0, result.stderr
    assert result.stderr.count("Watching; Ctrl-C ends it.") == 3
    found = {row["source"]: row["answer"] for row in map(json.loads, out.read_text("utf-8").splitlines())}
    assert set(found) == {"lease.txt", "notes.txt", "new.txt", "project/lease copy.txt", "project/main.py"}
    assert found["notes.txt"] == "No crowns at all."
    assert sum(call.startswith("ask") for call in engine.calls) == 5


def test_standard_input_cannot_be_watched(tmp_path: Path) -> None:
    words = ["batch", "-", "-q", "x", "--out", tmp_path / "rows.jsonl", "--watch"]
    result = CliRunner().invoke(cli, [str(word) for word in words])
    assert result.exit_code == 2
    assert "standard input ends, so --watch cannot go on with it" in result.stderr
