"""Work in the background: sources added and documents read, whether or not a browser still looks on.

Two daemon threads work: one parses sources and makes them ready for questions, one after the other; the other reads
whole what takes longer, the smallest first. So a long reading keeps no new document waiting. Statuses are plain frozen
values. Jobs live as long as the process; the readings among them outlive it: `resume` queues again what was being read
or waited for that when the process ended, and each goes on where it was committed last.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from app.errors import BadRequest, NotInLibrary, sentence_of
from app.pace import pace
from app.parked import Parked, new_job_id
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
    entry_id: str | None = None  # from the end of parsing on; the document can be asked about from stage "read" on
    problems: tuple[Problem, ...] = ()
    stopping: bool = False  # somebody asked it to stop; it does after the step that it is at

    @property
    def is_finished(self) -> bool:
        return self.stage in FINISHED


@dataclass(slots=True)
class _Job:
    status: JobStatus
    source: Path | None  # None: the document is in the library already
    options: ReadOptions
    cancel: threading.Event = field(default_factory=threading.Event)

    def shown(self) -> JobStatus:
        return replace(self.status, stopping=self.cancel.is_set() and not self.status.is_finished)


class Jobs:
    """The work of one process and its workers."""

    def __init__(self, longleaf: Longleaf, gate: AbstractContextManager[object] | None = None) -> None:
        """`gate`: one that several libraries share, so that not all of them parse at once."""
        self._longleaf = longleaf
        self._gate = gate or nullcontext()
        self._parked = Parked(longleaf.settings.data_dir)
        self._is_closing = False
        self._jobs: dict[str, _Job] = {}
        self._lock = threading.Lock()
        self._adding = _Lane("longleaf-adding", self._add, lambda job: 0)
        self._reading = _Lane("longleaf-reading", self._read, lambda job: job.status.total)

    def submit(self, sources: Sequence[tuple[Path, str]], options: ReadOptions = ReadOptions()) -> list[str]:  # noqa: B008
        """Queues (path, name as the person knows it); the jobs' ids, in the same order."""
        jobs = [_Job(JobStatus(new_job_id(), name), Path(path), options) for path, name in sources]
        self._queue(jobs, self._adding)
        return [job.status.id for job in jobs]

    def read(self, entry_id: str, job_id: str | None = None) -> str:
        """Queues the whole reading of a document of the library, or finds that it is queued; the job's id.

        `job_id`: which it had in an earlier process. Raises NotInLibrary.
        """
        entry = self._longleaf.entry(entry_id)
        for status in self.jobs():
            if status.entry_id == entry.id and not status.is_finished:
                return status.id
        status = JobStatus(job_id or new_job_id(), entry.name, entry_id=entry.id, problems=entry.problems)
        job = _Job(status, None, ReadOptions())
        self._queue([job], self._adding)
        return job.status.id

    def resume(self) -> list[str]:
        """Queues the readings that an earlier process did not finish; the jobs' ids, which they had there, too."""
        job_ids = []
        for entry_id, job_id in self._parked.jobs().items():
            try:
                job_ids.append(self.read(entry_id, job_id))
            except NotInLibrary:  # deleted meanwhile
                self._parked.remove(entry_id)
        return job_ids

    def retry(self, job_id: str, options: ReadOptions) -> None:
        """Queues a job again that failed or was cancelled, with other options. Raises BadRequest."""
        job = self._find(job_id)
        if job.status.stage not in ("failed", "cancelled"):
            raise BadRequest(f"{job.status.name} cannot be tried again: it is {job.status.stage!r}, not failed")
        again = _Job(
            JobStatus(job_id, job.status.name, entry_id=job.status.entry_id),
            job.source,
            options if job.source else job.options,
        )
        self._queue([again], self._adding)

    def jobs(self) -> list[JobStatus]:
        """Every job that is remembered, oldest first."""
        with self._lock:
            return [job.shown() for job in self._jobs.values()]

    def job(self, job_id: str) -> JobStatus:
        """Raises BadRequest for an id that is not known (any more)."""
        return self._find(job_id).shown()

    def cancel(self, job_id: str) -> None:
        """Asks a job to stop; it is "cancelled" soon after, unless it is finished. Raises BadRequest."""
        job = self._find(job_id)
        job.cancel.set()
        if job.status.stage == "waiting":
            self._update(job, stage="cancelled")
            if job.status.entry_id is not None:
                self._parked.remove(job.status.entry_id)

    def dismiss(self, job_id: str) -> None:
        """Forgets a finished job. Raises BadRequest."""
        job = self._find(job_id)
        if not job.status.is_finished:
            raise BadRequest(f"{job.status.name} is still being worked on; cancel it first")
        with self._lock:
            self._jobs.pop(job_id, None)

    def close(self) -> None:
        """Stops everything and waits for the workers; readings stay parked for `resume`."""
        self._is_closing = True
        with self._lock:
            jobs = list(self._jobs.values())
        for job in jobs:
            job.cancel.set()
        self._adding.close()
        self._reading.close()

    def _queue(self, jobs: Sequence[_Job], lane: "_Lane") -> None:
        with self._lock:
            self._jobs.update({job.status.id: job for job in jobs})
            self._forget_old()
        for job in jobs:
            lane.put(job)

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

    def _add(self, job: _Job) -> None:
        """Parses, and makes ready for questions; a document that is longer than that is handed on to be read."""
        with self._ending(job), self._gate:
            if job.status.is_finished:  # cancelled before the gate
                return
            entry_id = job.status.entry_id
            self._update(job, stage="index" if job.source is None else "parse")
            if job.source is not None:
                show = _ParseProgress(lambda **changes: self._update(job, **changes))
                entry = self._longleaf.add(
                    job.source, name=job.status.name, options=job.options, on_progress=show, cancel=job.cancel
                )
                entry_id = entry.id
                self._update(job, entry_id=entry_id, problems=entry.problems, done=0, total=0)
            assert entry_id is not None, "a job has a source or a document"
            self._parked.add(entry_id, job.status.id)
            self._follow(job, self._longleaf.prepare([entry_id], job.cancel))
            entry = self._longleaf.entry(entry_id)
            if job.cancel.is_set() or entry.is_read:
                self._update(job, stage="cancelled" if job.cancel.is_set() else "done", eta_s=None)
            else:
                self._update(
                    job, stage="waiting", done=entry.tokens_read, total=entry.tokens or 0, unit="tokens", eta_s=None
                )
                self._reading.put(job)

    def _read(self, job: _Job) -> None:
        with self._ending(job):
            assert job.status.entry_id is not None, "what is read is in the library"
            self._update(job, stage="read", rate_per_s=0.0)
            self._follow(job, self._longleaf.read([job.status.entry_id], job.cancel))
            self._update(job, stage="cancelled" if job.cancel.is_set() else "done", eta_s=None)

    def _follow(self, job: _Job, steps: Iterator[ReadingProgress]) -> None:
        for progress in steps:
            self._update(job, **_shown(progress))

    @contextmanager
    def _ending(self, job: _Job) -> Iterator[None]:
        """A worker must outlive any one job: what goes wrong becomes the job's end, in one sentence."""
        try:
            yield
        except Exception as error:  # noqa: BLE001
            self._end_badly(job, error)
        if job.status.is_finished and job.status.entry_id is not None and not self._is_closing:
            self._parked.remove(job.status.entry_id)

    def _end_badly(self, job: _Job, error: Exception) -> None:
        if job.cancel.is_set():
            self._update(job, stage="cancelled", eta_s=None)
        else:
            sentence = sentence_of(error)
            if sentence is None:
                _log.exception("job %s failed on %s", job.status.id, job.status.name)
                sentence = f"{job.status.name} could not be read: an unexpected {type(error).__name__}; see the log"
            self._update(job, stage="failed", error=sentence, eta_s=None)


class _Lane:
    """A worker and what waits for it; of that the one with the smallest `size` goes first."""

    def __init__(self, name: str, run: Callable[[_Job], None], size: Callable[[_Job], int]) -> None:
        self._run, self._size = run, size
        self._waiting: list[_Job] = []
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def put(self, job: _Job) -> None:
        with self._changed:
            self._waiting.append(job)
            self._changed.notify()

    def close(self) -> None:
        """Lets what runs end, starts nothing more, and waits."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._waiting)
                if self._closed:
                    return
                job = min(self._waiting, key=self._size)
                self._waiting.remove(job)
            if not job.status.is_finished:
                self._run(job)


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
