"""A thousand documents through the real command: `python -m tests.bench.many_documents --work-dir WORK`.

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

ROOT = Path(__file__).resolve().parents[2]
QUESTIONS = ("How much is the rent?", "When does the lease begin?")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work-dir", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    given: Path = options.work_dir / "given"
    broken = make(given, options.documents, seed=1)
    calm, killed = options.work_dir / "calm", options.work_dir / "killed"
    memory = run(given, calm, options.threads, kills=0)
    run(given, killed, options.threads, kills=options.kills)
    rows, again = read(calm), read(killed)
    ids = [row["id"] for row in again]
    tenth = max(1, len(memory) // 10)
    print(
        json.dumps(
            {
                "documents": options.documents,
                "broken": len(broken),
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


def run(given: Path, work: Path, threads: int, *, kills: int) -> list[int]:
    """Runs until the end, killed so many times in between; the process's bytes, once a second, of the last start."""
    work.mkdir(parents=True, exist_ok=True)
    asked = [word for question in QUESTIONS for word in ("-q", question)]
    command = [
        sys.executable, "app.py", "batch", str(given), *asked, "--out", str(work / "rows.jsonl"), "--quiet",
        "--data-dir", str(work / "library"), "--threads", str(threads), "--max-new-tokens", "24",
    ]  # fmt: skip
    rng = random.Random(2)
    while True:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        ends_at = time.monotonic() + rng.uniform(8, 60) if kills else None
        memory: list[int] = []
        while process.poll() is None:
            if ends_at is not None and time.monotonic() > ends_at:
                process.kill()
                kills -= 1
                process.wait()
                break
            memory.append(psutil.Process(process.pid).memory_info().rss)
            time.sleep(1)
        else:
            return memory


def read(work: Path) -> list[dict[str, Any]]:
    """Rows without their timing, which no two runs share."""
    lines = (work / "rows.jsonl").read_text("utf-8").splitlines()
    return [{key: value for key, value in json.loads(line).items() if key != "timing"} for line in lines]


if __name__ == "__main__":
    main()
