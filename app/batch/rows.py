"""The rows of a batch: which row answers which question about which bytes, and what stands in it.

A row is the object of `ask --json` with "id", "source", "document", "question_id", "status" and "error". Its id is made
from the document's bytes, the question, the model, the options, and the name of the source; so a row that is there
never has to be made again, and one that any of these would change is another row. The row of a field also has "field",
"value" (null where nothing was found) and "confidence".
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from app.batch.questions import Question
from app.batch.sources import Source
from app.extraction import BadValue, value_of
from app.service.recipe import file_recipe
from ingest.options import ReadOptions
from llm.answer import Answer, AskOptions, Coverage, LeftOut, ModelName, Timing

Row = dict[str, Any]
Status = Literal["ok", "partial", "failed"]


@dataclass(frozen=True, slots=True)
class Basis:
    """What every row of a run depends on, beside its document and its question."""

    model: ModelName
    ask: AskOptions
    read: ReadOptions
    whole: bool

    def key(self, source: Source, question: Question) -> str:
        """Names what is answered, whatever the file is called."""
        form = question.field.form if question.field is not None else None
        parts: dict[str, Any] = {
            "document": source.sha256, "recipe": file_recipe(source.name, self.read), "question": question.text,
            "model": asdict(self.model), "options": asdict(replace(self.ask, form=form)), "whole": self.whole,
        }  # fmt: skip
        if question.field is not None:
            parts["field"] = asdict(question.field)
        return _digest(json.dumps(parts, sort_keys=True))[:24]

    def row_id(self, source: Source, question: Question) -> str:
        return f"{self.key(source, question)}-{_digest(source.name)[:8]}"


def key_of(row: Mapping[str, Any]) -> str:
    """What `Basis.key` gave for that row."""
    return str(row["id"]).partition("-")[0]


def answered(
    row_id: str, source: Source, question: Question, document: str, answer: Answer, texts: Iterable[str] = ()
) -> Row:
    """Status "partial" where something was left out, the time was up, or an answer is no value of its field.

    `texts` are those of the document's pages.
    """
    error = "the time for this row was up; the answer is what had come so far" if answer.stopped else None
    value: Any = None
    if question.field is not None and answer.found and error is None:
        try:
            value = value_of(answer.answer, question.field, texts)
        except BadValue as complaint:
            error = str(complaint)
    status: Status = "partial" if error or answer.coverage.left_out else "ok"
    return _row(row_id, source, question, document, answer, status, error, value)


def failed(row_id: str, source: Source, question: Question, model: ModelName, error: str) -> Row:
    """The row of a question that could not be answered; `error` is one sentence."""
    coverage = Coverage(1, 0, 0, 0, 0, (LeftOut(source.name, None, error),))
    timing = Timing(0.0, 0, 0, 0.0, 0.0, 0.0, 0.0)
    answer = Answer(question.text, "", False, (), coverage, timing, model)
    return _row(row_id, source, question, source.sha256, answer, "failed", error)


def copied(row: Row, row_id: str, source: Source, question: Question) -> Row:
    """The row of another file with the same bytes: the same answer, under this file's name."""

    def renamed(items: list[Row]) -> list[Row]:
        return [{**item, "source": source.name} if item["source"] == row["source"] else item for item in items]

    coverage = {**row["coverage"], "left_out": renamed(row["coverage"]["left_out"])}
    return {
        **row, "id": row_id, "source": source.name, "question_id": question.id,
        "citations": renamed(row["citations"]), "coverage": coverage,
    }  # fmt: skip


def _row(
    row_id: str,
    source: Source,
    question: Question,
    document: str,
    answer: Answer,
    status: Status,
    error: str | None,
    value: Any = None,
) -> Row:
    head: Row = {"id": row_id, "source": source.name, "document": document, "question_id": question.id}
    if question.field is not None:
        head |= {"field": question.field.name, "value": value, "confidence": round(answer.confidence, 3)}
    return {**head, **answer.as_json(), "status": status, "error": error}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
