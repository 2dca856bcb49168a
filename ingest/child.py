"""The child's side of `ingest.sandbox`: takes calls from standard input, answers on standard output.

A frame is one letter, the length of its payload (8 bytes, big endian) and the payload: C a call (pickled by the
parent, who is trusted), P progress, R the result's bytes, E an error's class and sentence (both JSON).

Guarantees: nothing that a library prints can reach the answers (standard output is redirected before the first
reader is imported); the process ends when the parent does; a task that outlives its time limit ends it even while
native code holds the interpreter.
"""

import contextlib
import faulthandler
import json
import os
import pickle
import queue
import signal
import struct
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import IO

from ingest import serial
from ingest.errors import IngestError
from ingest.memory import give_back
from ingest.options import MIB, ReadOptions
from ingest.reader import OnProgress, SourceFile

Task = Callable[..., bytes]  # called with the call's arguments and, last, on_progress
PROGRESS_EVERY_S = 0.1
GRACE_S = 10.0  # how much later than the parent the child ends itself
_HEAD = struct.Struct(">cQ")


def write_frame(stream: IO[bytes], kind: bytes, payload: bytes) -> None:
    stream.write(_HEAD.pack(kind, len(payload)))
    stream.write(payload)
    stream.flush()


def read_frame(stream: IO[bytes]) -> tuple[bytes, bytes] | None:
    """None at the end of the stream, also when it ends inside a frame."""
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    kind, length = _HEAD.unpack(head)
    payload = stream.read(length)
    return (kind, payload) if len(payload) == length else None


def read(file: SourceFile, options: ReadOptions, on_progress: OnProgress) -> bytes:
    """The task of `sandbox.read_file`: the file's document, with problems and likely secrets, as JSON."""
    from ingest.code.secrets import secret_problems
    from ingest.formats import detect, name_problem, reader_of

    found = detect(file.path, file.name)
    misnamed = name_problem(found, file.name)
    document, problems = reader_of(found)(file, options, on_progress)
    problems = [*([misnamed] if misnamed else []), *document.problems, *problems, *secret_problems(document)]
    return serial.to_json(replace(document, problems=tuple(problems)))


def main() -> None:
    """Serves calls until standard input closes."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    calls: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests, calls), daemon=True).start()
    while True:
        _serve(calls.get(), answers)


def _listen(requests: IO[bytes], calls: "queue.SimpleQueue[bytes]") -> None:
    while (frame := read_frame(requests)) is not None:
        calls.put(frame[1])
    os._exit(0)


def _serve(call: bytes, answers: IO[bytes]) -> None:
    on_progress = _Progress(answers)
    task, args, name, limits = pickle.loads(call)
    try:
        faulthandler.dump_traceback_later(limits.read_timeout_s + GRACE_S, exit=True)
        _limit_memory(limits.read_memory_bytes)
        result = task(*args, on_progress)
    except IngestError as error:
        _answer_error(answers, type(error).__name__, _named(str(error), args, name))
    except MemoryError:
        _limit_memory(None)
        needed = f"more than the limit of {limits.read_memory_bytes // MIB:,} MiB of memory"
        _answer_error(answers, "ReaderFailed", f"{name} needed {needed}; raise the limit, or split the file")
    except Exception as error:  # the border of every reader  # noqa: BLE001
        sys.excepthook(type(error), error, error.__traceback__)
        said = _named(f"{type(error).__name__}: {error}", args, name)
        _answer_error(answers, "ReaderFailed", f"{name} made its reader fail ({said})")
    else:
        give_back()  # before the parent looks how much is held
        write_frame(answers, b"R", result)
    finally:
        faulthandler.cancel_dump_traceback_later()


def _named(message: str, args: Sequence[object], name: str) -> str:
    """What a library says of a file, with the file's name for its path: where copies lie is nobody's affair."""
    for arg in args:
        if isinstance(path := getattr(arg, "path", arg), PurePath):
            message = message.replace(str(path), name)
    return message


class _Progress:
    """Sends progress to the parent, ten times a second at most; the last page always."""

    def __init__(self, answers: IO[bytes]) -> None:
        self._answers = answers
        self._sent_at = 0.0

    def __call__(self, done: int, total: int) -> None:
        if done == total or time.monotonic() - self._sent_at > PROGRESS_EVERY_S:
            self._sent_at = time.monotonic()
            write_frame(self._answers, b"P", json.dumps([done, total]).encode())


def _answer_error(answers: IO[bytes], kind: str, message: str) -> None:
    write_frame(answers, b"E", json.dumps([kind, message]).encode())


def _limit_memory(max_bytes: int | None) -> None:
    """Caps what the process may allocate; None lifts the cap. RLIMIT_DATA counts private memory, not mapped files."""
    if sys.platform != "linux":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    with contextlib.suppress(ValueError):  # the machine's own hard limit is lower, and holds anyway
        resource.setrlimit(resource.RLIMIT_DATA, (hard if max_bytes is None else max_bytes, hard))
