"""A batch on Ray, started here: two workers give the rows of one process, and a lost worker costs nothing but time."""

import io
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.batch import Batch, BatchOptions, Question, Row, RowJournal, find_sources
from app.batch.cluster import AUTO, Crew
from app.batch.making import OnReading
from app.batch.round import MAX_LOST
from app.errors import BadRequest
from app.service import Longleaf
from app.settings import Settings
from ingest.options import Limits, ReadOptions
from llm.answer import AskOptions
from tests.app.batch.made import make
from tests.app.conftest import FakeEngine

pytest.importorskip("ray", reason="Ray is not installed: pip install -r requirements-ray.txt")
QUESTIONS = [Question.of("Is it March."), Question.of("How many crowns.")]
OPTIONS = BatchOptions(AskOptions(), ReadOptions(), workers=2)

pytestmark = pytest.mark.slow


def load(settings: Settings, on_text: object) -> Any:
    """A small engine, in a worker or here; a document that says "deadly" kills its process."""
    engine = FakeEngine(settings.data_dir / "state")
    engine.state_dir.mkdir(parents=True, exist_ok=True)
    engine.during_reading = lambda: time.sleep(0.2)
    ask = engine.ask

    def deadly(documents: Any, *rest: Any) -> Any:
        if "deadly" in documents[0].pages[0].text:
            psutil.Process().kill()
        time.sleep(0.2)  # so that somebody can look how far it is
        return ask(documents, *rest)

    engine.ask = deadly  # type: ignore[method-assign]
    return engine


@pytest.fixture(scope="module")
def crew(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("cluster"), threads=1)
    with Crew(AUTO, settings, OPTIONS, load) as opened:
        assert opened.model() == FakeEngine.model
        yield opened


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """Eight documents, two of them broken, and a copy of one."""
    make(tmp_path / "given", 8, scans=False, broken_every=4)
    first = next(path for path in sorted((tmp_path / "given").rglob("*")) if path.suffix in (".txt", ".py"))
    first.with_name("copy of it" + first.suffix).write_bytes(first.read_bytes())
    return tmp_path / "given"


def rows_of(given: Path, work: Path, crew: Crew | None, on_reading: OnReading = lambda *_: None) -> list[Row]:
    """The rows without their timing, by document and question."""
    work.mkdir(exist_ok=True)
    longleaf = Longleaf(Settings(data_dir=work / "library"), load=load)
    sources = find_sources(
        [str(given)], stdin=io.StringIO(), find_entry=longleaf.entry, limits=Limits(), on_problem=lambda _: None
    )
    with RowJournal(work / "rows.jsonl", work) as journal:
        batch = Batch(longleaf, sources, QUESTIONS, journal, OPTIONS, FakeEngine.model)
        if crew is None:
            batch.run(lambda _: None, lambda *_: None)
        else:
            crew.run(batch, lambda _: None, on_reading)
        found = [{key: value for key, value in row.items() if key != "timing"} for row in batch.rows()]
    longleaf.close()
    return found


def test_an_address_where_nothing_answers_is_one_sentence(tmp_path: Path) -> None:
    options = replace(OPTIONS, workers=1)
    with pytest.raises(BadRequest, match=r"no Ray cluster answers at '127\.0\.0\.1:1'"):
        Crew("127.0.0.1:1", Settings(data_dir=tmp_path), options, load).__enter__()


def test_two_workers_give_the_rows_of_one_process_and_resume_like_it(
    given: Path, tmp_path: Path, crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.batch.cluster._LOOK_EVERY_S", 0.02)
    told: list[tuple[str, int]] = []
    here = rows_of(given, tmp_path / "here", None)
    there = rows_of(given, tmp_path / "there", crew, lambda source, step: told.append((source.name, step.done)))
    assert {name for name, _ in told} <= {row["source"] for row in there}
    assert {done for _, done in told} == {1}, "nobody said how far it was in reading its file"
    assert len(there) == 18
    assert there == here
    assert {row["status"] for row in there} == {"ok", "failed"}
    written = (tmp_path / "there" / "rows.jsonl").read_bytes()
    assert rows_of(given, tmp_path / "there", crew) == here
    assert (tmp_path / "there" / "rows.jsonl").read_bytes() == written


def test_a_worker_killed_in_mid_document_costs_only_time(given: Path, tmp_path: Path, crew: Crew) -> None:
    killed: list[int] = []

    def kill_one() -> None:
        deadline = time.monotonic() + 30
        while not killed and time.monotonic() < deadline:
            for process in psutil.process_iter(["cmdline"]):
                if (process.info["cmdline"] or [""])[0].startswith("ray::Worker.rows"):
                    process.kill()
                    killed.append(process.pid)
                    return
            time.sleep(0.02)

    for path in given.rglob("*.txt"):  # documents that no worker has read yet
        path.write_text(path.read_text("utf-8") + "\nNew.\n", encoding="utf-8")
    here = rows_of(given, tmp_path / "here", None)
    killer = threading.Thread(target=kill_one)
    killer.start()
    there = rows_of(given, tmp_path / "there", crew)
    killer.join()
    assert killed, "no worker was at a document"
    assert there == here


def test_a_document_that_kills_its_workers_is_given_up(tmp_path: Path, crew: Crew) -> None:
    given = tmp_path / "given"
    given.mkdir()
    (given / "bad.txt").write_text("deadly\n", encoding="utf-8")
    (given / "good.txt").write_text("It begins in March.\n", encoding="utf-8")
    found = {row["source"]: row for row in rows_of(given, tmp_path / "there", crew)}
    assert found["good.txt"]["status"] == "ok"
    assert (found["bad.txt"]["status"], found["bad.txt"]["error"]) == (
        "failed", f"bad.txt could not be asked: {MAX_LOST} workers were lost at it; look into Ray's log",
    )  # fmt: skip
