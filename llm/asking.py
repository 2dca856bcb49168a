"""One question, from the documents on the desk to the checked answer.

The order is fixed: index what is not indexed, read whole what fits the trained context, rank the evidence, let the
question look over the stored KV of what was read whole, compute the answer where a table holds it, else let the model
write it, decide whether the documents hold one, and cite the sentences that it rests on. Where the best passage is far
ahead of the next, no vote of the look changes that: then it is read first and the look comes after it. What the model
is shown is decided in `llm.attempts`.
"""

import threading
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from ingest.document import Document
from llm.answer import (
    Answer,
    Answered,
    AskOptions,
    Citation,
    Coverage,
    Derived,
    Event,
    EvidenceFound,
    ReadingProgress,
    TextDelta,
    ThinkingDelta,
)  # fmt: skip
from llm.attempts import REFUSAL, Attempt, Way, attempts, excerpts_of, is_refusal, ways_to_answer
from llm.backbone import Backbone
from llm.citing import MAX_CITATIONS, cited
from llm.close_reading import CloseReading
from llm.constants import with_value
from llm.cost import Cost
from llm.coverage import coverage_of
from llm.derived import derive, derive_of_form
from llm.desk import Desk
from llm.errors import ContextOverflow, SnapshotRefused
from llm.evidence.calibration import is_found, is_of_another_kind, only_repeats, probability_of_answer
from llm.evidence.ending import ended
from llm.evidence.passages import Passage
from llm.evidence.ranking import Ranked
from llm.generation import Generated
from llm.looking import Looked, look
from llm.prompt import NOT_FOUND
from llm.reading import RESERVED_TOKENS
from llm.thinking import Thought
from llm.writing import Writer

NOTHING_FOUND = "Not found: the documents do not hold an answer to this question."
STOPPED = "Stopped."
_LOOKED_AT = 60  # passages that the question is put to in any case, where there is KV
_CLEAR = 0.05  # lead in score from which votes never put another passage first (docs/LOG.md)


@dataclass(frozen=True, slots=True)
class Draft:
    """One way's answer, and how probable it is that the documents hold one, judged by it."""

    attempt: Attempt
    written: Generated
    probability: float
    is_supported: bool  # whether that is enough to say that an answer was found

    @property
    def refuses(self) -> bool:
        return is_refusal(self.written.text)


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
        self._cost = Cost()
        self._ranked: list[Ranked] = []
        self._has_looked = False  # as far as there is anything to look over
        self._looked: Looked | None = None
        self._writer = Writer(backbone, desk, documents, self._question, options, self._cost, self._cancel)
        self._closes: list[CloseReading] = []  # what the model was shown, where it did not look over everything

    def events(self) -> Iterator[Event]:
        """See `llm.answer`: progress, evidence, text, then exactly one Answered, also when a person stopped it."""
        self._refuse_what_cannot_be()
        yield from self._prepare()
        if self._cancel.is_set():
            yield Answered(self._stopped_early())
            return
        self._ranked = self._desk.searcher(self._documents).rank(self._question, _LOOKED_AT)
        if not self._is_clear():
            self._look()
        yield EvidenceFound(cited(self._best, None))
        derived = self._derived()
        if derived is not None:
            yield self._delta(derived.text)
            self._look()
            probability = max(derived.probability, probability_of_answer(self._question, self._best, None))
            yield Answered(self._composed(derived.text, derived.citations, probability, is_found=True, derived=derived))
        else:
            draft = yield from self._written()
            self._look()
            yield Answered(self._answer(draft, self._best))
        if self._looked:
            self._looked.turn.release()

    def _derived(self) -> Derived | None:
        if self._options.exact or not self._best:
            return None
        if self._options.form is not None:
            return derive_of_form(self._question, self._documents, self._options.form)
        return derive(self._question, self._best, self._documents)

    @property
    def _best(self) -> list[Ranked]:
        """Of the passages that the answer can stand in, if it must be of a form, and there are such."""
        form = self._options.form
        fitting = self._ranked if form is None else [item for item in self._ranked if form.is_in(item.text)]
        return (fitting or self._ranked)[: self._options.top_k]

    def _is_clear(self) -> bool:
        """Whether the first passage would be the first to be read, whatever the look finds."""
        if len(self._ranked) < 2 or self._ways(is_read_whole=True)[0] is not Way.ONE_BY_ONE:
            return False
        first, second = self._ranked[:2]
        return first.score - second.score >= _CLEAR

    def _written(self) -> Generator[Event, None, Draft | None]:
        """Attempts until one gives an answer that the evidence supports. The first answer's text is streamed."""
        best: Draft | None = None
        is_shown = False
        for attempt in self._attempts() if self._ranked else ():
            written = Generated()
            was_shown = is_shown
            for event in self._answering(attempt, written):
                if not was_shown:
                    is_shown = is_shown or isinstance(event, TextDelta)
                    yield event
            again = self._writer.weighed(attempt.close, written)
            if again is not written and not is_shown and not self._says_nothing(again.text):
                is_shown = True
                yield self._delta(again.text)
            draft = self._judged(self._best, attempt, again)
            best = draft if best is None or draft.probability > best.probability else best
            if again.stopped or (draft.is_supported and not draft.refuses):
                return draft
        return best

    def _answering(self, attempt: Attempt, written: Generated) -> Iterator[TextDelta | ThinkingDelta]:
        """Writes one attempt. Nothing is shown that may still be no answer, and of a refusal no more is written."""
        held = ""
        self._closes += [attempt.close] if attempt.close else []
        for piece in self._write(attempt.close, written):
            if isinstance(piece, Thought):
                yield ThinkingDelta(piece.text)
                continue
            held += piece
            if written.text.strip().startswith(REFUSAL):
                return
            if not REFUSAL.startswith(written.text.strip()) and not self._says_nothing(written.text, False):
                yield self._delta(held)
                held = ""
        if held.strip() and (written.stopped or not self._says_nothing(written.text)):
            yield self._delta(held)

    def _write(self, close: CloseReading | None, written: Generated) -> Iterator[Thought | str]:
        return self._writer.write(close, self._looked, written)

    def _says_nothing(self, text: str, is_whole: bool = True) -> bool:
        """Whether it says what nobody asked for. Other models may say it in any language, or why it is not there."""
        if not self._backbone.reads_one_by_one or self._options.form is not None:  # a form has its own rule
            return False
        return is_of_another_kind(self._question, text) or only_repeats(self._question, text, is_whole=is_whole)

    def _delta(self, text: str) -> TextDelta:
        if self._cost.first_token_s is None:
            self._cost.first_token_s = self._cost.elapsed_s()
        return TextDelta(text)

    def _judged(self, ranked: Sequence[Ranked], attempt: Attempt, written: Generated) -> Draft:
        """A choice such as "yes", or JSON, stands in no document: it is judged by the evidence alone."""
        form = self._options.form
        is_quoted = form is None or form.pattern is not None
        is_other = self._says_nothing(written.text)
        said = NOT_FOUND if is_other or is_refusal(written.text) else written.as_recognised
        probability = probability_of_answer(
            self._question,
            ranked,
            said if is_quoted else None,
            place=attempt.place,
            is_doubted=bool(written.doubted),
        )
        is_supported = is_found(probability, with_answer=is_quoted) and not is_other
        return Draft(attempt, written, probability, is_supported)

    def _attempts(self) -> Iterator[Attempt]:
        """The first passage alone where the look can wait, then all that there is to try."""
        tried: list[tuple[str, Passage]] = []
        if not self._has_looked:
            tried = _places(self._ranked[:1])
            yield from self._attempts_at(self._ranked[:1], [Way.ONE_BY_ONE])
            self._look()
        for attempt in self._attempts_at(self._best, self._ways(is_read_whole=self._looked is not None)):
            if attempt.close is None or _places(attempt.rests_on) != tried:
                yield attempt

    def _attempts_at(self, ranked: Sequence[Ranked], ways: Sequence[Way]) -> Iterator[Attempt]:
        prompt, context_tokens = self._backbone.prompt, self._backbone.context_tokens
        return attempts(ways, ranked, excerpts_of(ranked, self._documents), prompt, context_tokens)

    def _ways(self, *, is_read_whole: bool) -> Sequence[Way]:
        return ways_to_answer(
            self._desk.num_tokens(self._documents),
            is_read_whole=is_read_whole,
            is_one_document=sum(1 for document in self._documents for _ in document.leaves()) == 1,
            exact=self._options.exact,
            one_by_one=self._backbone.reads_one_by_one and self._options.form is None,
            has_pictures=any(stream.token_ids.runs for stream in self._desk.streams(self._documents)),
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

    def _look(self) -> None:
        """Puts the question to the stored KV, if all of it is there, and counts its votes in; once."""
        if self._has_looked:
            return
        self._has_looked = True
        if not self._ranked or not self._desk.is_read_whole(self._documents):
            return
        started = time.perf_counter()
        streams = self._desk.streams(self._documents)
        try:
            session = self._desk.session(self._documents)
            looked = self._looked = look(self._backbone, session, streams, self._question, self._ranked)
        except SnapshotRefused:  # found out block by block; the passages still give an answer
            self._desk.readings.discard_damaged(streams)
            if self._options.exact:
                raise
            return
        self._cost.question_s += time.perf_counter() - started
        self._cost.new_tokens += looked.num_new
        self._cost.reused_tokens = max(0, session.num_tokens - self._cost.read_tokens)
        self._ranked = looked.ranked

    def _prepare(self) -> Iterator[ReadingProgress]:
        started = time.perf_counter()
        for progress in self._desk.prepare(self._documents, self._cancel):
            if progress.stage == "read":
                self._cost.reused_tokens = progress.reused
                self._cost.new_tokens = self._cost.read_tokens = progress.done - progress.reused
            yield progress
        self._cost.read_s = time.perf_counter() - started

    def _answer(self, draft: Draft | None, ranked: Sequence[Ranked]) -> Answer:
        """The answer that a draft makes; None: nothing was ranked."""
        if draft is None:
            return self._composed(NOTHING_FOUND, (), 0.0)
        written = draft.written
        found = draft.is_supported or written.stopped
        citations = cited(draft.attempt.rests_on, written.as_recognised) if found else ()
        text = written.text.strip()
        if found and not written.stopped and draft.refuses:
            # The evidence is strong though the model saw no answer in it; a quote has no form.
            citations = citations if written.doubted else cited(ranked, None)
            text = citations[0].quote if citations and self._options.form is None else ""
            text = written.doubted or text
            found = bool(text)
        elif found and self._options.form is None:
            text = text if written.stopped else ended(text, draft.attempt.rests_on)
            if constant := with_value(text, self._documents):
                text, citations = constant[0], (constant[1], *citations)[:MAX_CITATIONS]
        return self._composed(
            text if found else NOTHING_FOUND, citations if found else (), draft.probability,
            is_found=found, stopped=written.stopped, thinking=written.thinking,
        )  # fmt: skip

    def _composed(
        self,
        text: str,
        citations: tuple[Citation, ...],
        probability: float,
        *,
        is_found: bool = False,
        stopped: bool = False,
        thinking: str = "",
        derived: Derived | None = None,
    ) -> Answer:
        return Answer(
            question=self._question,
            answer=text,
            found=is_found,
            citations=citations,
            coverage=self._coverage(derived),
            timing=self._cost.timing(),
            model=self._backbone.name,
            confidence=probability,
            stopped=stopped,
            looked_at=self._looked.looks if self._looked else (),
            thinking=thinking,
            how=derived.how if derived else "",
            derived=derived is not None,
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

    def _coverage(self, derived: Derived | None) -> Coverage:
        total = self._desk.num_tokens(self._documents)
        if self._looked:
            return coverage_of(self._documents, tokens_total=total, tokens_read=total, pages_seen=None, shortened=None)
        if derived is not None:
            pages = {(citation.document, citation.page_index) for citation in derived.citations}
            why = f"{derived.source}; the model read nothing for it"
            return coverage_of(self._documents, tokens_total=total, tokens_read=0, pages_seen=pages, shortened=why)
        return coverage_of(
            self._documents,
            tokens_total=total,
            tokens_read=min(total, sum(len(close.token_ids) for close in self._closes)),
            pages_seen=set().union(*(close.pages for close in self._closes)),
            shortened=(
                f"{self._desk.why_not_whole(self._documents)} and they were not read whole yet, so this question saw "
                "only the passages that fit it best; read them whole, and questions look over all of it"
            ),
        )


def _places(ranked: Sequence[Ranked]) -> list[tuple[str, Passage]]:
    return [(item.document.id, item.passage) for item in ranked]
