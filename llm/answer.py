"""What a question gives back: the answer with its citations, coverage and cost, and the events on the way there.

Plain values; `as_json` is the object of `ask --json` (DESIGN §7), whose schema is `app/cli/answer.schema.json`.
"""

from dataclasses import asdict, dataclass
from typing import Any

from ingest.document import Box
from llm.structured.form import Form


@dataclass(frozen=True, slots=True)
class Citation:
    """Where an answer rests. `verified`: the quote stands word for word in the document at that place."""

    source: str  # the leaf document's name
    document: str  # its id
    page: int | None  # None for text and code files, which have lines
    lines: tuple[int, int] | None  # first and last, from 1; None on pages with geometry
    box: Box | None  # of the whole quote
    quote: str
    verified: bool
    page_index: int = 0  # of the page in the document, from 0, also where `page` is None
    start: int = 0  # characters [start, end) of that page's text
    end: int = 0
    line_boxes: tuple[Box, ...] = ()  # one for each line of the quote


@dataclass(frozen=True, slots=True)
class Look:
    """A stretch of text that the model's layers looked at for a question, over the stored KV."""

    source: str  # the leaf document's name
    document: str  # its id
    page_index: int
    start: int  # characters [start, end) of the page's text
    end: int
    share: float  # of the attention to everything stored, the mean over layers; 0: seen always, without being chosen
    layers: tuple[int, ...]  # which chose it


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that was not read, and why, in one phrase."""

    source: str
    page: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the model saw. `tokens_read` < `tokens_total` means that it did not see everything; `left_out` says why."""

    sources: int
    pages_total: int
    pages_read: int
    tokens_total: int
    tokens_read: int
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds and tokens that an answer cost. `reused_tokens` were read earlier, `new_tokens` now."""

    read_s: float
    reused_tokens: int
    new_tokens: int
    first_token_s: float
    total_s: float
    prefill_tokens_per_s: float
    decode_tokens_per_s: float


@dataclass(slots=True)
class ExpertUse:
    """How often a routed expert that was needed had been fetched before, and lay where it is computed."""

    hits: int = 0
    misses: int = 0
    fetched_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ModelName:
    """Which weights answered. `revision` is a hash of them, or the hub's commit."""

    name: str
    revision: str


@dataclass(frozen=True, slots=True)
class Answer:
    question: str
    answer: str
    found: bool
    citations: tuple[Citation, ...]
    coverage: Coverage
    timing: Timing
    model: ModelName
    confidence: float = 0.0  # calibrated probability that the documents hold the answer
    stopped: bool = False  # the person stopped it; the answer is what had come so far
    looked_at: tuple[Look, ...] = ()  # most looked at first; none where the question never met stored KV
    thinking: str = ""  # what a reasoning model wrote before its answer; never cited
    how: str = ""  # how an answer was computed from a table, in words
    derived: bool = False  # no model wrote it (see Derived)

    def as_json(self) -> dict[str, Any]:
        """The object of `ask --json`, with the keys of DESIGN §7 and no others."""
        shown = ("source", "document", "page", "lines", "box", "quote", "verified")
        return {
            "question": self.question,
            "answer": self.answer,
            "found": self.found,
            "citations": [{key: _plain(getattr(cite, key)) for key in shown} for cite in self.citations],
            "coverage": {**asdict(self.coverage), "left_out": [asdict(item) for item in self.coverage.left_out]},
            "timing": asdict(self.timing),
            "model": asdict(self.model),
        }


@dataclass(frozen=True, slots=True)
class Derived:
    """An answer that no model wrote: read off a table or computed from it, or named by the document."""

    text: str
    citations: tuple[Citation, ...]
    source: str  # where it comes from, as a clause: "the document names them"
    how: str = ""  # how it comes from a table, in words
    probability: float = 0.0  # that it is right, where that is known without the evidence


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


@dataclass(frozen=True, slots=True)
class AskOptions:
    """What a person may choose about one question."""

    max_new_tokens: int = 160
    temperature: float = 0.0  # 0: always the likeliest token
    seed: int = 0
    exact: bool = False  # over every token at once, or refuse; never from passages alone
    top_k: int = 8  # passages that the answer may rest on; as many as fit are read closely
    form: Form | None = None  # what the answer may be; None: any text

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1 or self.top_k < 1 or self.temperature < 0:
            raise ValueError(
                f"max_new_tokens {self.max_new_tokens}, top_k {self.top_k} and temperature {self.temperature}: "
                "the first two must be at least 1, the last at least 0"
            )


# Events, in the order in which they come. `Engine.read` yields ReadingProgress; `Engine.ask` yields any number of
# ReadingProgress, one EvidenceFound, any number of ThinkingDelta and TextDelta, then exactly one Answered.


@dataclass(frozen=True, slots=True)
class ReadingProgress:
    """How far a reading is. `stage`: "read" (into the model's KV) or "index" (embedding passages)."""

    stage: str
    done: int
    total: int
    unit: str  # "tokens" or "passages"
    rate_per_s: float
    eta_s: float
    reused: int = 0  # of `done`, how many came from an earlier reading


@dataclass(frozen=True, slots=True)
class EvidenceFound:
    """The spans that will be shown beside the answer, best first; citations of the final answer may be fewer."""

    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    """The next piece of what a reasoning model thinks; no part of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class Answered:
    answer: Answer


Event = ReadingProgress | EvidenceFound | ThinkingDelta | TextDelta | Answered
