"""A thousand documents through the real command: `python -m tests.bench.many_documents --work-dir WORK --data DATA`.

DATA is the folder with documents/: the documents are cut from those (`tests.bench.pieces`), PDF, scans, text and code,
two in a hundred broken, and the packaged model answers. With `--stand-in` instead a small engine of plain Python
answers, about made-up leases and without scans: command, journal, parsing and library are the real ones.

Runs `batch` once in peace, and beside it once killed at random moments and started again (`--kills 0`: in peace only).
Prints, as JSON: rows by status, whether every row is accounted for and none is twice, whether both runs gave the same
rows, and the memory of the batch in peace, the most and the median while its first and its last hundred documents (or
tenths, if fewer) are done: of its own process, without what it has mapped of files (weights and readings, which the
system takes back when it likes), and with its children. WORK/calm/memory.csv has all that was seen.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import psutil

from tests.app.batch.made import make as make_leases
from tests.app.batch.test_killed import ON_STAND_IN
from tests.bench.pieces import GOOD
from tests.bench.pieces import make as make_pieces

ROOT = Path(__file__).resolve().parents[2]
QUESTIONS = (
    {"id": "when", "question": "What is the date?"},
    {"id": "law", "question": "Which law governs this agreement?", "source": "*.pdf"},
)
LOOK_EVERY_S = 0.5
LATE_S = 1.0  # a start is killed up to so long after a row, so in any part of the work


@dataclass(frozen=True, slots=True)
class Look:
    """The process at one moment."""

    rows: int
    own_mb: float
    unmapped_mb: float  # of these, what is no page of a file
    with_children_mb: float
    children: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work-dir", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--broken-every", type=int, default=50)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path)
    source.add_argument("--stand-in", action="store_true")
    options = parser.parse_args()
    given: Path = options.work_dir / "given"
    allowed = made(given, options)
    questions = options.work_dir / "questions.jsonl"
    questions.write_text("".join(json.dumps(each) + "\n" for each in QUESTIONS), "utf-8")
    calm = Run(options, "calm", 0)
    killed = Run(options, "killed", options.kills) if options.kills else None
    began = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        beside = pool.submit(killed.go) if killed else None
        looks, _ = calm.go()
        found = of_calm(calm, looks, allowed)
        if killed and beside:
            found |= {"killed": beside.result()[1], **beside_calm(killed, calm)}
    print(json.dumps(found | {"minutes": round((time.monotonic() - began) / 60, 1)}, indent=1))


def made(given: Path, options: argparse.Namespace) -> dict[str, frozenset[str]]:
    """The documents by name, with the statuses that their rows may have."""
    if options.data is not None:
        return make_pieces(given, options.documents, options.data, broken_every=options.broken_every)
    broken = make_leases(given, options.documents, seed=1, scans=False, broken_every=options.broken_every)
    names = (path.relative_to(given).as_posix() for path in given.rglob("*") if path.is_file())
    return {name: frozenset({"failed"}) if name in broken else GOOD for name in names}


class Run:
    """The command, started until it ends by itself."""

    def __init__(self, options: argparse.Namespace, name: str, kills: int) -> None:
        self.work: Path = options.work_dir / name
        self.work.mkdir(parents=True, exist_ok=True)
        self._kills = kills
        self._rows_a_start = options.documents / (kills + 1)
        program = ["-c", ON_STAND_IN] if options.stand_in else ["app.py"]
        self._command = [
            sys.executable, *program, "batch", str(options.work_dir / "given"),
            "--questions", str(options.work_dir / "questions.jsonl"), "--out", str(self.work / "rows.jsonl"), "--quiet",
            "--data-dir", str(self.work / "library"), "--threads", str(options.threads), "--max-new-tokens", "24",
        ]  # fmt: skip

    def go(self) -> tuple[list[Look], int]:
        """What was seen of the last start, and how often it was killed, if it took long enough for that."""
        rng, num_killed = random.Random(2), 0
        while True:
            kill_at = self._num_rows() + rng.uniform(1, self._rows_a_start) if num_killed < self._kills else None
            looks = self._start(kill_at, rng.uniform(0, LATE_S))
            if looks is not None:
                return looks, num_killed
            num_killed += 1

    def _start(self, kill_at: float | None, wait_s: float) -> list[Look] | None:
        """None where it was killed, `wait_s` after the row `kill_at`: in parsing, reading, answering or writing."""
        with (self.work / "said.txt").open("ab") as said:
            process = subprocess.Popen(self._command, cwd=ROOT, stdout=said, stderr=said)
        looks: list[Look] = []
        while process.poll() is None:
            rows = self._num_rows()
            if kill_at is not None and rows >= kill_at:
                time.sleep(wait_s)
                process.kill()
                process.wait()
                return None
            for each in look(process.pid, rows):
                looks.append(each)
                with (self.work / "memory.csv").open("a") as seen:
                    seen.write(",".join(map(str, astuple(each))) + "\n")
            time.sleep(LOOK_EVERY_S)
        return looks

    def _num_rows(self) -> int:
        path = self.work / "rows.jsonl"
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def rows(self) -> list[dict[str, Any]]:
        """Without their timing, which no two runs share."""
        lines = (self.work / "rows.jsonl").read_text("utf-8").splitlines()
        return [{key: value for key, value in json.loads(line).items() if key != "timing"} for line in lines]


def look(pid: int, rows: int) -> list[Look]:
    """Nothing where the process has just ended."""
    try:
        process = psutil.Process(pid)
        own = process.memory_info()
        children = [child.memory_info().rss for child in process.children(recursive=True)]
    except psutil.Error:
        return []
    in_bytes = (own.rss, own.rss - own.shared, own.rss + sum(children))
    return [Look(rows, *(round(each / 1e6, 1) for each in in_bytes), len(children))]


def of_calm(calm: Run, looks: list[Look], allowed: dict[str, frozenset[str]]) -> dict[str, Any]:
    rows = calm.rows()
    expected = len(allowed) + sum(name.endswith(".pdf") for name in allowed)
    part = min(100 / len(allowed), 0.1) * expected
    first = [each for each in looks if 0 < each.rows <= part]
    last = [each for each in looks if each.rows >= expected - part]
    memory = {
        f"{what}_{field.name}": [of(getattr(each, field.name) for each in looks) for looks in (first, last) if looks]
        for field in fields(Look)
        if field.name != "rows"
        for what, of in (("most", max), ("median", statistics.median))
    }
    return {
        "documents": len(allowed),
        "rows": len(rows),
        "by_status": Counter(row["status"] for row in rows),
        "all_accounted_for": len(rows) == expected == len({row["id"] for row in rows}),
        "as_they_should_be": all(row["status"] in allowed[row["source"]] for row in rows),
        "first_and_last": memory,
        "grew": {name: round(values[-1] / values[0] - 1, 3) for name, values in memory.items() if values[0]},
    }


def beside_calm(killed: Run, calm: Run) -> dict[str, Any]:
    again = killed.rows()
    return {
        "none_twice": len(again) == len({row["id"] for row in again}),
        "killed_equals_calm": again == calm.rows(),
    }


if __name__ == "__main__":
    main()
