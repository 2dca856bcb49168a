"""A batch killed at random moments and run again gives the rows of one that nobody killed, none of them twice."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.app.batch.made import make

ROOT = Path(__file__).resolve().parents[3]
ON_STAND_IN = """
import sys, time
from tests.app.conftest import FakeEngine
import app.cli.session
from app.cli import cli
from app.service import Longleaf

def load(settings, on_text):
    engine = FakeEngine(settings.data_dir / "state")
    engine.state_dir.mkdir(parents=True, exist_ok=True)
    engine.during_reading = lambda: time.sleep(0.02)
    return engine

app.cli.session.Longleaf = lambda settings, on_text: Longleaf(settings, on_text=on_text, load=load)
cli(sys.argv[1:])
"""
KILLS = 3


def start(given: Path, work: Path) -> "subprocess.Popen[bytes]":
    args = ["batch", given, "--questions", given.parent / "questions.txt", "--out", work / "rows.jsonl", "--quiet"]
    command = [sys.executable, "-c", ON_STAND_IN, *map(str, args), "--data-dir", str(work / "library")]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def rows(work: Path) -> list[dict[str, Any]]:
    """Without the timing, which no two runs share."""
    lines = (work / "rows.jsonl").read_text("utf-8").splitlines()
    return [{key: value for key, value in json.loads(line).items() if key != "timing"} for line in lines]


def size_of(work: Path) -> int:
    path = work / "rows.jsonl"
    return path.stat().st_size if path.exists() else 0


def test_killed_and_resumed_is_as_if_nothing_had_happened(tmp_path: Path) -> None:
    rng = random.Random(4)
    given = tmp_path / "given"
    broken = make(given, 12, scans=False, broken_every=3)
    (tmp_path / "questions.txt").write_text("Is it March.\nHow many crowns.\nWhere is the plumber.\n")
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    for work in (calm, killed):
        work.mkdir()
    assert start(given, calm).wait(120) == 1
    assert len(rows(calm)) == 36
    assert {row["source"] for row in rows(calm) if row["status"] == "failed"} == set(broken)
    num_kills = 0
    while num_kills < KILLS:
        process, size = start(given, killed), size_of(killed)
        while process.poll() is None and size_of(killed) == size:  # into the middle of the work, not into the start
            time.sleep(0.01)
        time.sleep(rng.random() * 0.1)
        if process.poll() is not None:
            break
        process.kill()
        num_kills += 1
        process.wait(60)
    assert num_kills > 1, "the batch was over before it could be killed"
    assert start(given, killed).wait(120) == 1
    assert rows(killed) == rows(calm)
    assert len({row["id"] for row in rows(killed)}) == 36
