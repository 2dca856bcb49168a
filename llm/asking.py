"""One question, from the documents on the desk to the checked answer.

The order is fixed: index what is not indexed, read whole what fits the trained context, rank the evidence, let the
question look over the stored KV of what was read whole, let the model write the answer, decide whether the documents
hold one, and cite the sentences that it rests on. `ways_to_answer` is the rule that chooses between the stored KV and a
close reading of the best passages.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from ingest.document import Document
from llm.answer import (
    Answer,
    Answered,
    AskOptions,
    Coverage,
    Event,
    EvidenceFound,
    ReadingProgress,
    TextDelta,
    ThinkingDelta,
    Timing,
)  # fmt: skip
from llm.backbone import Backbone
from llm.citing import cited
from llm.close_reading import CloseReading, Excerpt, compose
from llm.coverage import coverage_of
from llm.desk import Desk
from llm.errors import ContextOverflow, SnapshotRefused
from llm.evidence.calibration import is_found, probability_of_answer
from llm.evidence.ranking import Ranked
from llm.generation import Generated, generate
from llm.looking import Looked, look
from llm.prompt import NEXT_QUESTION, NOT_FOUND
from llm.reading import RESERVED_TOKENS
from llm.runtime.working import WorkingKV
from llm.structured.constraint import Constraint, SchemaConstraint
from llm.thinking import Thought
from llm.tokens import Tokens

NOTHING_FOUND = "Not found: the documents do not hold an answer to this question."
STOPPED = "Stopped."
_SHORT_TOKENS = 800  # up to this length the packaged model answers best over the whole document (docs/BENCHMARKS.md)
_LOOKED_AT = 60  # passages that the question is put to in any case, where there is KV
_CLOSE_TOKENS = 700  # of passages, at least, in a close reading


@dataclass(slots=True)
class _Cost:
    """Seconds and tokens of one question, as they become known."""

    started: float = field(default_factory=time.perf_counter)
    read_s: float = 0.0  # indexing and reading the documents
    reused_tokens: int = 0
    read_tokens: int = 0  # of the documents, now
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
    is_supported: bool  # whether that is enough to say that an answer was found

    @property
    def refuses(self) -> bool:
        text = self.written.text.strip()
        return not text or text.startswith(NOT_FOUND.rstrip("."))


class Way(Enum):
    """How an answer comes about."""

    STORED = auto()  # attention over the KV of everything that was read
    CLOSE = auto()  # the best passages, put back as a short document


def ways_to_answer(num_tokens: int, *, is_read_whole: bool, is_one_document: bool, exact: bool) -> tuple[Way, ...]:
    """Ways to write an answer over documents of that length, the best first; the next is tried if one finds nothing.

    The rule is what measured best (docs/BENCHMARKS.md): a short document is answered over its own KV, everything else
    by a close reading, and then over the KV if there is any. `exact`: over the KV of everything, or not at all.
    """
    if exact:
        return (Way.STORED,)
    if not is_read_whole:
        return (Way.CLOSE,)
    return (Way.STORED,) if num_tokens <= _SHORT_TOKENS and is_one_document else (Way.CLOSE, Way.STORED)


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
        self._looked: Looked | None = None

    def events(self) -> Iterator[Event]:
        """See `llm.answer`: progress, evidence, text, then exactly one Answered, also when a person stopped it."""
        self._refuse_what_cannot_be()
        yield from self._prepare()
        if self._cancel.is_set():
            yield Answered(self._stopped_early())
            return
        searcher = self._desk.searcher(self._documents)
        ranked = self._look(searcher.rank(self._question, _LOOKED_AT))[: self._options.top_k]
        yield EvidenceFound(cited(ranked, None))
        close = compose(self._excerpts(ranked), self._backbone.prompt, self._close_tokens())
        best = _Draft(Generated(), 0.0, False)
        for number, way in enumerate(self._ways() if ranked else ()):
            written = Generated()
            for piece in self._write(close if way is Way.CLOSE else None, written):
                if number == 0:
                    yield ThinkingDelta(piece.text) if isinstance(piece, Thought) else TextDelta(piece)
            draft = self._judged(ranked, written)
            best = max(best, draft, key=lambda one: one.probability)
            if written.stopped or (draft.is_supported and not draft.refuses):
                best = draft
                break
        yield Answered(self._answer(best, ranked, close))
        if self._looked:
            self._looked.turn.release()

    def _judged(self, ranked: Sequence[Ranked], written: Generated) -> _Draft:
        """A choice such as "yes", or JSON, stands in no document: it is judged by the evidence alone."""
        form = self._options.form
        is_quoted = form is None or form.pattern is not None
        probability = probability_of_answer(self._question, ranked, written.text if is_quoted else None)
        return _Draft(written, probability, is_found(probability, with_answer=is_quoted))

    def _constraint(self, close: CloseReading | None) -> Constraint | None:
        """To the form that was asked for, or of choices and patterns a refusal; None: any text."""
        if self._options.form is None:
            return None
        if self._options.form.schema is not None:
            return SchemaConstraint(self._options.form.schema, self._backbone)
        if close is not None:
            shown = [excerpt.text for excerpt in close.shown]
        else:
            shown = [page.text for document in self._documents for leaf in document.leaves() for page in leaf.pages]
        return Constraint([*self._options.form.strings(shown), NOT_FOUND], self._backbone)

    def _ways(self) -> tuple[Way, ...]:
        return ways_to_answer(
            self._desk.num_tokens(self._documents),
            is_read_whole=self._looked is not None,
            is_one_document=sum(1 for document in self._documents for _ in document.leaves()) == 1,
            exact=self._options.exact,
        )

    def _refuse_what_cannot_be(self) -> None:
        """Raises ContextOverflow where the question is too long, or `exact` was asked for and cannot be had."""
        question_tokens = len(self._backbone.prompt.suffix(self._question))
        room = RESERVED_TOKENS - self._options.max_new_tokens
        if question_tokens > room:
            raise ContextOverflow(
                f"the question has {question_tokens} tokens and {self._options.max_new_tokens} go to the answer; "
                f"{room} are left for the question: shorten it, or lower --max-new-tokens"
            )
        if self._options.exact and not self._desk.reads_before_answering(self._documents):
            raise ContextOverflow(
                f"an exact answer was asked for, but {self._desk.why_not_whole(self._documents)}; "
                "ask about fewer documents or pages, or leave --exact out"
            )

    def _look(self, ranked: list[Ranked]) -> list[Ranked]:
        """Puts the question to the stored KV, if all of it is there; the passages, its votes counted in."""
        if not ranked or not self._desk.is_read_whole(self._documents):
            return ranked
        started = time.perf_counter()
        streams = self._desk.streams(self._documents)
        try:
            session = self._desk.session(self._documents)
            looked = self._looked = look(self._backbone, session, streams, self._question, ranked)
        except SnapshotRefused:  # found out block by block; the passages still give an answer
            self._desk.readings.discard_damaged(streams)
            if self._options.exact:
                raise
            return ranked
        self._cost.question_s += time.perf_counter() - started
        self._cost.new_tokens += looked.num_new
        self._cost.reused_tokens = max(0, session.num_tokens - self._cost.read_tokens)
        return looked.ranked

    def _close_tokens(self) -> int:
        """How many tokens of passages go into a close reading: a tenth of the context; more measured worse."""
        return max(_CLOSE_TOKENS, self._backbone.context_tokens // 10)

    def _prepare(self) -> Iterator[ReadingProgress]:
        started = time.perf_counter()
        for progress in self._desk.prepare(self._documents, self._cancel):
            if progress.stage == "read":
                self._cost.reused_tokens = progress.reused
                self._cost.new_tokens = self._cost.read_tokens = progress.done - progress.reused
            yield progress
        self._cost.read_s = time.perf_counter() - started

    def _write(self, close: CloseReading | None, written: Generated) -> Iterator[Thought | str]:
        """Writes an answer over a close reading, or over the whole reading where `close` is None."""
        prompt = self._backbone.prompt
        if close is None:
            assert self._looked is not None, "only what was read whole is asked over its KV"
            kv: WorkingKV = self._looked.turn
            ids: Sequence[int] = [self._looked.last_token]
        else:
            kv = self._backbone.empty_kv()
            ids = Tokens.joined((prompt.prefix, close.token_ids, prompt.suffix(self._question)))
        started = time.perf_counter()
        pieces = generate(
            self._backbone,
            kv,
            ids,
            written,
            max_new_tokens=self._options.max_new_tokens,
            temperature=self._options.temperature,
            seed=self._options.seed,
            stop_text=NEXT_QUESTION,  # small models go on asking themselves
            constraint=self._constraint(close),
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

    def _answer(self, draft: _Draft, ranked: Sequence[Ranked], close: CloseReading) -> Answer:
        written = draft.written
        found = draft.is_supported or written.stopped
        citations = cited(ranked, written.text) if found else ()
        text = written.text.strip()
        if found and not written.stopped and draft.refuses:
            # The evidence is strong though the model saw no answer in it; a quote has no form.
            text = citations[0].quote if citations and self._options.form is None else ""
            found = bool(text)
        return Answer(
            question=self._question,
            answer=text if found else NOTHING_FOUND,
            found=found,
            citations=citations if found else (),
            coverage=self._coverage(close if self._looked is None else None),
            timing=self._cost.timing(),
            model=self._backbone.name,
            confidence=draft.probability,
            stopped=written.stopped,
            looked_at=self._looked.looks if self._looked else (),
            thinking=written.thinking,
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
            shortened=None if close is None else self._why_not_whole(),
        )

    def _why_not_whole(self) -> str:
        return (
            f"{self._desk.why_not_whole(self._documents)} and they were not read whole yet, so this question saw only "
            "the passages that fit it best; read them whole, and questions look over all of it"
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
