"""Tables: the same questions put to many documents, each table filled by a thread that outlives the browser tab.

Owns the threads and the rows they have made so far, in memory only; knows nothing of Gradio. Rows come from
`app.batch`, as for the command `batch`. Rows of a document that has been deleted are not shown or handed out any more.
"""

import json
import logging
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.errors import BadRequest, sentence_of
from app.service import Longleaf
from app.service.originals import Originals
from app.web.texts import noted, t
from ingest.options import ReadOptions
from llm.answer import AskOptions, ReadingProgress

if TYPE_CHECKING:
    from app.batch import Question, Row, Source

log = logging.getLogger(__name__)
KEPT, MAX_COLUMNS = 8, 50
LOOK_EVERY_S = 0.5
FAULT = noted("Longleaf failed at this table; its log says more.")


@dataclass(frozen=True, slots=True)
class Table:
    """How far a table is."""

    documents: tuple[tuple[str, str], ...]  # id and name, a line each
    columns: tuple[tuple[str, str], ...]  # id of a question, and what stands above the column
    rows: tuple["Row", ...] = ()
    doing: str = noted("Getting the model ready")
    reading: tuple[str, ReadingProgress] | None = None  # of a source, named: how far that is
    error: str | None = None  # one sentence
    stopping: bool = False  # a person wants no more answers; the one that is being written is the last
    over: bool = False

    @property
    def total(self) -> int:
        return len(self.documents) * len(self.columns)


class _Stopped(Exception):
    """A person has stopped the table."""


class _Filling:
    def __init__(self, table: Table, questions: "Sequence[Question]") -> None:
        self.table, self.questions = table, questions
        self.cancel = threading.Event()

    def update(self, **changes: Any) -> None:
        self.table = replace(self.table, **changes)


class Tables:
    """Starts, follows and stops tables. Safe to call from several threads."""

    def __init__(self, longleaf: Longleaf) -> None:
        self._longleaf = longleaf
        self._fillings: dict[str, _Filling] = {}
        self._lock = threading.Lock()

    def start(self, ids: Sequence[str], text: str, *, are_fields: bool) -> str:
        """Its id, which cannot be guessed. `text` has a question a line, or fields in the short form of schemas.

        Raises BadRequest.
        """
        if not ids:
            raise BadRequest(t("no document is chosen; tick at least one in the list"))
        questions = _questions(text, are_fields)
        if len(questions) > MAX_COLUMNS:
            raise BadRequest(
                t("{n} questions were given; a table takes at most {most}", n=len(questions), most=MAX_COLUMNS)
            )
        entries = [self._longleaf.entry(entry_id) for entry_id in ids]
        columns = tuple((one.id, one.field.name if one.field is not None else one.text) for one in questions)
        filling = _Filling(Table(tuple((entry.id, entry.name) for entry in entries), columns), questions)
        table_id = secrets.token_hex(8)
        with self._lock:
            self._forget_oldest()
            self._fillings[table_id] = filling
        threading.Thread(target=self._fill, args=(filling,), daemon=True).start()
        return table_id

    @property
    def are_filling(self) -> bool:
        with self._lock:
            return any(not filling.table.over for filling in self._fillings.values())

    def latest(self) -> str | None:
        with self._lock:
            return next(reversed(self._fillings), None)

    def ids(self) -> list[str]:
        """Of all tables that are remembered, oldest first."""
        with self._lock:
            return list(self._fillings)

    def table(self, table_id: str) -> Table:
        """Raises BadRequest."""
        filling = self._filling(table_id)
        table = filling.table
        there = {entry.id for entry in self._longleaf.entries()}
        return replace(
            table,
            documents=tuple(item for item in table.documents if item[0] in there),
            rows=tuple(row for row in table.rows if row["document"] in there),
            stopping=filling.cancel.is_set() and not table.over,
        )

    def follow(self, table_id: str) -> Iterator[Table]:
        """The table now and then, until it is over. Raises BadRequest."""
        while not (table := self.table(table_id)).over:
            yield table
            time.sleep(LOOK_EVERY_S)
        yield table

    def stop(self, table_id: str | None) -> None:
        """The answer that is being written is the last one. Ids that are not known are ignored."""
        with self._lock:
            filling = self._fillings.get(table_id or "")
        if filling is not None:
            filling.cancel.set()

    def exported(self, table_id: str, form: str, *, is_masked: bool = False) -> bytes:
        """The rows as "jsonl", "csv" or "xlsx", personal data masked or not. Raises BadRequest."""
        from app.batch.table import wide, write_csv, write_xlsx

        rows: Sequence[Any] = self.table(table_id).rows
        if is_masked:
            from app.service.masking import masked_value

            rows = [masked_value(row) for row in rows]
        if form == "jsonl":
            return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode("utf-8", "replace")
        if form not in ("csv", "xlsx"):
            raise BadRequest(t("the form is {form}; it must be one of jsonl, csv, xlsx", form=repr(form[:20])))
        columns, lines = wide(rows)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"table.{form}"
            (write_csv if form == "csv" else write_xlsx)(path, lines, columns)
            return path.read_bytes()

    def _filling(self, table_id: str) -> _Filling:
        with self._lock:
            if table_id not in self._fillings:
                raise BadRequest(
                    t(
                        "there is no table {id}; it may have been of an earlier run: fill it again",
                        id=repr(table_id[:20]),
                    )
                )
            return self._fillings[table_id]

    def _forget_oldest(self) -> None:
        over = [table_id for table_id, filling in self._fillings.items() if filling.table.over]
        for table_id in over[: max(0, len(self._fillings) - KEPT)]:
            del self._fillings[table_id]

    def _fill(self, filling: _Filling) -> None:
        try:
            self._run(filling)
            filling.update(over=True)
        except _Stopped:
            filling.update(error=noted("Stopped. What was answered by then is kept below."), over=True)
        except Exception as error:
            sentence = sentence_of(error)
            if sentence is None:
                log.exception("a table failed")
            filling.update(error=sentence or FAULT, over=True)

    def _run(self, filling: _Filling) -> None:
        from app.batch import Batch, BatchOptions, RowJournal, find_sources

        def on_row(row: "Row") -> None:
            filling.update(rows=(*filling.table.rows, row))
            if filling.cancel.is_set():
                raise _Stopped

        def on_reading(source: "Source", step: ReadingProgress) -> None:
            verb = "Indexing" if step.stage == "index" else "Reading"
            said = f"{verb} {source.name}: {step.done:,} of {step.total:,} {step.unit}"
            filling.update(doing=said, reading=(source.name, step))

        data_dir = self._longleaf.settings.data_dir
        read = ReadOptions()
        with Originals(data_dir / "originals", data_dir / "work").scratch() as scratch:
            ids = [entry_id for entry_id, _ in filling.table.documents]
            sources = find_sources(
                ids,
                stdin=sys.stdin,
                find_entry=self._longleaf.entry,
                limits=read.limits,
                on_problem=lambda problem: None,
            )
            with RowJournal(scratch / "rows.jsonl", scratch) as journal:
                batch = Batch(self._longleaf, sources, filling.questions, journal, BatchOptions(AskOptions(), read))
                filling.update(doing=noted("Answering"), reading=None)
                batch.run(on_row, on_reading)


def _questions(text: str, are_fields: bool) -> "list[Question]":
    """Raises BadRequest."""
    from app.batch.questions import Question, unique

    if not text.strip():
        raise BadRequest(
            t("there is no question; write one a line") if not are_fields else t("there is no field; write some")
        )
    if not are_fields:
        return unique([Question.of(line.strip()) for line in text.splitlines() if line.strip()], "the table")
    from app.extraction import load_schema

    return [Question.for_field(field) for field in load_schema("\n" + text)]  # so it is never the name of a file
