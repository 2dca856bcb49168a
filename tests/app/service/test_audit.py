"""The audit log: what stands in it, what a deletion takes from it, and that a changed line is found."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.service import Longleaf
from app.service.audit import FILE, AuditLog
from app.settings import Settings


@pytest.fixture
def log(tmp_path: Path) -> Iterator[AuditLog]:
    with closing(AuditLog(tmp_path)) as opened:
        yield opened


def change(log_dir: Path, statement: str) -> None:
    with closing(sqlite3.connect(log_dir / FILE)) as rows, rows:
        rows.execute(statement)


def test_who_asked_what_of_which_document_and_what_the_answer_rests_on(
    log: AuditLog, open_longleaf: Callable[..., Longleaf], settings: Settings, texts: SimpleNamespace
) -> None:
    with closing(open_longleaf(settings, watchers=[log.of("ada")])) as library:
        entry = library.add(texts.lease)
        for _ in library.ask([entry.id], "When does the lease begin?"):
            pass
        added, asked = log.lines()
        assert (added["act"], added["who"], added["documents"]) == ("added", "ada", [entry.id])
        assert (asked["act"], asked["question"], asked["found"]) == ("asked", "When does the lease begin?", True)
        assert asked["evidence"] == [{"document": entry.id, "page_index": 0, "start": 0, "end": 26}]
        assert asked["before"] == added["digest"]
        assert "March" not in log.as_jsonl()
        library.delete(entry.id)
    *_, asked, deleted = log.lines()
    assert (asked["question"], asked["salt"], deleted["act"]) == (None, None, "deleted")
    assert "lease" not in log.as_jsonl()
    assert log.flaw() is None


def test_a_line_that_was_changed_taken_out_or_cut_off_is_found(log: AuditLog, tmp_path: Path) -> None:
    for question in ("One?", "Two?", "Three?"):
        log.note("ada", "asked", ["d1"], question)
    last = log.last_digest()
    assert log.flaw() is None
    change(tmp_path, "UPDATE questions SET question = 'Another?' WHERE number = 2")
    assert log.flaw() == "the question of line 2 is not the one that was asked"
    change(tmp_path, "UPDATE questions SET question = 'Two?' WHERE number = 2")
    change(tmp_path, "DELETE FROM lines WHERE number = 3")
    assert log.flaw() is None
    assert last not in [line["digest"] for line in log.lines()]
    body = json.dumps({**json.loads(next(iter(rows_of(tmp_path)))), "who": "bert"})
    change(tmp_path, f"UPDATE lines SET body = '{body}' WHERE number = 1")
    assert log.flaw() == "line 1 is not the one that was written there"


def rows_of(log_dir: Path) -> list[str]:
    with closing(sqlite3.connect(log_dir / FILE)) as rows:
        return [row[0] for row in rows.execute("SELECT body FROM lines ORDER BY number")]
