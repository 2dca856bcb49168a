"""Questions about tables through the whole engine: each table of the question set as a file of its own.

The same questions to the model alone, with the table as its context, show what computing adds.
"""

import hashlib
import random
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from app.bench.journal import Journal
from app.bench.report import Report
from app.bench.subject import Subject, code_digest
from ingest.document import Document, Kind
from llm.answer import AskOptions
from llm.prompt import NOT_FOUND
from llm.tables.fit import SET, page_of
from llm.training.scores import exact, f1, is_refusal
from llm.training.sources import Passage, Question, part_of, read_set

OnText = Callable[[str], None]
WAYS = ("engine", "model alone")
_MAX_NEW_TOKENS = 32
_MOST_TOKENS = 1_500  # of a table that is put before the model alone
_NOTE = (
    "WikiTableQuestions about tables that nothing was fitted on, a file each. engine: as it answers a person; model "
    "alone: the same weights with the table as context, without anything computed. refusing: share of questions about "
    "another table that are refused. computed: share of the engine's answers that were computed."
)


def run(subject: Subject, data: Path, work_dir: Path, *, questions: int, seed: int, on_text: OnText) -> Report:
    """So many questions, and a third as many about another table. Raises FileNotFoundError."""
    journal = Journal(work_dir, "tables", {"model": subject.identity, "code": code_digest(), "seed": seed})
    rows = []
    for number, (passage, question, is_own) in enumerate(_drawn(data / "qa", questions, seed)):
        if number % 25 == 0:
            on_text(f"{number} questions")
        key = f"{question.text} <- {passage.context[:200]}"
        rows.append(journal.get(key) or journal.put(key, _asked(subject, passage, question, is_own)))
    lines = [_line(way, rows) for way in WAYS]
    return Report("Questions about tables", subject.model, lines, _NOTE, {"answers": rows})


def _drawn(folder: Path, number: int, seed: int) -> Iterator[tuple[Passage, Question, bool]]:
    tables = [passage for passage in read_set(folder, SET) if part_of(passage.kind, passage.context) == "test"]
    own = [(passage, question) for passage in tables for question in passage.questions if question.answers]
    rng = random.Random(f"{seed} tables")
    chosen = rng.sample(own, min(number, len(own)))
    yield from ((passage, question, True) for passage, question in chosen)
    for passage, question in chosen[: number // 3]:
        other = rng.choice([table for table in tables if table is not passage])
        yield other, question, False


def _asked(subject: Subject, passage: Passage, question: Question, is_own: bool) -> dict[str, Any]:
    page = page_of(passage.context)
    digest = hashlib.sha256(page.text.encode()).hexdigest()
    document = Document(f"sha256:{digest}", "table.csv", Kind.TEXT, pages=(page,))
    answer = subject.ask(document, question.text, AskOptions(max_new_tokens=_MAX_NEW_TOKENS)).answer
    said = {"engine": answer.answer if answer.found else NOT_FOUND}
    ids = subject.prompt.encode(passage.context)
    said["model alone"] = subject.write(ids[:_MOST_TOKENS], question.text, _MAX_NEW_TOKENS)
    return {"said": said, "answers": question.answers, "is_own": is_own, "how": answer.how}


def _line(way: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    own = [(row["said"][way], tuple(row["answers"])) for row in rows if row["is_own"]]
    foreign = [row["said"][way] for row in rows if not row["is_own"]]
    computed = [bool(row["how"]) for row in rows if row["is_own"]]
    return {
        "way": way,
        "questions": len(own),
        "F1": round(statistics.fmean(0.0 if is_refusal(said) else f1(said, answers) for said, answers in own), 3),
        "exact match": round(statistics.fmean(exact(said, answers) for said, answers in own), 3),
        "answered": round(statistics.fmean(not is_refusal(said) for said, _ in own), 3),
        "refusing": round(statistics.fmean(map(is_refusal, foreign)), 3) if foreign else None,
        "computed": round(statistics.fmean(computed), 3) if way == "engine" else None,
    }
