"""What a worker of a cluster does, in this process: rows, the next document parsed meanwhile, how far it is."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.batch import BatchOptions, Question
from app.batch.cluster import Worker
from app.batch.making import Work
from app.batch.rows import Basis
from app.batch.sources import Source
from app.service import Longleaf
from app.settings import Settings
from ingest.options import ReadOptions
from ingest.reader import SourceFile
from llm.answer import AskOptions
from tests.app.conftest import FakeEngine

QUESTION = Question.of("When does the lease begin?")
OPTIONS = BatchOptions(AskOptions(), ReadOptions())
BASIS = Basis(FakeEngine.model, OPTIONS.ask, OPTIONS.read, False)


def source(folder: Path, name: str, text: str) -> Source:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    file = SourceFile.of(path)
    return Source(name, path, file.id, file.size_bytes)


@pytest.fixture
def worker(settings: Settings, engine: FakeEngine) -> Worker:
    def load(settings: Settings, on_text: object) -> Any:
        engine.state_dir.mkdir(parents=True, exist_ok=True)
        return engine

    return Worker(settings, OPTIONS, load)


def work(asked: Source) -> Work:
    return Work(asked, ((QUESTION, BASIS.row_id(asked, QUESTION)),))


def test_the_next_document_is_parsed_while_one_is_answered_and_only_once(
    worker: Worker, engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []
    second_is_parsed = threading.Event()
    add = Longleaf.add

    def noted(self: Longleaf, path: Path, **named: Any) -> Any:
        parsed.append(path.name)
        entry = add(self, path, **named)
        if path.name == "second.txt":
            second_is_parsed.set()
        return entry

    monkeypatch.setattr(Longleaf, "add", noted)
    first = source(tmp_path, "first.txt", "The lease begins in March.\n")
    second = source(tmp_path, "second.txt", "The lease begins in May.\n")
    waited: list[bool] = []
    engine.during_reading = lambda: waited.append(second_is_parsed.wait(20))
    (row,) = worker.rows(work(first), BASIS, second)
    assert (row["answer"], waited) == ("The lease begins in March.", [True])
    (row,) = worker.rows(work(second), BASIS, None)
    assert row["answer"] == "The lease begins in May."
    assert parsed == ["first.txt", "second.txt"]


def test_what_went_wrong_ahead_is_in_the_rows_of_that_document(worker: Worker, tmp_path: Path) -> None:
    first = source(tmp_path, "first.txt", "The lease begins in March.\n")
    bad = source(tmp_path, "bad.pdf", "%PDF-1.7 nothing else")
    worker.rows(work(first), BASIS, bad)
    (row,) = worker.rows(work(bad), BASIS, None)
    assert row["status"] == "failed"
    assert row["error"].startswith("bad.pdf")


def test_it_says_how_far_it_is_in_reading(worker: Worker, engine: FakeEngine, tmp_path: Path) -> None:
    first = source(tmp_path, "first.txt", "The lease begins in March.\n")
    seen: list[Any] = []
    ask: Callable[..., Any] = engine.ask

    def looked_at(*args: Any) -> Any:
        seen.append(worker.reading())
        return ask(*args)

    engine.ask = looked_at  # type: ignore[method-assign]
    worker.rows(work(first), BASIS, None)
    ((at, progress),) = seen
    assert (at, progress.done, progress.total) == (first, 1, 1)
    assert worker.reading() is None
