"""A million tokens of real text: what reading them costs, how evenly, and what a question costs afterwards.

The document is the beginning of essays, manuals and contexts (`app.bench.corpus`). A killed run goes on where the
engine's last commit is; rates are of what this and earlier runs of the same code have read, segment by segment.
Questions are asked in new processes, after the files of the reading were dropped from the page cache (cold) and after
they were not; decoding is timed in one process, over the stored KV of a short and of the long document in turn.
"""

import gc
import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.bench.corpus import count_repeated_blocks, document, pages_of, real_texts, take
from app.bench.journal import Journal
from app.bench.memory import MemoryWatch, drop_from_page_cache
from app.bench.report import Report
from app.bench.subject import OnReading, OnText, Subject, code_digest
from app.bench.visit import Decoding, Visit, decode_in_turn, visit
from app.settings import Settings
from ingest.document import Document
from llm.answer import ModelName, ReadingProgress

NAME = "library.txt"
MAX_NEW_TOKENS = 64
QUESTIONS = (
    "What were the two main things the author worked on before college?",
    "Which machine did the author write his first programs on?",
    "What does a startup need most of all?",
    "How is a source package built?",
    "Which directory holds the configuration files of the machine?",
)
_VISITS = 3  # new processes of each kind
_ROUNDS, _ROUND_TOKENS = 4, 32  # of decoding, for each document
_NOTE = (
    "Essays, manuals and other real text as one document. Rates are of tokens read between two reports of progress. "
    "First token: from asking to the first text of the answer, in a new process whose model is loaded; cold: the files "
    "of the reading were dropped from the page cache before; warm: not the first question. Most answers are "
    "written over a close reading. Over the stored KV: from opening the snapshot to the first token, without a search. "
    "Decoding: median over the stored KV, both documents in turn in one process."
)

_Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Options:
    """Sizes in tokens."""

    tokens: int
    short_tokens: int  # of the document that decoding is compared with
    segment_tokens: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading the documents gave."""

    model: ModelName
    documents: tuple[Document, Document]  # short, long
    num_tokens: int  # of the long one
    repeated_blocks: int
    segments: tuple[_Row, ...]
    disk_bytes: int


def run(
    settings: Settings, data: Path, work_dir: Path, options: Options, on_text: OnText, on_reading: OnReading
) -> Report:
    """Reads, then asks. Raises BadRequest where the texts do not reach so many tokens."""
    state = work_dir / "state"
    subject = Subject.load(settings, state, on_text=on_text, on_reading=on_reading)
    reading = _read(subject, data, work_dir, options, on_text)
    del subject
    gc.collect()  # what this process maps cannot be dropped from the page cache
    asking = _ask(settings, state, reading, on_text)
    return Report(
        f"Reading {options.tokens:,} tokens",
        reading.model,
        [*_reading_rows(reading, options.segment_tokens), *_asking_rows(asking, options)],
        _NOTE,
        {"segments": reading.segments},
    )


class Segments:
    """Reading speed by stretches of the document, from the progress that the engine reports."""

    def __init__(self, segment_tokens: int, journal: Journal, watch: MemoryWatch) -> None:
        self._size, self._journal, self._watch = segment_tokens, journal, watch
        self._done: int | None = None  # tokens, at the last report; None before the first
        self._since = time.perf_counter()  # the last report of anything
        self._tokens, self._seconds = 0, 0.0  # read so far in the segment that is open

    def note(self, progress: ReadingProgress) -> None:
        """Counts what was read since the last report. The first chunk is left out: when it began is not known."""
        now = time.perf_counter()
        if progress.stage == "read":
            before, self._done = self._done, progress.done
            if before is not None:
                self._tokens += progress.done - before
                self._seconds += now - self._since
                if progress.done // self._size > before // self._size or progress.done == progress.total:
                    self._close(before // self._size)
        self._since = now

    def rows(self) -> tuple[_Row, ...]:
        """Of every segment that was read: its number, tokens, seconds, rate, and memory up to its end."""
        known = (self._journal.get(f"segment {number}") for number in range(self._journal.get("segments") or 0))
        return tuple(row for row in known if row)

    def _close(self, number: int) -> None:
        tokens, seconds = self._tokens, self._seconds
        self._tokens, self._seconds = 0, 0.0
        if tokens < self._size // 2:
            return  # too little for a rate: the rest of the document, or of a segment that a kill cut
        anonymous, file_backed = self._watch.peak
        row = {
            "segment": number, "tokens": tokens, "seconds": round(seconds, 3),
            "tokens_per_s": round(tokens / seconds, 1),
            "peak_anonymous_bytes": anonymous, "peak_file_bytes": file_backed,
        }  # fmt: skip
        self._journal.put(f"segment {number}", row)
        self._journal.put("segments", number + 1)


def _read(subject: Subject, data: Path, work_dir: Path, options: Options, on_text: OnText) -> Reading:
    pages = list(pages_of(real_texts(data)))
    short, long = (
        document(NAME, take(pages, NAME, tokens, subject.count_tokens))
        for tokens in (options.short_tokens, options.tokens)
    )
    stream = subject.token_ids(long)
    on_text(f"{len(stream):,} tokens in {len(long.pages):,} pages")
    depends_on = {
        "model": subject.identity, "kv": subject.kv_dtype, "code": code_digest(), "document": long.id,
        "by": options.segment_tokens,
    }  # fmt: skip
    subject.read(short)
    with MemoryWatch() as watch:
        segments = Segments(options.segment_tokens, Journal(work_dir, "million", depends_on), watch)
        subject.read(long, segments.note)
    return Reading(
        subject.model,
        (short, long),
        len(stream),
        count_repeated_blocks(stream),
        segments.rows(),
        subject.engine.stored_bytes(long.id),
    )


@dataclass(frozen=True, slots=True)
class Asking:
    """What asking gave, each visit in a new process."""

    cold: tuple[Visit, ...]  # one question each
    reopened: tuple[Visit, ...]  # all questions each
    decoding: Decoding


def _ask(settings: Settings, state: Path, reading: Reading, on_text: OnText) -> Asking:
    _, long = reading.documents
    cold, reopened = [], []
    for number in range(_VISITS):
        on_text(f"asking in a new process, {number + 1} of {_VISITS}")
        if drop_from_page_cache(state):
            cold.append(visit(settings, state, long, QUESTIONS[:1], MAX_NEW_TOKENS))
        reopened.append(visit(settings, state, long, QUESTIONS, MAX_NEW_TOKENS))
    on_text("decoding")
    decoding = decode_in_turn(settings, state, reading.documents, QUESTIONS[0], rounds=_ROUNDS, tokens=_ROUND_TOKENS)
    return Asking(tuple(cold), tuple(reopened), decoding)


def _reading_rows(reading: Reading, segment_tokens: int) -> list[_Row]:
    rates = {row["segment"]: row["tokens_per_s"] for row in reading.segments}
    first, last = rates.get(0), rates.get(max(0, round(reading.num_tokens / segment_tokens) - 1))
    return [
        _row("tokens read", "", reading.num_tokens),
        _row("blocks that repeat another", "", reading.repeated_blocks),
        _row("segments that were timed", "", len(rates)),
        _row("reading, median of these", "tokens/s", _median(rates.values())),
        _row("reading, first segment", "tokens/s", first),
        _row("reading, last segment", "tokens/s", last),
        _row("reading, last / first", "", round(last / first, 3) if first and last else None),
        _row(
            "anonymous memory while reading, peak", "GiB", _gib(row["peak_anonymous_bytes"] for row in reading.segments)
        ),
        _row("file-backed memory while reading, peak", "GiB", _gib(row["peak_file_bytes"] for row in reading.segments)),
        _row("on disk", "GB", round(reading.disk_bytes / 1e9, 3)),
    ]


def _asking_rows(asking: Asking, options: Options) -> list[_Row]:
    visits = (*asking.cold, *asking.reopened)
    peaks = [*(one.peak for one in visits), asking.decoding.peak]
    short_ms, long_ms = (round(1000 * statistics.median(seconds), 2) for seconds in asking.decoding.token_s)
    return [
        _row("loading the model", "s", _median(one.load_s for one in visits)),
        _row("first token, cold", "s", _median(one.first_token_s[0] for one in asking.cold)),
        _row("first token, new process", "s", _median(one.first_token_s[0] for one in asking.reopened)),
        _row("first token, warm", "s", _median(first for one in asking.reopened for first in one.first_token_s[1:])),
        _row("first token over the stored KV, new process", "s", round(asking.decoding.first_token_s[1], 3)),
        _row(f"decoding at {options.tokens:,} tokens", "ms/token", long_ms),
        _row(f"decoding at {options.short_tokens:,} tokens", "ms/token", short_ms),
        _row("decoding, long / short", "", round(long_ms / short_ms, 3)),
        _row("anonymous memory while asking, peak", "GiB", _gib(peak.anonymous for peak in peaks)),
        _row("file-backed memory while asking, peak", "GiB", _gib(peak.file_backed for peak in peaks)),
    ]


def _row(what: str, unit: str, value: float | None) -> _Row:
    return {"what": what, "unit": unit, "value": value}


def _median(numbers: Iterable[float | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return round(statistics.median(known), 3) if known else None


def _gib(sizes: Iterable[int]) -> float | None:
    most = max(sizes, default=None)
    return None if most is None else round(most / 2**30, 3)
