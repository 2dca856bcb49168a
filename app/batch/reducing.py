"""One question over all rows of a batch: which documents, how many, or what the rows say together.

Three ways, the first that applies. *lacking*: the question asks where something is missing, and the documents are those
whose row found nothing. *matching*: it names an answer that rows have ("which are under the law of New York?"), and the
documents are those. *model*: the rows are put into one document, a line each, and the model answers from that. Each
document comes with its row, whose citations say where it stands. The first two count every row; nothing is sampled.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from app.batch.rows import Row
from app.errors import BadRequest
from app.service import Longleaf
from ingest.document import Document, Kind, Page
from llm.answer import Answered, AskOptions

Way = Literal["lacking", "matching", "model"]
_LACKING = re.compile(
    r"\b(?:lack(?:s|ing)?|missing|without|absent|fails? to|(?:do|does|did|has|have|is|are) not|(?:do|does)n['’]t|no)\b",
    re.I,
)
_NAMED = 20  # documents in the answer's sentence; the others follow in the list


@dataclass(frozen=True, slots=True)
class Reduced:
    """The answer to one question over all rows, and the rows that it rests on."""

    question: str
    answer: str
    way: Way
    about: str  # the question of the rows that it was read as
    rows: tuple[Row, ...]

    def as_json(self) -> dict[str, Any]:
        documents = [
            {"source": row["source"], "document": row["document"], "row": row["id"], "citations": row["citations"]}
            for row in self.rows
        ]
        head = {"question": self.question, "answer": self.answer, "way": self.way, "about": self.about}
        return {**head, "documents": documents}


def reduce_rows(longleaf: Longleaf, rows: Iterable[Row], question: str, options: AskOptions) -> Reduced:
    """The question answered over rows that did not fail, which are gone through more than once.

    Raises BadRequest where there are none.
    """
    questions = list(dict.fromkeys(row["question"] for row in _sound(rows)))
    if not questions:
        raise BadRequest(f"there is no row to answer {question!r} from; see the list of failures")
    about = _nearest(questions, question)
    num_asked = sum(row["question"] == about for row in _sound(rows))
    group = (row for row in _sound(rows) if row["question"] == about)
    if _LACKING.search(question):
        return _listed("lacking", question, about, [row for row in group if not row["found"]], num_asked)
    matching = [row for row in group if row["found"] and _names(question, about, row["answer"])]
    if matching:
        return _listed("matching", question, about, matching, num_asked)
    return _asked(longleaf, rows, question, about, options)


def _sound(rows: Iterable[Row]) -> Iterator[Row]:
    return (row for row in rows if row["status"] != "failed")


def _nearest(questions: Sequence[str], question: str) -> str:
    """Which question of the rows is meant."""
    if len(questions) == 1:
        return questions[0]
    from llm.evidence.embedding import Embedder

    vectors = Embedder().embed([question, *questions])
    assert vectors is not None, "embedding is not cancelled"
    return questions[int((vectors[1:] @ vectors[0]).argmax())]


def _names(question: str, about: str, answer: str) -> bool:
    """Whether the question holds the answer's words, and they are not those of the rows' question anyway."""
    words = _words(answer)
    return bool(words) and words <= _words(question) and not words <= _words(about)


def _words(text: str) -> set[str]:
    return {word for word in re.findall(r"\w+", text.lower()) if word not in ("the", "a", "an", "of")}


def _listed(way: Way, question: str, about: str, rows: list[Row], num_asked: int) -> Reduced:
    names = [row["source"] for row in rows]
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    listed = f": {', '.join(names[:_NAMED])}{more}" if names else ""
    return Reduced(question, f"{len(names):,} of {num_asked:,} documents{listed}.", way, about, tuple(rows))


def _asked(longleaf: Longleaf, rows: Iterable[Row], question: str, about: str, options: AskOptions) -> Reduced:
    """The rows as one text document, a line each, in memory only."""
    text = "\n".join(_lines(_sound(rows)))
    table = Document(_table_id(text), "rows of all documents", Kind.TEXT, pages=(Page(1, text),), size_bytes=len(text))
    engine = longleaf.engine()
    try:
        answers = [event.answer for event in engine.ask([table], question, options) if isinstance(event, Answered)]
    finally:
        engine.forget([table.id])
    cited = [range(first, last + 1) for cite in answers[0].citations if cite.lines for first, last in [cite.lines]]
    chosen = dict.fromkeys(number for numbers in cited for number in numbers)
    found = {number: row for number, row in enumerate(_sound(rows), 1) if number in chosen}
    return Reduced(question, answers[0].answer, "model", about, tuple(found[number] for number in chosen))


def _lines(rows: Iterable[Row]) -> Iterator[str]:
    for row in rows:
        said = " ".join(row["answer"].split()) if row["found"] else "not found"
        yield f"{row['source']}: {row['question']} {said}"


def _table_id(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
