"""What the library says about its documents: plain values, the same for the page, the command line and HTTP."""

from dataclasses import asdict, dataclass
from typing import Any

from ingest.document import Kind, Problem
from llm.answer import Answer
from llm.fitting import Memory, Pictures


@dataclass(frozen=True, slots=True)
class Entry:
    """One source that a person handed over, as the library lists it."""

    id: str
    name: str
    kind: Kind
    pages: int
    tokens: int | None  # None until they were counted, which the first step of reading does
    size_bytes: int
    is_read: bool  # whole, under the model in use
    kv_bytes: int
    added_at: str  # ISO 8601, UTC
    problems: tuple[Problem, ...] = ()
    tokens_read: int = 0
    tags: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "problems": [asdict(problem) for problem in self.problems]}


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a deletion removed. Counts are of things that are gone from the disk when it is returned."""

    id: str
    name: str
    documents: int  # catalogued documents, members of a folder included
    kept: int  # members that stay because another document of the library holds them too
    originals: int  # the library's own copies of source files
    original_bytes: int
    parsed_bytes: int  # catalogued text, positions and outline
    reading_bytes: int  # KV and index
    answers: int

    @property
    def total_bytes(self) -> int:
        return self.original_bytes + self.parsed_bytes + self.reading_bytes

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "total_bytes": self.total_bytes}


@dataclass(frozen=True, slots=True)
class Room:
    """What the model that is loaded can take in of some documents, and what that takes of its machine."""

    window_tokens: int  # that a question can take in at once
    memory: Memory | None = None  # None: a server's
    free_disk_bytes: int | None = None  # for what is still to be read
    pictures: Pictures | None = None  # None: it is shown none of their pages


VERDICTS = ("right", "wrong", "wrong evidence")


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as the library keeps it, and what a person thought of it."""

    number: int
    asked_at: str  # ISO 8601, UTC
    conversation: str | None  # the id; None: asked outside any
    documents: tuple[str, ...]  # ids of what was asked about
    answer: Answer
    verdict: str | None = None  # one of VERDICTS
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """The object of `ask --json`, and what the library knows beside it."""
        kept = {"number": self.number, "asked_at": self.asked_at, "conversation": self.conversation}
        judged = None if self.verdict is None else {"verdict": self.verdict, "note": self.note}
        return {**kept, **self.answer.as_json(), "feedback": judged}


@dataclass(frozen=True, slots=True)
class Conversation:
    """Questions that belong together."""

    id: str
    title: str  # given by a person, else the first question
    num_answers: int
    began_at: str
    last_at: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)
