"""Background jobs: stages in order, one sentence for a failure, cancel, and a worker that outlives both."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.errors import BadRequest
from app.jobs import FINISHED, Jobs, JobStatus
from app.service import Longleaf
from ingest.options import ReadOptions


@pytest.fixture
def jobs(longleaf: Longleaf) -> Iterator[Jobs]:
    opened = Jobs(longleaf)
    yield opened
    opened.close()


def wait_for(
    jobs: Jobs, job_id: str, done: Callable[[JobStatus], bool] = lambda status: status.is_finished
) -> JobStatus:
    deadline = time.monotonic() + 30
    while not done(jobs.job(job_id)):
        assert time.monotonic() < deadline, jobs.job(job_id)
        time.sleep(0.01)
    return jobs.job(job_id)


def test_a_source_is_parsed_and_read(jobs: Jobs, longleaf: Longleaf, texts: SimpleNamespace) -> None:
    lease, project = jobs.submit([(texts.lease, "our lease.txt"), (texts.project, "project")])
    status = wait_for(jobs, project)
    assert (status.stage, status.error, status.done, status.total, status.unit) == ("done", None, 3, 3, "tokens")
    assert longleaf.entry("our lease.txt").is_read
    assert jobs.job(lease).entry_id == longleaf.entry("our lease.txt").id
    assert [each.id for each in jobs.jobs()] == [lease, project]


def test_a_failure_is_one_sentence_and_the_next_job_runs(jobs: Jobs, texts: SimpleNamespace, tmp_path: Path) -> None:
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"%PDF-1.7 nothing else")
    failed, missing, good = jobs.submit([(broken, "broken.pdf"), (tmp_path / "no", "no"), (texts.notes, "notes.txt")])
    assert wait_for(jobs, good).stage == "done"
    assert jobs.job(failed).stage == "failed"
    assert "broken.pdf" in (jobs.job(failed).error or "")
    assert "\n" not in (jobs.job(failed).error or "")
    assert "does not exist; give the path of a file or folder" in (jobs.job(missing).error or "")


def test_a_fault_of_longleaf_is_told_and_logged(
    jobs: Jobs, texts: SimpleNamespace, engine: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def fault() -> None:
        raise ZeroDivisionError("secret detail")

    engine.during_reading = fault
    (job_id,) = jobs.submit([(texts.lease, "lease.txt")])
    assert wait_for(jobs, job_id).error == "lease.txt could not be read: an unexpected ZeroDivisionError; see the log"
    assert "secret detail" in caplog.text


def test_cancel_while_reading_and_while_waiting(jobs: Jobs, texts: SimpleNamespace, engine: Any) -> None:
    reading, go_on = threading.Event(), threading.Event()

    def block() -> None:
        reading.set()
        go_on.wait(20)

    engine.during_reading = block
    first, second = jobs.submit([(texts.project, "project"), (texts.notes, "notes.txt")])
    assert reading.wait(20)
    jobs.cancel(second)
    jobs.cancel(first)
    assert jobs.job(second).stage == "cancelled"
    assert [jobs.job(each).stopping for each in (first, second)] == [True, False]  # the one goes on until its next step
    go_on.set()
    assert wait_for(jobs, first).stage == "cancelled"
    engine.during_reading = lambda: None
    (again,) = jobs.submit([(texts.notes, "notes.txt")])
    assert wait_for(jobs, again).stage == "done"
    jobs.cancel(again)
    assert jobs.job(again).stage == "done"


def test_a_job_that_is_not_known_is_named(jobs: Jobs) -> None:
    with pytest.raises(BadRequest, match="there is no job 'abc'; it may have been of an earlier run"):
        jobs.job("abc")
    assert FINISHED == ("done", "failed", "cancelled")


def test_a_new_document_is_ready_for_questions_while_a_long_one_is_read(
    jobs: Jobs, longleaf: Longleaf, texts: SimpleNamespace, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, go_on = threading.Event(), threading.Event()
    first = longleaf.add(texts.lease)
    prepare = engine.prepare
    monkeypatch.setattr(engine, "prepare", lambda documents, cancel: iter(()))  # too long to be read at once

    def block() -> None:
        reading.set()
        assert go_on.wait(20)

    engine.during_reading = block
    long = jobs.read(first.id)
    assert jobs.read(first.id) == long
    assert reading.wait(20)
    engine.during_reading = lambda: None
    monkeypatch.setattr(engine, "prepare", prepare)
    (fresh,) = jobs.submit([(texts.notes, "notes.txt")])
    assert wait_for(jobs, fresh).stage == "done"
    assert jobs.job(long).stage == "read"
    go_on.set()
    assert wait_for(jobs, long).stage == "done"
    assert longleaf.entry(first.id).is_read


def test_a_failed_source_is_tried_again_and_forgotten(
    jobs: Jobs, longleaf: Longleaf, texts: SimpleNamespace, tmp_path: Path
) -> None:
    late = tmp_path / "late.txt"
    (job_id,) = jobs.submit([(late, "late.txt")])
    assert wait_for(jobs, job_id).stage == "failed"
    late.write_bytes(texts.notes.read_bytes())
    jobs.retry(job_id, ReadOptions())
    assert wait_for(jobs, job_id).stage == "done"
    assert longleaf.entry("late.txt").is_read
    with pytest.raises(BadRequest, match=r"late\.txt cannot be tried again: it is 'done', not failed"):
        jobs.retry(job_id, ReadOptions())
    jobs.dismiss(job_id)
    with pytest.raises(BadRequest, match="there is no job"):
        jobs.dismiss(job_id)


def test_a_reading_outlives_its_process_and_one_that_was_stopped_does_not(
    longleaf: Longleaf, texts: SimpleNamespace, engine: Any
) -> None:
    """As when a server is stopped, or killed, in mid-reading and started again."""
    begun, go_on = threading.Event(), threading.Event()

    def during_reading() -> None:
        begun.set()
        go_on.wait(30)

    entries = [longleaf.add(source) for source in (texts.lease, texts.notes)]
    engine.during_reading = during_reading
    first = Jobs(longleaf)
    job_ids = [first.read(entry.id) for entry in entries]
    assert begun.wait(30)
    first.cancel(job_ids[1])
    killed = Jobs(longleaf)  # a second process finds what the first has noted so far
    assert killed.resume() == job_ids[:1]  # under the id that an address may name
    go_on.set()
    for status in killed.jobs():
        assert wait_for(killed, status.id).stage == "done"
    first.close()
    killed.close()
    assert longleaf.entry(entries[0].id).is_read
    assert not longleaf.entry(entries[1].id).is_read
    last = Jobs(longleaf)
    assert last.resume() == []
    last.close()
