"""One worker on Ray against two: `python -m tests.bench.two_workers --work-dir WORK --data DATA`.

Asks two questions of real contracts with the packaged model, one thread a worker, first by one worker and then by two,
each from a cold start. Prints, as JSON, the seconds of the whole command and from its first row to its last (without
starting Ray and loading models), the speed-up, and whether the rows are equal. Takes two free cores.
"""

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
QUESTIONS = ("Which state's law governs this agreement?", "What is the effective date of this agreement?")
LOOK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds of one run, and its rows by document and question, without their timing."""

    whole_s: float
    first_rows: int  # that came together first
    after_first_s: float
    rows: dict[tuple[str, str], dict[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work-dir", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--contracts", type=int, default=16)
    options = parser.parse_args()
    contracts = sorted((options.data / "documents" / "contracts").glob("*.pdf"))[: options.contracts]
    options.work_dir.mkdir(parents=True, exist_ok=True)
    listed = options.work_dir / "contracts.txt"
    listed.write_text("".join(f"{path.absolute()}\n" for path in contracts), "utf-8")
    one, two = (run(options.work_dir / f"workers-{number}", listed, number) for number in (1, 2))
    print(
        json.dumps(
            {
                "contracts": len(contracts),
                "rows": len(one.rows),
                "rows_equal": one.rows == two.rows,
                "whole_s": [round(one.whole_s, 1), round(two.whole_s, 1)],
                "rows_a_minute": [round(rate(one), 1), round(rate(two), 1)],
                "speed_up": round(rate(two) / rate(one), 2),
                "speed_up_of_the_command": round(one.whole_s / two.whole_s, 2),
            },
            indent=1,
        )
    )


def rate(took: Took) -> float:
    """Rows a minute, from the first to the last."""
    return (len(took.rows) - took.first_rows) / took.after_first_s * 60


def run(work: Path, listed: Path, workers: int) -> Took:
    work.mkdir()
    out = work / "rows.jsonl"
    asked = [word for question in QUESTIONS for word in ("-q", question)]
    command = [
        sys.executable, "app.py", "batch", f"@{listed}", *asked, "--out", str(out), "--data-dir", str(work / "library"),
        "--ray", "auto", "--workers", str(workers), "--threads", "1",
    ]  # fmt: skip
    began, first_at, first_rows = time.monotonic(), None, 0
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        if first_at is None and out.exists() and (first_rows := out.read_bytes().count(b"\n")):
            first_at = time.monotonic()
        time.sleep(LOOK_EVERY_S)
    ended = time.monotonic()
    assert first_at is not None, f"the run with {workers} workers made no row; see what it said"
    rows = map(json.loads, out.read_text("utf-8").splitlines())
    by_place = {
        (row["source"], row["question_id"]): {key: value for key, value in row.items() if key != "timing"}
        for row in rows
    }
    return Took(ended - began, first_rows, ended - first_at, by_place)


if __name__ == "__main__":
    main()
