"""The other ways to fill a field: regular expressions as one writes them in half an hour, and plain retrieval.

Retrieval cuts the document into stretches of about 120 words, puts the five nearest to the question into one prompt of
the same model (`app.bench.plain`), and the answer goes through the same normalisation as ours.
"""

import re
from collections.abc import Callable, Iterator, Mapping

from app.bench.plain import Dense, Vectors, shown
from app.bench.subject import Subject
from app.extraction import BadValue, Field, value_of
from ingest.document import Document, Kind, Page
from llm.named.patterns import DATE, DURATION
from llm.prompt import NOT_FOUND

_CHUNK_WORDS = 120
_MAX_NEW_TOKENS = 48
_STATE = r"([A-Z][a-z]+(?: [A-Z][a-z]+)?)"
_LAWS = re.compile(rf"(?:laws?|statutes)\s+of\s+(?:the\s+)?(?:(?:State|Commonwealth)\s+of\s+)?{_STATE}")
_BETWEEN = re.compile(r"(?:between|among)\s+(?:and between\s+)?([A-Z][^(\n]{3,80}?)(?:\s*\(|,\s+an?\s|\s+and\s)")
_FOR_TERM = re.compile(rf"(?:period|term)\s+of\s+({DURATION.removeprefix('(?i)')})", re.I)
_TOTAL = re.compile(r"\btotal\b[^\d\n]*(\d[\d,]*\.\d\d)", re.I)
_NO_ADDRESS = re.compile(r"\b(?:tel|fax|gst|date|invoice|receipt|cash|email|www|reg|co\.? ?no)\b|\d\d[/-]\d\d", re.I)


def by_regex(field: Field, text: str) -> object:
    """The value, or None."""
    found = _BY_FIELD[field.name](text)
    return None if found is None else _value(found, field, [text])


def by_retrieval(field: Field, document: Document, subject: Subject, vectors: Vectors) -> object:
    """The value, or None."""
    chunked = Document(document.id, document.name, Kind.TEXT, pages=tuple(_chunks(document)))
    if not chunked.pages:
        return None
    ids = shown(chunked, Dense(chunked, vectors).best(field.question), subject.prompt)
    said = subject.write(ids, field.question, _MAX_NEW_TOKENS)
    if not said or said.startswith(NOT_FOUND.rstrip(".")):
        return None
    return _value(said, field, [page.text for page in document.pages])


def _chunks(document: Document) -> Iterator[Page]:
    words = " ".join(page.text for page in document.pages).split()
    for number, start in enumerate(range(0, len(words), _CHUNK_WORDS), 1):
        yield Page(number, " ".join(words[start : start + _CHUNK_WORDS]))


def _value(said: str, field: Field, texts: list[str]) -> object:
    try:
        return value_of(said, field, texts)
    except BadValue:
        return None


def _group(pattern: re.Pattern[str]) -> Callable[[str], str | None]:
    def first(text: str) -> str | None:
        found = pattern.search(text)
        return found[1] if found else None

    return first


def _first_date(text: str) -> str | None:
    found = re.search(DATE, text)
    return found[0] if found else None


def _first_line(text: str) -> str | None:
    return next((line.strip() for line in text.splitlines() if line.strip()), None)


def _address(text: str) -> str | None:
    lines = [line.strip() for line in text.splitlines() if line.strip()][1:]
    taken: list[str] = []
    for line in lines[:8]:
        if _NO_ADDRESS.search(line):
            if taken:
                break
            continue
        taken.append(line)
    return " ".join(taken) or None


def _largest_total(text: str) -> str | None:
    return max(_TOTAL.findall(text), key=lambda amount: float(amount.replace(",", "")), default=None)


_BY_FIELD: Mapping[str, Callable[[str], str | None]] = {
    "jurisdiction": _group(_LAWS), "effective_date": _first_date, "party": _group(_BETWEEN),
    "term": _group(_FOR_TERM), "company": _first_line, "date": _first_date, "address": _address,
    "total": _largest_total,
}  # fmt: skip
