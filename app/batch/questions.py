"""What is asked of every document: questions from a file or from the command line.

A questions file has one question a line, or one JSON object a line: {"id", "question", "source": glob (optional)}.
A mistake is one sentence that names the line.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from app.errors import BadRequest
from app.extraction import Field

_KEYS = ("id", "question", "source")


@dataclass(frozen=True, slots=True)
class Question:
    """One question, asked of every source whose name fits."""

    id: str
    text: str
    source: str | None = None  # a glob over names, or over file names; None: of every source
    field: Field | None = None  # whose value the answer is

    @classmethod
    def of(cls, text: str) -> "Question":
        """Named by its words, so that another question before it changes nothing."""
        return cls(hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:8], text)

    @classmethod
    def for_field(cls, field: Field) -> "Question":
        return cls(field.name, field.question, field=field)

    def fits(self, name: str) -> bool:
        """Whether it is asked of the source with that name."""
        pattern = self.source
        return pattern is None or fnmatch(name, pattern) or fnmatch(PurePosixPath(name).name, pattern)


def load_questions(path: Path) -> list[Question]:
    """The questions of a file, each once. Raises BadRequest with the line's number, OSError."""
    try:
        lines = path.read_text("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise BadRequest(
            f"{path} is not UTF-8 text (byte {error.start:,} is {error.object[error.start]:#04x}); save it as UTF-8"
        ) from error
    first = next((line.strip() for line in lines if line.strip()), "")
    if not first:
        raise BadRequest(f"{path} holds no question; write one a line, or one JSON object a line")
    return unique(list(_of_objects(path, lines) if first.startswith("{") else _of_lines(lines)), str(path))


def unique(questions: Sequence[Question], where: str) -> list[Question]:
    """The questions, equal ones once. Raises BadRequest where two questions have one id."""
    by_id: dict[str, Question] = {}
    for question in questions:
        known = by_id.setdefault(question.id, question)
        if known != question:
            raise BadRequest(f"{where} gives the id {question.id!r} to two questions; give each its own")
    return list(by_id.values())


def _of_lines(lines: Sequence[str]) -> Iterator[Question]:
    for line in lines:
        if line.strip():
            yield Question.of(line.strip())


def _of_objects(path: Path, lines: Sequence[str]) -> Iterator[Question]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _of_object(f"line {number} of {path}", line)


def _of_object(where: str, line: str) -> Question:
    try:
        found: Any = json.loads(line)
    except json.JSONDecodeError as error:
        raise BadRequest(
            f'{where} is no JSON ({error.msg} at column {error.colno}); write {{"id": …, "question": …}}'
        ) from error
    if not isinstance(found, dict):
        raise BadRequest(f'{where} is a {type(found).__name__}; write an object: {{"id": …, "question": …}}')
    for key, value in found.items():
        if key not in _KEYS:
            raise BadRequest(f"{where} has the unknown key {key!r}; known are {', '.join(_KEYS)}")
        if not isinstance(value, str) or not value.strip():
            raise BadRequest(f"{where} has {value!r} as its {key}; give text that is not empty")
    if "question" not in found:
        raise BadRequest(f"{where} has no question; add the key 'question'")
    text = found["question"].strip()
    return Question(found.get("id") or Question.of(text).id, text, found.get("source"))
