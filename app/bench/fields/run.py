"""The measurement: fields of contracts and receipts, from the file to the value, beside two other ways.

Ours is the batch itself, as a person runs it with --schema: a run that was stopped goes on where it was.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.batch import Batch, BatchOptions, Question, RowJournal, Source
from app.bench.fields.rivals import by_regex, by_retrieval
from app.bench.fields.truth import Case, Task, is_right
from app.bench.journal import Journal
from app.bench.plain import Vectors
from app.bench.report import Report
from app.bench.subject import OnText, Subject, code_digest
from app.extraction import Field
from app.service import Longleaf
from app.settings import Settings
from ingest.document import Document
from ingest.options import ReadOptions
from ingest.reader import SourceFile
from llm.answer import AskOptions
from llm.evidence.embedding import Embedder

WAYS = ("schema", "rag", "regex")
MAX_NEW_TOKENS = 48
_NOTE = (
    "Right values of the fields that stand in the documents / values given where the field does not stand in it. "
    "schema: `batch --schema`; rag: the five nearest stretches of 120 words in one prompt of the same model, answers "
    "normalised in the same way; regex: regular expressions."
)


class FieldsBench:
    """One run below `work_dir`. Raises ModelNotFound."""

    def __init__(self, settings: Settings, work_dir: Path, on_text: OnText) -> None:
        self._settings = replace(settings, data_dir=work_dir / "library")
        self._work_dir, self._on_text = work_dir, on_text
        self._subject = Subject.load(self._settings, self._settings.data_dir / "state", on_text=on_text)
        self._vectors = Vectors(Embedder())

    def run(self, tasks: Sequence[Task]) -> Report:
        longleaf = Longleaf(self._settings, load=lambda settings, on_text: self._subject.engine)
        try:
            rows = [row for task in tasks for row in self._of_task(longleaf, task)]
        finally:
            longleaf.close()
        return Report("Fields of contracts and receipts", self._subject.model, rows, _NOTE)

    def _of_task(self, longleaf: Longleaf, task: Task) -> list[dict[str, Any]]:
        ours = self._ours(longleaf, task)
        depends_on = {"model": self._subject.identity, "code": code_digest(), "fields": [repr(f) for f in task.fields]}
        journal = Journal(self._work_dir, f"fields-{task.name}", depends_on)
        values: dict[str, dict[tuple[Path, str], Any]] = {"schema": ours, "rag": {}, "regex": {}}
        for number, case in enumerate(task.cases, 1):
            document = longleaf.document(longleaf.add(case.path).id)
            for field in task.fields:
                for way in WAYS[1:]:
                    key = f"{way} {case.path.name} {field.name}"
                    found = journal.get(key) or journal.put(key, [self._by(way, field, document)])
                    values[way][case.path, field.name] = found[0]
            self._on_text(f"{task.name} {number} of {len(task.cases)} beside the others")
        return [self._scored(task, field, values) for field in task.fields]

    def _by(self, way: str, field: Field, document: Document) -> object:
        if way == "rag":
            return by_retrieval(field, document, self._subject, self._vectors)
        return by_regex(field, "\n".join(page.text for page in document.pages))

    def _ours(self, longleaf: Longleaf, task: Task) -> dict[tuple[Path, str], Any]:
        """Values by file and field, from the rows of a batch."""
        questions = [Question.for_field(field) for field in task.fields]
        options = BatchOptions(AskOptions(max_new_tokens=MAX_NEW_TOKENS), ReadOptions())
        sources = [_source(case) for case in task.cases]
        with RowJournal(self._work_dir / f"{task.name}s.jsonl", self._work_dir) as journal:
            batch = Batch(longleaf, sources, questions, journal, options)
            batch.drop_stale(retry_failed=False)
            batch.run(lambda row: self._on_text(f"{row['source']} {row['field']}: {row['value']}"), lambda *_: None)
            paths = {source.name: source.path for source in sources}
            return {(paths[row["source"]], row["field"]): row["value"] for row in batch.rows()}

    def _scored(self, task: Task, field: Field, values: dict[str, dict[tuple[Path, str], Any]]) -> dict[str, Any]:
        present = [case for case in task.cases if field.name in case.truth]
        absent = [case for case in task.cases if field.name not in case.truth]
        row: dict[str, Any] = {"field": f"{task.name}: {field.name}", "there": len(present), "not there": len(absent)}
        for way in WAYS:
            found = values[way]
            right = sum(is_right(found[case.path, field.name], field, case.truth[field.name]) for case in present)
            row[way] = f"{right} / {sum(found[case.path, field.name] is not None for case in absent)}"
        return row


def _source(case: Case) -> Source:
    file = SourceFile.of(case.path)
    return Source(case.path.name, case.path, file.id, file.size_bytes)
