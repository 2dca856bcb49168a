"""A thousand documents through the real command: `python -m tests.bench.many_documents --work-dir WORK`.

With `--stand-in` a small engine of plain Python answers instead of the model, and no document is a scan: the command,
its journal, its parsing and its library are the real ones.

Makes PDF files, scans, text and code, two in a hundred broken; runs `batch` once in peace and once killed at random
moments and resumed. Prints, as JSON: rows by status, whether every row is accounted for and none is twice, whether both
runs gave the same rows, and the memory of the batch's process over its first and last tenth.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

from tests.app.batch.made import make
from tests.app.batch.test_killed import ON_STAND_IN

ROOT = Path(__file__).resolve().parents[2]
QUESTIONS = ("How much is the rent?", "When does the lease begin?")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work-dir", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--stand-in", action="store_true")
    options = parser.parse_args()
    given: Path = options.work_dir / "given"
    broken = make(given, options.documents, seed=1, scans=not options.stand_in)
    calm, killed = options.work_dir / "calm", options.work_dir / "killed"
    memory, _ = run(given, calm, options, kills=0)
    _, num_killed = run(given, killed, options, kills=options.kills)
    rows, again = read(calm), read(killed)
    ids = [row["id"] for row in again]
    tenth = max(1, len(memory) // 10)
    print(
        json.dumps(
            {
                "documents": options.documents,
                "broken": len(broken),
                "killed": num_killed,
                "rows": len(rows),
                "by_status": Counter(row["status"] for row in rows),
                "all_accounted_for": len(rows) == options.documents * len(QUESTIONS),
                "failed_are_the_broken": {row["source"] for row in rows if row["status"] == "failed"} == set(broken),
                "none_twice": len(ids) == len(set(ids)),
                "killed_equals_calm": rows == again,
                "memory_mb_first_tenth": max(memory[:tenth]) / 1e6,
                "memory_mb_last_tenth": max(memory[-tenth:]) / 1e6,
            },
            indent=1,
        )
    )


def run(given: Path, work: Path, options: argparse.Namespace, *, kills: int) -> tuple[list[int], int]:
    """Runs until the end, killed so many times in between, if it takes that long.

    The process's bytes, twice a second, of the last start; and how often it was killed.
    """
    work.mkdir(parents=True, exist_ok=True)
    asked = [word for question in QUESTIONS for word in ("-q", question)]
    program = ["-c", ON_STAND_IN] if options.stand_in else ["app.py"]
    command = [
        sys.executable, *program, "batch", str(given), *asked, "--out", str(work / "rows.jsonl"), "--quiet",
        "--data-dir", str(work / "library"), "--threads", str(options.threads), "--max-new-tokens", "24",
    ]  # fmt: skip
    num_killed = 0
    rng = random.Random(2)
    while True:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        size, ends_at = _size(work), None
        memory: list[int] = []
        while process.poll() is None:
            if ends_at is None and num_killed < kills and _size(work) > size:  # into the work, not into the start
                ends_at = time.monotonic() + rng.uniform(0, 5 if options.stand_in else 50)
            if ends_at is not None and time.monotonic() > ends_at:
                process.kill()
                num_killed += 1
                process.wait()
                break
            memory.append(psutil.Process(process.pid).memory_info().rss)
            time.sleep(0.5)
        else:
            return memory, num_killed


def _size(work: Path) -> int:
    path = work / "rows.jsonl"
    return path.stat().st_size if path.exists() else 0


def read(work: Path) -> list[dict[str, Any]]:
    """Rows without their timing, which no two runs share."""
    lines = (work / "rows.jsonl").read_text("utf-8").splitlines()
    return [{key: value for key, value in json.loads(line).items() if key != "timing"} for line in lines]


if __name__ == "__main__":
    main()
