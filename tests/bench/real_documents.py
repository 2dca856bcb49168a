"""What a person gets from real documents: `python -m tests.bench.real_documents [--receipts N] [--contracts N]`.

Asks the engine the same questions of every receipt (company, date, total) and contract (governing law, party, date,
term) in ../shared/data/documents, and prints, as JSON, the share of questions whose answer holds the truth, the share
whose first quote holds it, and the share said to be not found; with seconds a question. The truth is compared in lower
case without punctuation; a date counts in any common notation.
"""

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from platformdirs import user_cache_path

import ingest
from llm import Engine
from llm.answer import Answer, Answered, AskOptions

DOCUMENTS = Path(__file__).resolve().parents[3] / "shared" / "data" / "documents"
RECEIPT_QUESTIONS = {
    "company": "What is the name of the company?",
    "date": "What is the date of the receipt?",
    "total": "What is the total?",
}
CONTRACT_QUESTIONS = {
    "jurisdiction": "Which state's law governs this agreement?",
    "party": "Who are the parties to this agreement?",
    "effective_date": "What is the effective date of this agreement?",
    "term": "How long do the obligations of confidentiality last?",
}
Case = tuple[Path, str, str, list[str]]  # file, field, question, accepted answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--receipts", type=int, default=30)
    parser.add_argument("--contracts", type=int, default=40)
    parser.add_argument("--model")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine.load(
            options.model, state_dir=Path(folder), cache_dir=user_cache_path("longleaf"), threads=options.threads
        )
        cases = [*receipts(options.receipts), *contracts(options.contracts)]
        print(json.dumps({"model": engine.model.name, **measure(engine, cases, Path(folder))}, indent=1))


def receipts(number: int) -> Iterator[Case]:
    for key in sorted((DOCUMENTS / "receipts").glob("*.key.json"))[:number]:
        truth = json.loads(key.read_text(encoding="utf-8"))
        image = next(path for path in key.parent.glob(key.name.split(".")[0] + ".*") if path.suffix in (".jpg", ".png"))
        for field, question in RECEIPT_QUESTIONS.items():
            if truth.get(field):
                yield image, f"receipt {field}", question, [truth[field]]


def contracts(number: int) -> Iterator[Case]:
    folder = DOCUMENTS / "contracts"
    for line in (folder / "expected.jsonl").read_text(encoding="utf-8").splitlines()[:number]:
        row = json.loads(line)
        for field, question in CONTRACT_QUESTIONS.items():
            if values := row["expected"].get(field):
                accepted = [notation for value in values for notation in notations(value)]
                yield folder / row["file"], f"contract {field}", question, accepted


def measure(engine: Engine, cases: list[Case], folder: Path) -> dict[str, dict[str, float]]:
    """Scores by field. A file is opened once; its reading serves all its questions."""
    sums: dict[str, dict[str, float]] = {}
    opened: tuple[Path, ingest.Document] | None = None
    for at, (path, field, question, accepted) in enumerate(cases):
        if opened is None or opened[0] != path:
            opened = (path, ingest.open_source(path, work_dir=folder / "work").document)
        started = time.perf_counter()
        answer = answer_of(engine, opened[1], question)
        row = sums.setdefault(field, dict.fromkeys(("n", "answered", "quoted", "not_found", "seconds"), 0.0))
        row["n"] += 1
        row["answered"] += answer.found and holds(answer.answer, accepted)
        row["quoted"] += bool(answer.citations) and holds(answer.citations[0].quote, accepted)
        row["not_found"] += not answer.found
        row["seconds"] += time.perf_counter() - started
        print(f"{at + 1}/{len(cases)} {path.name} {field}: {answer.answer[:60]!r} for {accepted[0]!r}", file=sys.stderr)
    return {
        field: {name: value if name == "n" else round(value / row["n"], 3) for name, value in row.items()}
        for field, row in sums.items()
    }


def answer_of(engine: Engine, document: ingest.Document, question: str) -> Answer:
    *_, last = engine.ask([document], question, AskOptions(max_new_tokens=48))
    assert isinstance(last, Answered), "an answer comes last"
    return last.answer


def holds(text: str, accepted: list[str]) -> bool:
    return any(plain(value) in plain(text) for value in accepted)


def plain(text: str) -> str:
    """Lower case, one blank between words, no punctuation but inside numbers."""
    return " ".join(re.sub(r"(?<!\d)[^\w\s]|[^\w\s](?!\d)", " ", text.lower()).split())


def notations(value: str) -> list[str]:
    """An ISO date in the ways in which people write it; anything else as it stands."""
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return [value]
    day = date.fromisoformat(value)
    month = day.strftime("%B")
    return [
        f"{month} {day.day}, {day.year}",
        f"{day.day} {month} {day.year}",
        f"{month} {day.day:02}, {day.year}",
        f"{day.month}/{day.day}/{day.year}",
        f"{day.month:02}/{day.day:02}/{day.year}",
        f"{day.month}/{day.day}/{day.year % 100:02}",
        *(f"{day.day}{suffix} day of {month}, {day.year}" for suffix in ("st", "nd", "rd", "th")),
        value,
    ]


if __name__ == "__main__":
    main()
