"""Parsing in child processes, so that a native crash, a hang or a bomb costs one file and not the server.

Owns the children: starts them, reuses them over many files (starting Python with PyMuPDF costs about a second),
replaces them after a crash, a time-out or a cancel, and ends them at exit. `ingest.child` is their side.

Why not multiprocessing or pebble: a spawned worker imports the parent's main module again (here the web page with
gradio and torch), a forked one inherits the locks of the server's threads, and neither sends progress while it works.
A plain `python -c` child with two pipes does both in less code.

Guarantees: a call returns, or raises an `IngestError`, within its time limit; results cross as bytes that are never
unpickled; children end when the parent does, even when it is killed. The memory limit needs Linux (RLIMIT_DATA);
elsewhere only the time limit holds.
"""

import atexit
import functools
import json
import logging
import os
import pickle
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

import psutil

import ingest.errors
from ingest import child, serial
from ingest.document import Document
from ingest.errors import IngestError, ReaderFailed
from ingest.options import MIB, Limits, ReadOptions
from ingest.reader import OnProgress, SourceFile

HEARTBEAT_S = 0.1  # how soon a cancel is noticed
RETIRE_ABOVE_BYTES = 1024 * MIB  # a child that still holds this much after a file is replaced: leaks add up
MAX_CHILDREN = 3  # one long document, one small file and one page image at the same time
_START = "import sys; sys.path[:] = sys.argv[1:]; from ingest.child import main; main()"
_log = logging.getLogger(__name__)


class Sandbox:
    """Up to `max_children` child processes that run tasks. Safe to call from several threads."""

    def __init__(self, max_children: int = MAX_CHILDREN) -> None:
        self._free_places = threading.Semaphore(max_children)
        self._idle: list[_Child] = []
        self._lock = threading.Lock()
        self._closed = False

    def call(self, task: child.Task, *args: object, name: str, limits: Limits, on_progress: OnProgress) -> bytes:
        """`task(*args, on_progress)` in a child. `name` is for messages.

        `on_progress` is called every tenth of a second also when nothing moved; what it raises ends the child and
        comes out of here. Raises IngestError: the task's own, or ReaderFailed for crash, time-out and lack of memory.
        """
        with self._place(on_progress):
            worker = self._take()
            try:
                result = worker.run(task, args, name, limits, on_progress)
            except IngestError as error:
                if isinstance(error, ReaderFailed):
                    worker.end()
                else:
                    self._give_back(worker)
                raise
            except BaseException:
                worker.end()
                raise
            self._give_back(worker)
            return result

    def close(self) -> None:
        """Ends the children that are idle, and the others as soon as they finish."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.end()

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _place(self, on_progress: OnProgress) -> Iterator[None]:
        while not self._free_places.acquire(timeout=HEARTBEAT_S):
            on_progress(0, 0)
        try:
            yield
        finally:
            self._free_places.release()

    def _take(self) -> "_Child":
        while True:
            with self._lock:
                if self._closed:
                    raise RuntimeError("the sandbox is closed; make a new one")
                if not self._idle:
                    break
                worker = self._idle.pop()
            if worker.is_alive():
                return worker
            worker.end()
        return _Child()

    def _give_back(self, worker: "_Child") -> None:
        if worker.held_bytes() < RETIRE_ABOVE_BYTES:
            with self._lock:
                if not self._closed:
                    self._idle.append(worker)
                    return
        worker.end()


class _Child:
    """One child process: requests go to its standard input, frames come back from its standard output."""

    def __init__(self) -> None:
        root = str(Path(__file__).resolve().parent.parent)
        self._stderr = tempfile.TemporaryFile("a+b")  # noqa: SIM115  # closed by `end`
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, root, *filter(None, sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
        )
        self._frames: queue.SimpleQueue[tuple[bytes, bytes] | None] = queue.SimpleQueue()
        self._listener = threading.Thread(target=self._listen, name="ingest-sandbox", daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None, "the child was started without a pipe"
        while (frame := child.read_frame(self._process.stdout)) is not None:
            self._frames.put(frame)
        self._frames.put(None)

    def run(
        self, task: child.Task, args: tuple[object, ...], name: str, limits: Limits, on_progress: OnProgress
    ) -> bytes:
        assert self._process.stdin is not None, "the child was started without a pipe"
        deadline = time.monotonic() + limits.read_timeout_s
        with suppress(OSError):  # a child that just died: the listener says so below
            child.write_frame(self._process.stdin, b"C", pickle.dumps((task, args, name, limits)))
        done, total = 0, 0
        while True:
            on_progress(done, total)
            try:
                frame = self._frames.get(timeout=HEARTBEAT_S)
            except queue.Empty:
                if time.monotonic() > deadline:
                    raise ReaderFailed(
                        f"{name} took longer than the limit of {limits.read_timeout_s:g} s; raise the limit, or read "
                        "fewer pages at a time"
                    ) from None
                continue
            if frame is None:
                raise ReaderFailed(self._obituary(name))
            kind, payload = frame
            if kind == b"R":
                return payload
            if kind == b"E":
                raise _error_from(payload)
            done, total = json.loads(payload)

    def _obituary(self, name: str) -> str:
        code = self._process.wait()
        self._stderr.seek(0)
        _log.warning("reader of %s ended with %s; it last said: %s", name, code, self._stderr.read()[-2000:])
        return (
            f"{name} made its reader crash (exit code {code}) in its child process; the file is probably damaged, "
            "and nothing else was touched"
        )

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def held_bytes(self) -> int:
        with suppress(psutil.Error):
            return int(psutil.Process(self._process.pid).memory_info().rss)
        return 0

    def end(self) -> None:
        """Kills the process and waits for it, so that no zombie stays."""
        self._process.kill()
        self._process.wait()
        self._listener.join()
        for stream in (self._process.stdin, self._process.stdout, self._stderr):
            if stream is not None:
                with suppress(OSError):
                    stream.close()


def _error_from(payload: bytes) -> IngestError:
    kind, message = json.loads(payload)
    found = getattr(ingest.errors, kind, ReaderFailed)
    assert issubclass(found, IngestError), f"the child sent {kind}, which is no error of a source"
    return found(message)


@functools.cache
def shared() -> Sandbox:
    """The sandbox of this process, made when first needed and closed at exit."""
    sandbox = Sandbox()
    atexit.register(sandbox.close)
    return sandbox


def call(task: child.Task, *args: object, name: str, limits: Limits, on_progress: OnProgress) -> bytes:
    """`Sandbox.call` on the shared sandbox."""
    return shared().call(task, *args, name=name, limits=limits, on_progress=on_progress)


def read_file(file: SourceFile, options: ReadOptions, on_progress: OnProgress) -> Document:
    """The document of one file, parsed in a child process; its problems are inside. Raises IngestError."""
    absolute = SourceFile(Path(os.path.abspath(file.path)), file.name, file.id, file.size_bytes)
    data = call(child.read, absolute, options, name=file.name, limits=options.limits, on_progress=on_progress)
    return serial.from_json(data)


ReadFile = Callable[[SourceFile, ReadOptions, OnProgress], Document]
