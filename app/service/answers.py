"""Answers as the catalogue keeps them: everything, the fields that `as_json` leaves out included."""

import zlib
from collections.abc import Sequence

from pydantic import TypeAdapter

from app.service.catalogue import Catalogue, now
from llm.answer import Answer

_answers: TypeAdapter[Answer] = TypeAdapter(Answer)


def store_answer(catalogue: Catalogue, document_ids: Sequence[str], answer: Answer) -> None:
    """Does nothing when one of the documents has been deleted while the answer was being written."""
    with catalogue.transaction() as rows:
        if not catalogue.has(document_ids):
            return
        number = rows.execute(
            "INSERT INTO answers (created_at, question, model, answer) VALUES (?, ?, ?, ?)",
            (now(), answer.question, answer.model.name, zlib.compress(_answers.dump_json(answer))),
        ).lastrowid
        rows.executemany(
            "INSERT INTO answer_documents VALUES (?, ?)", [(number, document_id) for document_id in set(document_ids)]
        )


def stored_answers(catalogue: Catalogue, document_ids: Sequence[str]) -> list[Answer]:
    """Answers asked of exactly these documents, newest last."""
    ids = sorted(set(document_ids))
    marks = ", ".join("?" * len(ids))
    rows = catalogue.rows(
        "SELECT answer FROM answers WHERE "
        f"(SELECT count(*) FROM answer_documents WHERE answer = number AND document_id IN ({marks})) = ? AND "
        "(SELECT count(*) FROM answer_documents WHERE answer = number) = ? ORDER BY number",
        *ids, len(ids), len(ids),
    )  # fmt: skip
    return [_answers.validate_json(zlib.decompress(row[0])) for row in rows]
