"""Work in the background: sources parsed and read one after the other, whether or not a browser still looks on.

One daemon thread works; statuses are plain frozen values. Jobs live as long as the process: after a restart, what
was committed is kept (a reading goes on where it stopped) and the source is simply handed over again.
"""

import logging
import queue
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from app.errors import BadRequest, sentence_of
from app.pace import pace
from app.service import Longleaf
from ingest.document import Problem
from ingest.options import ReadOptions
from llm.answer import ReadingProgress

if TYPE_CHECKING:
    from ingest import SourceProgress

Stage = Literal["waiting", "parse", "read", "index", "done", "failed", "cancelled"]
FINISHED: tuple[Stage, ...] = ("done", "failed", "cancelled")
KEPT_FINISHED = 200  # finished jobs that are remembered
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JobStatus:
    """How far one source is. `done` of `total` `unit`s of the stage; 0 of 0 while that is not known."""

    id: str
    name: str
    stage: Stage = "waiting"
    done: int = 0
    total: int = 0
    unit: str = ""
    rate_per_s: float = 0.0
    eta_s: float | None = None
    error: str | None = None  # one sentence, when the stage is "failed"
    entry_id: str | None = None  # from the end of parsing on
    problems: tuple[Problem, ...] = ()

    @property
    def is_finished(self) -> bool:
        return self.stage in FINISHED


@dataclass(slots=True)
class _Job:
    status: JobStatus
    source: Path
    options: ReadOptions
    cancel: threading.Event = field(default_factory=threading.Event)


class Jobs:
    """The queue of one process and its worker."""

    def __init__(self, longleaf: Longleaf) -> None:
        self._longleaf = longleaf
        self._jobs: dict[str, _Job] = {}
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._worker = threading.Thread(target=self._work, name="longleaf-jobs", daemon=True)
        self._worker.start()

    def submit(self, sources: Sequence[tuple[Path, str]], options: ReadOptions = ReadOptions()) -> list[str]:  # noqa: B008
        """Queues (path, name as the person knows it); the jobs' ids, in the same order."""
        jobs = [_Job(JobStatus(uuid.uuid4().hex[:12], name), Path(path), options) for path, name in sources]
        with self._lock:
            self._jobs.update({job.status.id: job for job in jobs})
            self._forget_old()
        for job in jobs:
            self._waiting.put(job.status.id)
        return [job.status.id for job in jobs]

    def jobs(self) -> list[JobStatus]:
        """Every job that is remembered, oldest first."""
        with self._lock:
            return [job.status for job in self._jobs.values()]

    def job(self, job_id: str) -> JobStatus:
        """Raises BadRequest for an id that is not known (any more)."""
        return self._find(job_id).status

    def cancel(self, job_id: str) -> None:
        """Asks a job to stop; it is "cancelled" soon after, unless it is finished. Raises BadRequest."""
        job = self._find(job_id)
        job.cancel.set()
        if job.status.stage == "waiting":
            self._update(job, stage="cancelled")

    def close(self) -> None:
        """Cancels everything and waits for the worker."""
        with self._lock:
            jobs = list(self._jobs.values())
        for job in jobs:
            job.cancel.set()
        self._waiting.put(None)
        self._worker.join()

    def _find(self, job_id: str) -> _Job:
        with self._lock:
            if job_id not in self._jobs:
                raise BadRequest(
                    f"there is no job {job_id!r}; it may have been of an earlier run: hand the source over again"
                )
            return self._jobs[job_id]

    def _forget_old(self) -> None:
        finished = [job_id for job_id, job in self._jobs.items() if job.status.is_finished]
        for job_id in finished[: max(0, len(finished) - KEPT_FINISHED)]:
            del self._jobs[job_id]

    def _update(self, job: _Job, **changes: object) -> None:
        with self._lock:
            job.status = replace(job.status, **changes)  # type: ignore[arg-type]

    def _work(self) -> None:
        while (job_id := self._waiting.get()) is not None:
            with self._lock:
                job = self._jobs.get(job_id)
            if job is None or job.status.is_finished:
                continue
            try:
                self._run(job)
            except Exception as error:  # noqa: BLE001  the worker must outlive any one job
                if job.cancel.is_set():
                    self._update(job, stage="cancelled", eta_s=None)
                    continue
                sentence = sentence_of(error)
                if sentence is None:
                    _log.exception("job %s failed on %s", job.status.id, job.status.name)
                    sentence = f"{job.status.name} could not be read: an unexpected {type(error).__name__}; see the log"
                self._update(job, stage="failed", error=sentence, eta_s=None)

    def _run(self, job: _Job) -> None:
        self._update(job, stage="parse")
        show = _ParseProgress(lambda **changes: self._update(job, **changes))
        entry = self._longleaf.add(
            job.source, name=job.status.name, options=job.options, on_progress=show, cancel=job.cancel
        )
        self._update(job, entry_id=entry.id, problems=entry.problems, done=0, total=0)
        if not job.cancel.is_set():
            for progress in self._longleaf.read([entry.id], job.cancel):
                self._update(job, **_shown(progress))
        self._update(job, stage="cancelled" if job.cancel.is_set() else "done", eta_s=None)


def _shown(progress: ReadingProgress) -> dict[str, object]:
    return {
        "stage": "index" if progress.stage == "index" else "read",
        "done": progress.done, "total": progress.total, "unit": progress.unit,
        "rate_per_s": progress.rate_per_s, "eta_s": progress.eta_s,
    }  # fmt: skip


class _ParseProgress:
    """Pages of a file, or files of a folder, with their rate since parsing began."""

    def __init__(self, update: Callable[..., None]) -> None:
        self._update = update
        self._started = time.monotonic()

    def __call__(self, progress: "SourceProgress") -> None:
        many = progress.files_total > 1
        done, total = (
            (progress.files_done, progress.files_total) if many else (progress.pages_done, progress.pages_total)
        )
        rate, eta_s = pace(done, total, time.monotonic() - self._started)
        self._update(done=done, total=total, unit="files" if many else "pages", rate_per_s=rate, eta_s=eta_s)
