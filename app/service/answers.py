"""Answers as the catalogue keeps them: everything, the fields that `as_json` leaves out included."""

import zlib
from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter

from app.service.catalogue import Catalogue, now
from app.service.values import KeptAnswer
from llm.answer import Answer

_answers: TypeAdapter[Answer] = TypeAdapter(Answer)
_COLUMNS = (
    "number, created_at, conversation, answers.answer, verdict, note, "
    "(SELECT group_concat(document_id, ' ') FROM answer_documents AS d WHERE d.answer = number) "
    "FROM answers LEFT JOIN feedback ON feedback.answer = number"
)


def store_answer(
    catalogue: Catalogue, document_ids: Sequence[str], answer: Answer, conversation: str | None = None
) -> None:
    """Does nothing when one of the documents has been deleted while the answer was being written."""
    with catalogue.transaction() as rows:
        if not catalogue.has(document_ids):
            return
        if conversation is not None:
            rows.execute("INSERT OR IGNORE INTO conversations VALUES (?, NULL)", (conversation,))
        number = rows.execute(
            "INSERT INTO answers (created_at, question, model, answer, conversation) VALUES (?, ?, ?, ?, ?)",
            (now(), answer.question, answer.model.name, zlib.compress(_answers.dump_json(answer)), conversation),
        ).lastrowid
        rows.executemany(
            "INSERT INTO answer_documents VALUES (?, ?)", [(number, document_id) for document_id in set(document_ids)]
        )


def answers_about(catalogue: Catalogue, document_ids: Sequence[str]) -> list[KeptAnswer]:
    """Asked of exactly these documents, oldest first."""
    ids = sorted(set(document_ids))
    marks = ", ".join("?" * len(ids))
    return kept_answers(
        catalogue,
        f"(SELECT count(*) FROM answer_documents AS d WHERE d.answer = number AND d.document_id IN ({marks})) = ? AND "
        "(SELECT count(*) FROM answer_documents AS d WHERE d.answer = number) = ?",
        *ids, len(ids), len(ids),
    )  # fmt: skip


def kept_answers(catalogue: Catalogue, where: str, *values: object) -> list[KeptAnswer]:
    """Those for which an SQL condition over `answers` and `feedback` holds, oldest first."""
    return [_kept(row) for row in catalogue.rows(f"SELECT {_COLUMNS} WHERE {where} ORDER BY number", *values)]


def _kept(row: Sequence[Any]) -> KeptAnswer:
    number, asked_at, conversation, answer, verdict, note, document_ids = row
    return KeptAnswer(
        number, asked_at, conversation, tuple((document_ids or "").split()),
        _answers.validate_json(zlib.decompress(answer)), verdict, note or "",
    )  # fmt: skip
