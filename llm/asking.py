"""One question, from the documents on the desk to the checked answer.

The order is fixed: index what is not indexed, read whole what fits, rank the evidence, let the model write the answer,
decide whether the documents hold one, and cite the sentences that it rests on. A short document is answered over its
whole reading. For a longer one the best passages are read closely first, which measures better; where they give no
answer, the whole reading is asked, if there is one.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ingest.document import Document
from llm.answer import (
    Answer,
    Answered,
    AskOptions,
    Citation,
    Coverage,
    Event,
    EvidenceFound,
    ReadingProgress,
    TextDelta,
    Timing,
)  # fmt: skip
from llm.backbone import Backbone
from llm.citing import cite
from llm.close_reading import CloseReading, Excerpt, compose
from llm.coverage import coverage_of
from llm.desk import RESERVED_TOKENS, Desk
from llm.errors import ContextOverflow
from llm.evidence.calibration import is_found, probability_of_answer
from llm.evidence.quoting import quotes
from llm.evidence.ranking import Ranked
from llm.generation import Generated, generate
from llm.prompt import NEXT_QUESTION, NOT_FOUND
from llm.reading import ReadingCache

NOTHING_FOUND = "Not found: the documents do not hold an answer to this question."
STOPPED = "Stopped."
_SHORT_TOKENS = 800  # up to this length the packaged model answers best over the whole document (docs/BENCHMARKS.md)
_CLOSE_TOKENS = 700  # of passages, at least, in a close reading
_MAX_CITATIONS = 3


@dataclass(slots=True)
class _Cost:
    """Seconds and tokens of one question, as they become known."""

    started: float = field(default_factory=time.perf_counter)
    read_s: float = 0.0  # indexing and reading the documents
    reused_tokens: int = 0
    new_tokens: int = 0
    question_s: float = 0.0  # from the first token of the question to the first of the answer
    first_token_s: float | None = None
    decoded_tokens: int = 0
    decode_s: float = 0.0

    def elapsed_s(self) -> float:
        return time.perf_counter() - self.started

    def timing(self) -> Timing:
        total_s = self.elapsed_s()
        prefill_s = self.read_s + self.question_s
        return Timing(
            read_s=round(prefill_s, 3),
            reused_tokens=self.reused_tokens,
            new_tokens=self.new_tokens,
            first_token_s=round(total_s if self.first_token_s is None else self.first_token_s, 3),
            total_s=round(total_s, 3),
            prefill_tokens_per_s=round(self.new_tokens / prefill_s, 1) if prefill_s else 0.0,
            decode_tokens_per_s=round(self.decoded_tokens / self.decode_s, 1) if self.decode_s else 0.0,
        )


@dataclass(frozen=True, slots=True)
class _Draft:
    """One way's answer, and how probable it is that the documents hold one, judged by it."""

    written: Generated
    probability: float

    @property
    def refuses(self) -> bool:
        text = self.written.text.strip()
        return not text or text.startswith(NOT_FOUND.rstrip("."))


class Asking:
    """The state of one question. `events` may be iterated once."""

    def __init__(
        self,
        backbone: Backbone,
        desk: Desk,
        documents: Sequence[Document],
        question: str,
        options: AskOptions,
        cancel: threading.Event | None,
    ) -> None:
        self._backbone, self._desk = backbone, desk
        self._documents, self._question, self._options = documents, question.strip(), options
        self._cancel = cancel or threading.Event()
        self._cost = _Cost()

    def events(self) -> Iterator[Event]:
        """See `llm.answer`: progress, evidence, text, then exactly one Answered, also when a person stopped it."""
        whole = self._is_read_whole()
        yield from self._read(whole)
        if self._cancel.is_set():
            yield Answered(self._stopped_early())
            return
        ranked = self._desk.searcher(self._documents).rank(self._question, self._options.top_k)
        yield EvidenceFound(_citations(ranked, None))
        close = compose(self._excerpts(ranked), self._backbone.prompt, self._close_tokens())
        best = _Draft(Generated(), 0.0)
        for number, over_whole in enumerate(self._ways(whole) if ranked else ()):
            written = Generated()
            for piece in self._write(None if over_whole else close, written):
                if number == 0:
                    yield TextDelta(piece)
            draft = _Draft(written, probability_of_answer(self._question, ranked, written.text))
            best = max(best, draft, key=lambda one: one.probability)
            if written.stopped or (is_found(draft.probability) and not draft.refuses):
                best = draft
                break
        yield Answered(self._answer(best, ranked, None if whole else close))

    def _ways(self, whole: bool) -> tuple[bool, ...]:
        """Ways to write the answer, until one finds it. True: over the whole reading; False: over passages."""
        if self._options.exact or (whole and self._desk.num_tokens(self._documents) <= _SHORT_TOKENS):
            return (True,)
        return (False, True) if whole else (False,)

    def _is_read_whole(self) -> bool:
        """Raises ContextOverflow where the question is too long, or `exact` was asked for and cannot be had."""
        question_tokens = len(self._backbone.prompt.suffix(self._question))
        room = RESERVED_TOKENS - self._options.max_new_tokens
        if question_tokens > room:
            raise ContextOverflow(
                f"the question has {question_tokens} tokens and {self._options.max_new_tokens} go to the answer; "
                f"{room} are left for the question: shorten it, or lower --max-new-tokens"
            )
        fits = self._desk.fits(self._documents)
        if self._options.exact and not fits:
            raise ContextOverflow(
                f"an exact answer was asked for, but {self._desk.why_shortened(self._documents)}; "
                "ask about fewer documents or pages, or leave --exact out"
            )
        return fits

    def _close_tokens(self) -> int:
        """How many tokens of passages go into a close reading: a tenth of the context; more measured worse."""
        return max(_CLOSE_TOKENS, self._backbone.context_tokens // 10)

    def _read(self, whole: bool) -> Iterator[ReadingProgress]:
        started = time.perf_counter()
        yield from self._desk.index(self._documents, self._cancel)
        if whole and not self._cancel.is_set():
            for progress in self._desk.readings.read(self._desk.stream(self._documents), self._cancel):
                self._cost.reused_tokens = progress.reused
                self._cost.new_tokens = progress.done - progress.reused
                yield progress
        self._cost.read_s = time.perf_counter() - started

    def _write(self, close: CloseReading | None, written: Generated) -> Iterator[str]:
        """Writes an answer over a close reading, or over the whole reading where `close` is None."""
        prompt = self._backbone.prompt
        if close is None:
            cache, ids = self._desk.readings.cache_of(self._desk.stream(self._documents)), []
        else:
            cache, ids = ReadingCache(), prompt.prefix + close.token_ids
        ids = ids + prompt.suffix(self._question)
        started = time.perf_counter()
        pieces = generate(
            self._backbone,
            cache,
            ids,
            written,
            max_new_tokens=self._options.max_new_tokens,
            temperature=self._options.temperature,
            seed=self._options.seed,
            stop_text=NEXT_QUESTION,  # small models go on asking themselves
            cancel=self._cancel,
        )
        decoding_since: float | None = None
        for piece in pieces:
            if decoding_since is None:
                decoding_since = time.perf_counter()
                self._cost.question_s += decoding_since - started
            if self._cost.first_token_s is None:
                self._cost.first_token_s = self._cost.elapsed_s()
            yield piece
        self._cost.new_tokens += len(ids)
        self._cost.decode_s += time.perf_counter() - (decoding_since or started)
        self._cost.decoded_tokens += len(written.token_ids)

    def _answer(self, draft: _Draft, ranked: Sequence[Ranked], close: CloseReading | None) -> Answer:
        written = draft.written
        found = is_found(draft.probability) or written.stopped
        citations = _citations(ranked, written.text) if found else ()
        text = written.text.strip()
        if found and not written.stopped and draft.refuses:
            text = (
                citations[0].quote if citations else ""
            )  # the evidence is strong though the model saw no answer in it
            found = bool(text)
        return Answer(
            question=self._question,
            answer=text if found else NOTHING_FOUND,
            found=found,
            citations=citations,
            coverage=self._coverage(close),
            timing=self._cost.timing(),
            model=self._backbone.name,
            confidence=draft.probability,
            stopped=written.stopped,
        )

    def _stopped_early(self) -> Answer:
        """The answer of a question that was stopped while its documents were still being read."""
        total = self._desk.num_tokens(self._documents)
        coverage = coverage_of(
            self._documents, tokens_total=total, tokens_read=0, pages_seen=(), shortened="the reading was stopped"
        )
        return Answer(
            self._question, STOPPED, False, (), coverage, self._cost.timing(), self._backbone.name, stopped=True
        )

    def _coverage(self, close: CloseReading | None) -> Coverage:
        total = self._desk.num_tokens(self._documents)
        return coverage_of(
            self._documents,
            tokens_total=total,
            tokens_read=total if close is None else len(close.token_ids),
            pages_seen=None if close is None else close.pages,
            shortened=None if close is None else self._desk.why_shortened(self._documents),
        )

    def _excerpts(self, ranked: Sequence[Ranked]) -> list[Excerpt]:
        leaves = (leaf for document in self._documents for leaf in document.leaves())
        order = {leaf.id: index for index, leaf in enumerate(leaves)}
        return [
            Excerpt(
                item.document, order[item.document.id], item.passage.page_index, item.passage.start, item.passage.end
            )
            for item in ranked
        ]


def _citations(ranked: Sequence[Ranked], answer: str | None) -> tuple[Citation, ...]:
    """The best quotes as checked citations; one that does not stand in its document is not shown."""
    best = quotes(ranked, answer, limit=_MAX_CITATIONS)
    cited = (cite(quote.document, quote.page_index, quote.start, quote.end) for quote in best)
    return tuple(citation for citation in cited if citation.verified)
