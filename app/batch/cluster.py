"""A batch on Ray: workers, each with a model and a library of its own, wherever Ray puts them; the rows come back here.

The journal stays with the process that was started, so rows, their ids and resuming are those of one machine. Each
worker's library lies in `workers/N` below the data folder, on the disk of the machine it runs on: a library is read by
one process at a time. A document goes to the same worker again where that is idle, since what was read lies there. A
worker that is lost costs the document it was at, which is given to a new one; a document that costs two is given up.

Ray is an optional extra (`requirements-ray.txt`). Nothing of it is imported before a crew is opened.
"""

import importlib
import logging
import socket
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from app.batch.making import BatchOptions, RowMaker, Work
from app.batch.rows import Basis, Row, copied, failed
from app.batch.running import Batch, OnRow
from app.errors import BadRequest
from app.service import Longleaf
from app.service.engine import LoadEngine, load_engine
from app.settings import Settings
from llm.answer import ModelName

AUTO = "auto"
_CONNECT_S = 10.0
MAX_LOST = 2  # workers that one document may cost
_ROOT = Path(__file__).resolve().parents[2]
_log = logging.getLogger(__name__)


class WorkerLost(Exception):
    """A worker ended before its document was done."""


class AnyCrew(Protocol):
    """Workers that are given documents: what `Round` needs of a crew."""

    def __len__(self) -> int: ...

    def begin(self, index: int, work: Work, basis: Basis) -> Any:
        """Gives a worker a document; what stands for its rows."""

    def first_done(self, begun: Collection[Any]) -> Any:
        """Waits for one of several."""

    def rows(self, begun: Any) -> list[Row]:
        """Waits for them. Raises WorkerLost, OSError."""

    def replace(self, index: int) -> None:
        """Another worker for one that was lost."""


class Worker:
    """What runs on Ray: one model that makes the rows of one document after the other."""

    def __init__(self, settings: Settings, options: BatchOptions, load: LoadEngine) -> None:
        self._options = options
        self._longleaf = Longleaf(settings, load=load)

    def model(self) -> ModelName:
        """Loads it. Raises ModelNotFound."""
        return self._longleaf.engine().model

    def rows(self, work: Work, basis: Basis) -> list[Row]:
        maker = RowMaker(self._longleaf, basis, self._options)
        never = threading.Event()
        return list(maker.rows(work, lambda: maker.parse(work.source, never), lambda _: None, lambda *_: None))


class Crew:
    """The workers of one batch; a context."""

    def __init__(self, address: str, settings: Settings, options: BatchOptions, load: LoadEngine = load_engine) -> None:
        """`address`: of a Ray cluster, or "auto": the one on this machine, which is started where there is none."""
        self._address, self._settings, self._options, self._load = address, settings, options, load
        self._ray: Any = None
        self._workers: list[Any] = []

    def __enter__(self) -> "Crew":
        """Raises BadRequest."""
        self._ray = _connected(self._address, self._options.workers * self._threads)
        self._workers = [self._hired(index) for index in range(self._options.workers)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            self._ray.kill(worker)
        self._ray.shutdown()

    def __len__(self) -> int:
        return len(self._workers)

    def model(self) -> ModelName:
        """Which weights answer; the first worker loads them. Raises what loading raises, BadRequest."""
        try:
            found: ModelName = self._result(self._workers[0].model.remote())
        except WorkerLost as error:
            raise BadRequest(f"the first worker on Ray was lost while it loaded the model: {error}") from error
        return found

    def run(self, batch: Batch, on_row: OnRow) -> None:
        """Makes every row that is missing, as `Batch.run`; rows are written when their document is done."""
        Round(self, batch, on_row).run()

    def begin(self, index: int, work: Work, basis: Basis) -> Any:
        return self._workers[index].rows.remote(work, basis)

    def rows(self, begun: Any) -> list[Row]:
        found: list[Row] = self._result(begun)
        return found

    def first_done(self, begun: Collection[Any]) -> Any:
        (done,), _ = self._ray.wait(list(begun), num_returns=1)
        return done

    def replace(self, index: int) -> None:
        self._workers[index] = self._hired(index)

    @property
    def _threads(self) -> int:
        return self._settings.threads or 1

    def _hired(self, index: int) -> Any:
        folder = self._settings.data_dir / "workers" / str(index)
        settings = replace(self._settings, threads=self._threads, data_dir=folder)
        has_gpus = self._settings.device != "cpu" and self._ray.cluster_resources().get("GPU", 0) >= 1
        remote = self._ray.remote(Worker).options(num_cpus=self._threads, num_gpus=1 if has_gpus else 0)
        return remote.remote(settings, self._options, self._load)

    def _result(self, begun: Any) -> Any:
        try:
            return self._ray.get(begun)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from error
        except self._ray.exceptions.RayActorError as error:
            raise WorkerLost(str(error)) from error


class Round:
    """One run over what is missing: which worker has which document."""

    def __init__(self, crew: "AnyCrew", batch: Batch, on_row: OnRow) -> None:
        self._crew, self._batch, self._on_row = crew, batch, on_row
        self._queues: list[deque[Work]] = [deque() for _ in range(len(crew))]
        for work in batch.work():
            self._queues[int(work.source.sha256[:8], 16) % len(crew)].append(work)
        self._running: dict[Any, tuple[int, Work]] = {}
        self._idle = set(range(len(crew)))
        self._equal: defaultdict[str, list[Work]] = defaultdict(list)  # by SHA-256: wait for one that is running
        self._lost: Counter[str] = Counter()

    def run(self) -> None:
        while True:
            for index in sorted(self._idle):
                self._hand_out(index)
            if not self._running:
                break
            self._take(self._crew.first_done(self._running))

    def _hand_out(self, index: int) -> None:
        """The next document for an idle worker, if there is one."""
        while (work := self._next_for(index)) is not None:
            work = self._without_known(work)
            if work.asked:
                self._running[self._crew.begin(index, work, self._batch.basis)] = index, work
                self._idle.discard(index)
                return

    def _next_for(self, index: int) -> Work | None:
        """One whose place is at this worker, else one of the longest queue; equal files one behind the other."""
        at_work = {work.source.sha256 for _, work in self._running.values()}
        while True:
            queue = self._queues[index] or max(self._queues, key=len)
            if not queue:
                return None
            work = queue.popleft()
            if work.source.sha256 not in at_work:
                return work
            self._equal[work.source.sha256].append(work)

    def _without_known(self, work: Work) -> Work:
        """What a worker must do; rows that another file has, or that cannot be made, are written here."""
        left = []
        for question, row_id in work.asked:
            known = self._batch.same(self._batch.basis.key(work.source, question))
            if known is not None:
                self._keep(copied(known, row_id, work.source, question))
            else:
                left.append((question, row_id))
        if work.source.refused is not None:
            self._fail(replace(work, asked=tuple(left)), work.source.refused)
            left = []
        return replace(work, asked=tuple(left))

    def _take(self, begun: Any) -> None:
        index, work = self._running.pop(begun)
        self._idle.add(index)
        try:
            for row in self._crew.rows(begun):
                self._keep(row)
        except WorkerLost:
            self._after_loss(index, work)
        self._queues[index].extendleft(self._equal.pop(work.source.sha256, ()))

    def _after_loss(self, index: int, work: Work) -> None:
        name = work.source.name
        _log.warning("the worker that had %s was lost", name)
        self._crew.replace(index)
        self._lost[name] += 1
        if self._lost[name] < MAX_LOST:
            self._queues[index].appendleft(work)
        else:
            self._fail(work, f"{name} could not be asked: {MAX_LOST} workers were lost at it; look into Ray's log")

    def _fail(self, work: Work, why: str) -> None:
        for question, row_id in work.asked:
            self._keep(failed(row_id, work.source, question, self._batch.basis.model, why))

    def _keep(self, row: Row) -> None:
        self._batch.keep(row)
        self._on_row(row)


def _connected(address: str, num_cpus: int) -> Any:
    """Ray, connected. Raises BadRequest."""
    try:
        ray = importlib.import_module("ray")
    except ModuleNotFoundError:
        raise BadRequest("--ray needs the package ray; install it with: pip install -r requirements-ray.txt") from None
    common: dict[str, Any] = {
        "runtime_env": {"env_vars": {"PYTHONPATH": str(_ROOT)}}, "log_to_driver": False,
        "logging_level": logging.ERROR,
    }  # fmt: skip
    if address != AUTO:
        _check_answers(address)
        ray.init(address=address, **common)
        return ray
    try:
        ray.init(address=AUTO, **common)
    except ConnectionError:
        _start(ray, num_cpus, common)
    return ray


def _start(ray: Any, num_cpus: int, common: dict[str, Any]) -> None:
    """On this machine. Raises BadRequest."""
    try:
        ray.init(address="local", num_cpus=num_cpus, include_dashboard=False, **common)
    except Exception as error:
        _log.exception("Ray could not be started")
        raise BadRequest(
            f"Ray could not be started here ({' '.join(str(error).split())}); see its log, or try again"
        ) from error


def _check_answers(address: str) -> None:
    """Ray itself waits for an address for minutes. Raises BadRequest."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_S).close()
    except (OSError, ValueError) as error:
        raise BadRequest(
            f"no Ray cluster answers at {address!r} ({error}); give HOST:PORT of its head, ray://HOST:PORT, or auto"
        ) from error
