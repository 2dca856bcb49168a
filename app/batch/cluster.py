"""A batch on Ray: workers, each with a model and a library of its own, wherever Ray puts them; the rows come back here.

The journal stays with the process that was started, so rows, their ids and resuming are those of one machine. Each
worker's library lies in `workers/N` below the data folder, on the disk of the machine it runs on: a library is read by
one process at a time. While a worker answers, it parses the next document in a child process, and says how far it is
when it is asked. Which worker gets what is `app.batch.round`'s business.

Ray is an optional extra (`requirements-ray.txt`). Nothing of it is imported before a crew is opened.
"""

import importlib
import logging
import socket
import threading
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from app.batch.making import BatchOptions, OnReading, RowMaker, Work
from app.batch.round import Round, WorkerLost
from app.batch.rows import Basis, Row
from app.batch.running import Batch, OnRow
from app.batch.sources import Source
from app.errors import BadRequest
from app.service import Entry, Longleaf
from app.service.engine import LoadEngine, load_engine
from app.settings import Settings
from llm.answer import ModelName, ReadingProgress

AUTO = "auto"
_CONNECT_S = 10.0
_LOOK_EVERY_S, _REPLY_S = 2.0, 0.5  # how far the workers are
_ROOT = Path(__file__).resolve().parents[2]
_log = logging.getLogger(__name__)


class Worker:
    """What runs on Ray: one model that makes the rows of one document after the other."""

    def __init__(self, settings: Settings, options: BatchOptions, load: LoadEngine) -> None:
        self._options = options
        self._longleaf = Longleaf(settings, load=load)
        self._parsing = ThreadPoolExecutor(2, "longleaf-parse")
        self._ahead: tuple[str, Future[Entry]] | None = None  # by SHA-256: the one that was to come next
        self._reading: tuple[Source, ReadingProgress] | None = None

    def model(self) -> ModelName:
        """Loads it. Raises ModelNotFound."""
        return self._longleaf.engine().model

    def rows(self, work: Work, basis: Basis, ahead: Source | None) -> list[Row]:
        """Meanwhile `ahead` is parsed."""
        maker = RowMaker(self._longleaf, basis, self._options)
        known, self._ahead = self._ahead, None
        parsed = known[1] if known is not None and known[0] == work.source.sha256 else self._parsed(maker, work.source)
        if ahead is not None:
            self._ahead = ahead.sha256, self._parsed(maker, ahead)
        try:
            return list(maker.rows(work, parsed.result, lambda _: None, self._note))
        finally:
            self._reading = None

    def reading(self) -> tuple[Source, ReadingProgress] | None:
        """How far it is in reading a document. Called on another thread than `rows`."""
        return self._reading

    def _parsed(self, maker: RowMaker, source: Source) -> "Future[Entry]":
        return self._parsing.submit(maker.parse, source, threading.Event())

    def _note(self, source: Source, progress: ReadingProgress) -> None:
        self._reading = source, progress


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

    def run(self, batch: Batch, on_row: OnRow, on_reading: OnReading) -> None:
        """Makes every row that is missing, as `Batch.run`; rows are written when their document is done."""
        Round(self, batch, on_row, on_reading).run()

    def begin(self, index: int, work: Work, basis: Basis, ahead: Source | None) -> Any:
        return self._workers[index].rows.remote(work, basis, ahead)

    def rows(self, begun: Any) -> list[Row]:
        found: list[Row] = self._result(begun)
        return found

    def first_done(self, begun: Collection[Any]) -> Any | None:
        done, _ = self._ray.wait(list(begun), num_returns=1, timeout=_LOOK_EVERY_S)
        return done[0] if done else None

    def reading(self, index: int) -> tuple[Source, ReadingProgress] | None:
        try:
            found: tuple[Source, ReadingProgress] | None = self._ray.get(
                self._workers[index].reading.remote(), timeout=_REPLY_S
            )
        except self._ray.exceptions.RayError:  # busy, or lost: then its rows will tell
            return None
        return found

    def replace(self, index: int) -> None:
        self._workers[index] = self._hired(index)

    @property
    def _threads(self) -> int:
        return self._settings.threads or 1

    def _hired(self, index: int) -> Any:
        folder = self._settings.data_dir / "workers" / str(index)
        settings = replace(self._settings, threads=self._threads, data_dir=folder)
        has_gpus = self._settings.device != "cpu" and self._ray.cluster_resources().get("GPU", 0) >= 1
        remote = self._ray.remote(Worker).options(
            num_cpus=self._threads, num_gpus=1 if has_gpus else 0, max_concurrency=2
        )  # fmt: skip
        return remote.remote(settings, self._options, self._load)

    def _result(self, begun: Any) -> Any:
        try:
            return self._ray.get(begun)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from error
        except self._ray.exceptions.RayActorError as error:
            raise WorkerLost(str(error)) from error


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
