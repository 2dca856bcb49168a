"""The child processes: what they give back, and what a crash, a hang, a bomb or a cancel costs."""

import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import psutil
import pytest

from ingest import Limits, ReaderFailed, UnreadableSource
from ingest.options import MIB
from ingest.sandbox import Sandbox


@pytest.fixture(scope="module")
def sandbox(tasks: ModuleType) -> Iterator[Sandbox]:
    with Sandbox() as made:
        yield made


def run(sandbox: Sandbox, task: Callable[..., bytes], *args: object, limits: Limits = Limits()) -> bytes:  # noqa: B008
    return sandbox.call(task, *args, name="report.pdf", limits=limits, on_progress=lambda done, total: None)


def test_a_child_is_used_again(sandbox: Sandbox, tasks: ModuleType) -> None:
    first = int(run(sandbox, tasks.pid))
    assert first != os.getpid()
    assert int(run(sandbox, tasks.pid)) == first
    assert run(sandbox, tasks.echo, "Grüße") == "Grüße".encode()


def test_what_a_reader_prints_never_mixes_with_its_result(sandbox: Sandbox, tasks: ModuleType) -> None:
    assert run(sandbox, tasks.noisy) == b"quiet"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc keeps what is free")
def test_a_child_keeps_no_memory_that_is_free(tasks: ModuleType) -> None:
    with Sandbox() as sandbox:
        child = psutil.Process(int(run(sandbox, tasks.pid)))
        before = child.memory_info().rss
        run(sandbox, tasks.hoard)
        assert child.memory_info().rss - before < 60 * MIB


def test_a_crash_costs_one_file(sandbox: Sandbox, tasks: ModuleType, caplog: pytest.LogCaptureFixture) -> None:
    before = int(run(sandbox, tasks.pid))
    with pytest.raises(ReaderFailed, match=r"^report.pdf made its reader crash \(exit code -6\)"):
        run(sandbox, tasks.abort)
    assert "sandbox_tasks.py" in caplog.text  # where it crashed, for the log
    after = int(run(sandbox, tasks.pid))
    assert after != before
    assert not psutil.pid_exists(before)


@pytest.mark.parametrize("task", ["hang", "hang_natively"])
def test_a_hang_ends_at_the_time_limit(sandbox: Sandbox, tasks: ModuleType, task: str) -> None:
    started = time.monotonic()
    with pytest.raises(ReaderFailed, match=r"report.pdf took longer than the limit of 0.5 s"):
        run(sandbox, getattr(tasks, task), limits=Limits(read_timeout_s=0.5))
    assert time.monotonic() - started < 5


@pytest.mark.skipif(sys.platform != "linux", reason="the memory limit needs Linux")
@pytest.mark.parametrize("task", ["eat_memory", "eat_memory_slowly"])
def test_a_memory_eater_is_stopped(sandbox: Sandbox, tasks: ModuleType, task: str) -> None:
    with pytest.raises(ReaderFailed, match=r"report.pdf needed more than the limit of 512 MiB of memory"):
        run(sandbox, getattr(tasks, task), limits=Limits(read_memory_bytes=512 * MIB))
    assert run(sandbox, tasks.echo, "on") == b"on"


def test_errors_of_the_source_keep_their_class_and_the_child(sandbox: Sandbox, tasks: ModuleType) -> None:
    before = run(sandbox, tasks.pid)
    with pytest.raises(UnreadableSource, match=r"^it is damaged$"):
        run(sandbox, tasks.refuse)
    with pytest.raises(UnreadableSource, match=r"^it is damaged \(cannot open 'report.pdf'\)$"):  # nobody's folder
        run(sandbox, tasks.refuse_path, Path("/home/of/somebody/1a2b3c"))
    assert run(sandbox, tasks.pid) == before


def test_an_unforeseen_error_is_a_failed_reader(sandbox: Sandbox, tasks: ModuleType) -> None:
    with pytest.raises(ReaderFailed, match=r"report.pdf made its reader fail \(LookupError: no such luck\)"):
        run(sandbox, tasks.break_down)


def test_progress_comes_while_reading(sandbox: Sandbox, tasks: ModuleType) -> None:
    seen: list[tuple[int, int]] = []
    sandbox.call(tasks.count, name="x", limits=Limits(), on_progress=lambda done, total: seen.append((done, total)))
    assert sorted(set(seen)) == [(0, 0), (1, 3), (2, 3), (3, 3)]
    assert seen == sorted(seen)


def test_what_on_progress_raises_ends_the_child(sandbox: Sandbox, tasks: ModuleType) -> None:
    before = int(run(sandbox, tasks.pid))
    started = time.monotonic()

    def stop(done: int, total: int) -> None:
        if time.monotonic() - started > 0.3:
            raise KeyError("enough")

    with pytest.raises(KeyError):
        sandbox.call(tasks.hang, name="x", limits=Limits(), on_progress=stop)
    assert time.monotonic() - started < 3
    assert not psutil.pid_exists(before)


def test_threads_wait_for_a_free_child(tasks: ModuleType) -> None:
    results: list[bytes] = []
    with Sandbox(max_children=1) as single:
        threads = [threading.Thread(target=lambda: results.append(run(single, tasks.pid))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(results) == 4
    assert len(set(results)) == 1


def test_closing_leaves_no_process_behind(tasks: ModuleType) -> None:
    with Sandbox() as made:
        child = int(run(made, tasks.pid))
        assert psutil.pid_exists(child)
    assert not psutil.pid_exists(child)
    with pytest.raises(RuntimeError, match="closed"):
        run(made, tasks.pid)


def test_children_end_with_a_killed_parent_and_do_not_run_its_main_module_again(tmp_path: Path) -> None:
    script = tmp_path / "server.py"
    script.write_text(
        textwrap.dedent("""
        import os
        print("main module runs", flush=True)  # no `if __name__ == "__main__"` on purpose
        from ingest import Limits, sandbox
        from ingest.formats import sniff
        from pathlib import Path
        sandbox.call(sniff, Path(__file__).with_name("a.pdf"), "a.pdf", name="a.pdf", limits=Limits(),
                     on_progress=lambda done, total: None)
        print(sandbox.shared()._idle[0]._process.pid, flush=True)
        os.kill(os.getpid(), 9)
        """)
    )
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7\n")
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, str(script)],
        check=False,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )
    first, child = done.stdout.split("\n")[:2]
    assert first == "main module runs", done.stderr
    assert done.stdout.count("main module runs") == 1
    deadline = time.monotonic() + 5
    while psutil.pid_exists(int(child)) and psutil.Process(int(child)).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the child outlives its parent"
        time.sleep(0.05)
