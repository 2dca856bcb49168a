"""Real servers of OpenAI's protocol with the packaged weights, each a process of its own on a free port."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from llm.packaged import find_gguf

ROOT = Path(__file__).resolve().parents[3]
_LLAMA_CPP = """
import sys, threading, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.model_alias = sys.argv[1], "smollm2"
params.port, params.n_ctx, params.n_parallel, params.warmup = int(sys.argv[2]), int(sys.argv[3]), 1, False
params.cpuparams.n_threads = 1
server = xllamacpp.Server(params)
threading.Event().wait()
"""


@contextmanager
def llama_cpp(n_ctx: int = 2048) -> Iterator[str]:
    """llama.cpp's own server; yields the base URL. Skips where it cannot start."""
    pytest.importorskip("xllamacpp")
    port = free_port()
    with _running([sys.executable, "-c", _LLAMA_CPP, str(find_gguf()), str(port), str(n_ctx)], port) as url:
        yield url


@contextmanager
def transformers_serve(model: Path) -> Iterator[str]:
    """`transformers serve` with a folder, which is the model's name; yields the base URL. Skips if it cannot start."""
    port = free_port()
    command = [
        str(Path(sys.executable).with_name("transformers")), "serve", str(model), "--port", str(port),
        "--host", "127.0.0.1", "--device", "cpu", "--dtype", "bfloat16",
    ]  # fmt: skip
    with _running(command, port) as url:
        yield url


@contextmanager
def _running(command: Sequence[str], port: int) -> Iterator[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        _wait(process, port)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, limit_s: float = 120) -> None:
    ends = time.monotonic() + limit_s
    while time.monotonic() < ends:
        if process.poll() is not None:
            pytest.skip(f"the server did not start: exit code {process.returncode}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    pytest.skip(f"the server did not answer within {limit_s:g} s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
