"""Kills, full disks, flipped bits, short and missing files: refused with a sentence, and no commit is lost."""

import errno
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from llm.errors import SnapshotRefused
from llm.kv import files
from llm.kv.snapshot import Snapshot
from tests.llm.kv.made import CPU, MIXED, append, assert_holds, cut, states_of, store_of

ROOT = Path(__file__).resolve().parents[3]
IDS = list(range(500))
KILLS = 30


def written(folder: Path, until: int = 300) -> Snapshot:
    snapshot = store_of(folder).open(IDS, ["doc"])
    append(snapshot, states_of(MIXED, len(IDS)), until=until)
    return snapshot


def reopened(folder: Path) -> Snapshot:
    return store_of(folder).open(IDS, ["doc"])


def test_a_kill_at_any_moment_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.llm.kv.killed", str(tmp_path), str(KILLS)],
        check=False, cwd=ROOT, capture_output=True, text=True, timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert len(result["found"]) == KILLS
    assert result["killed_inside"] >= KILLS // 2
    assert len(set(result["found"])) >= 5  # the kills came at different stages


def full_disk_at(call: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """From the `call`-th write, sync, truncation or rename on, the disk is full. Returns the calls that were made."""
    calls: list[str] = []

    def failing(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def attempt(*args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            if len(calls) <= call:
                return real(*args, **kwargs)
            if name == "write":  # half of it still fits
                real(args[0], memoryview(args[1])[: len(args[1]) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        return attempt

    for name in ("write", "fsync", "ftruncate", "replace"):
        monkeypatch.setattr(files.os, name, failing(name, getattr(os, name)))
    return calls


def test_a_full_disk_at_any_write_loses_nothing_and_the_snapshot_stays_usable(tmp_path: Path) -> None:
    states = states_of(MIXED, len(IDS))
    failed: list[str] = []
    for call in itertools.count():
        snapshot = written(tmp_path, until=100)
        with pytest.MonkeyPatch.context() as patched:
            calls = full_disk_at(call, patched)
            try:
                snapshot.append(cut(states, 100, 250), 150)
            except OSError:
                failed.append(calls[-1])
            else:
                break
        assert snapshot.num_tokens == 100
        assert_holds(snapshot, states)
        assert_holds(reopened(tmp_path), states)
        snapshot.append(cut(states, 100, 170), 70)  # the same object goes on
        assert_holds(snapshot, states)
        append(snapshot, states, until=500)
        snapshot.check_integrity()
        assert_holds(snapshot, states)
        snapshot.discard()
    assert snapshot.num_tokens == 250
    assert_holds(reopened(tmp_path), states)
    assert set(failed) == {"write", "fsync", "ftruncate", "replace"}


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 16
    path.write_bytes(data)


def test_a_flipped_bit_anywhere_is_found(tmp_path: Path) -> None:
    snapshot = written(tmp_path)
    for path in sorted(snapshot.folder.iterdir()):
        size = path.stat().st_size
        if path.name == "manifest.json":
            continue
        used = size if path.name != "bounds.bin" else 4 * 2 * 2 * 16 * 2  # of layer 0; room follows
        for at in (0, used // 3, used // 2, used - 1):
            flip(path, at)
            with pytest.raises(SnapshotRefused, match=r"is damaged in .*; it is read anew"):
                reopened(tmp_path).check_integrity()
            flip(path, at)
    reopened(tmp_path).check_integrity()


def test_a_flipped_bit_is_refused_when_the_block_is_first_read_and_named(tmp_path: Path) -> None:
    snapshot = written(tmp_path)
    row_bytes = (snapshot.folder / "blocks.bin").stat().st_size // 4
    flip(snapshot.folder / "blocks.bin", 2 * row_bytes + 100)  # block 2; the row begins with layer 0
    damaged = reopened(tmp_path)
    damaged.blocks(0, torch.tensor([0, 1, 3]), device=CPU, dtype=torch.float32)
    damaged.blocks(3, torch.tensor([2]), device=CPU, dtype=torch.float32)
    sentence = (
        r"^the stored reading [0-9a-f]{12} is damaged in block 2 of layer 0 \(tokens 128 to 191\); it is read anew$"
    )
    with pytest.raises(SnapshotRefused, match=sentence):
        damaged.blocks(0, torch.tensor([1, 2]), device=CPU, dtype=torch.float32)
    with pytest.raises(SnapshotRefused, match=sentence):
        damaged.check_integrity()


def test_a_flipped_bound_is_refused_when_bounds_are_first_asked_for(tmp_path: Path) -> None:
    snapshot = written(tmp_path)
    flip(snapshot.folder / "bounds.bin", 5)
    with pytest.raises(SnapshotRefused, match="damaged in the bounds of layer 0"):
        reopened(tmp_path).bounds(0)
    assert reopened(tmp_path).bounds(3).shape == (4, 2, 1, 32)


def test_blocks_at_each_others_places_are_noticed(tmp_path: Path) -> None:
    snapshot = written(tmp_path)
    path = snapshot.folder / "blocks.bin"
    data = path.read_bytes()
    row = len(data) // 4
    path.write_bytes(data[row : 2 * row] + data[:row] + data[2 * row :])
    with pytest.raises(SnapshotRefused, match="damaged in block 0 of layer 0"):
        reopened(tmp_path).check_integrity()


@pytest.mark.parametrize("name", ["blocks.bin", "bounds.bin", "tail-300.bin", "last-100-*.bin", "last-128-*.bin"])
def test_short_and_missing_files_are_refused(tmp_path: Path, name: str) -> None:
    path = sorted(written(tmp_path).folder.glob(name))[0]
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(SnapshotRefused, match=rf"is cut short: {path.name} ends before byte \d+; it is read anew"):
        reopened(tmp_path).check_integrity()
    path.unlink()
    with pytest.raises(SnapshotRefused, match=rf"has no {path.name} any more"):
        reopened(tmp_path).check_integrity()


def test_what_a_kill_left_beyond_the_commit_is_overwritten(tmp_path: Path) -> None:
    """Longer files than the commit says, segments and tails of a commit that never came, a half-written manifest."""
    snapshot, states = written(tmp_path), states_of(MIXED, len(IDS))
    with (snapshot.folder / "blocks.bin").open("ab") as stream:
        stream.write(os.urandom(20_000))
    for name in ("last-100-4.bin", "last-128-9.bin", "tail-431.bin", "manifest.writing"):
        (snapshot.folder / name).write_bytes(os.urandom(50_000))
    again = reopened(tmp_path)
    assert_holds(again, states)
    append(again, states, until=500)
    assert_holds(again, states)
    again.check_integrity()
    assert (
        not list(again.folder.glob("*431*")) + list(again.folder.glob("*-9.bin")) + list(again.folder.glob("*.writing"))
    )


def test_a_lock_that_another_process_holds_too_long_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm.kv.snapshot._LOCK_WAIT_S", 0.1)
    snapshot = written(tmp_path)
    program = (
        "import sys, filelock\n"
        "lock = filelock.FileLock(sys.argv[1])\n"
        "lock.acquire()\n"
        "print('locked', flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / ".lock")]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(
            SnapshotRefused, match=r"another process has been changing the stored readings .* for 0.1 s"
        ):
            append(snapshot, states_of(MIXED, len(IDS)), until=400)
        assert snapshot.num_tokens == 300
        holder.kill()
    append(snapshot, states_of(MIXED, len(IDS)), until=400)
    assert snapshot.num_tokens == 400


def test_two_processes_read_while_one_writes(tmp_path: Path) -> None:
    states = states_of(MIXED, len(IDS))
    writer = written(tmp_path, until=64)
    program = (
        "import sys, torch; from pathlib import Path\n"
        "from tests.llm.kv.made import *\n"
        "ids, states = list(range(500)), states_of(MIXED, 500)\n"
        "seen = set()\n"
        "while 500 not in seen:\n"
        "    snapshot = store_of(Path(sys.argv[1])).open(ids, ['doc'])\n"
        "    key, value = snapshot.blocks(0, torch.arange(snapshot.num_blocks), device=CPU, dtype=torch.float32)\n"
        "    assert torch.equal(key, states[0][0][:, : snapshot.num_blocks * 64])\n"
        "    assert len(snapshot.bounds(3)) == snapshot.num_blocks\n"
        "    seen.add(snapshot.num_tokens)\n"
        "    print(snapshot.num_tokens, flush=True)\n"
    )
    readers = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for reader in readers:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "64\n"
    append(writer, states, until=500, step=10)
    for reader in readers:
        output, _ = reader.communicate(timeout=60)
        assert reader.returncode == 0
        assert len(set(output.split())) > 2
