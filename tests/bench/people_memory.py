"""What a server for many people takes in memory: several libraries over one model, asked in many threads at once.

    python -m tests.bench.people_memory --work-dir WORK [--people 6] [--rounds 5] [--documents FILE...] [--keep]

Reads the documents once, copies them into a library for each person, and lets all of them ask at once, each round about
another document. Prints, as JSON lines, the process's memory after each round: anonymous, and of mapped files. With
`--keep` nothing is given back and everything stays open, as it was before `ingest/memory.py`.
"""

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from app.service import Longleaf
from app.service.engine import SharedEngine
from app.service.line import Line
from app.settings import Settings
from app.web.host.shelf import copy_shelf
from ingest.memory import give_back
from llm import engine as engines
from tests.bench.people_asking import DOCUMENTS, QUESTIONS

THREADS = 20  # as many as a server answers in


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work-dir", type=Path, required=True)
    parser.add_argument("--people", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--documents", type=Path, nargs="+", default=None)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    contracts, receipts = sorted(DOCUMENTS.glob("contracts/*.pdf")), sorted(DOCUMENTS.glob("receipts/*.jpg"))
    if options.keep:
        engines.give_back, engines._KEPT_OPEN = (lambda: None), 1000
    settings = Settings(data_dir=options.work_dir / "data")
    engine = SharedEngine(settings, lambda text: print(text, file=sys.stderr))
    ids = read(options.work_dir / "shelf", engine, options.documents or [*contracts[:4], *receipts[:2]])
    line = Line()
    people = [person(options.work_dir, number, engine, settings, line) for number in range(options.people)]
    print(json.dumps({"round": 0, **memory_mb()}), flush=True)
    with ThreadPoolExecutor(THREADS) as pool:
        for round_no in range(1, options.rounds + 1):
            list(pool.map(lambda number: ask(people[number], ids, round_no + number), range(len(people))))  # noqa: B023
            print(json.dumps({"round": round_no, **memory_mb()}), flush=True)
    give_back()
    print(json.dumps({"given back": True, **memory_mb()}), flush=True)


def read(shelf: Path, engine: SharedEngine, documents: list[Path]) -> list[str]:
    """The ids of the documents, read whole in a library that the people's are copies of."""
    longleaf = Longleaf(Settings(data_dir=shelf), load=engine.for_library)
    ids = [longleaf.add(path).id for path in documents]
    for entry_id in ids:
        for _ in longleaf.read([entry_id]):
            pass
    longleaf.close()
    return ids


def person(work: Path, number: int, engine: SharedEngine, settings: Settings, line: Line) -> Longleaf:
    home = work / "data" / f"person{number:02}"
    home.parent.mkdir(parents=True, exist_ok=True)
    copy_shelf(work / "shelf", home)
    return Longleaf(replace(settings, data_dir=home), load=engine.for_library, line=line)


def ask(longleaf: Longleaf, ids: list[str], number: int) -> None:
    for _ in longleaf.ask([ids[number % len(ids)]], QUESTIONS[number % len(QUESTIONS)]):
        pass


def memory_mb() -> dict[str, int]:
    """Of this process, from /proc: anonymous memory, and pages of files that are mapped."""
    rows = (row.split(":") for row in Path("/proc/self/status").read_text().splitlines())
    kb = {name: int(value.split()[0]) for name, value in rows if name in ("RssAnon", "RssFile")}
    return {"anonymous_mb": kb["RssAnon"] // 1024, "files_mb": kb["RssFile"] // 1024}


if __name__ == "__main__":
    main()
