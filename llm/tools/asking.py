"""One question to a model of this machine that may call tools: rounds of calls and results, then its answer.

Where everything fits one pass of attention, or an answer of a form is wanted, no tools are given. Else the model is
shown the passages that fit best, in a prompt of its own beside what was read, and the working set goes on from turn to
turn: its own tokens as it wrote them, the result as its template gives results back. What it calls is told as thinking.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ingest.document import Document
from llm.answer import Answered, Event, ModelName
from llm.asking import Asking, Draft
from llm.attempts import Attempt
from llm.close_reading import CloseReading, compose
from llm.evidence.ranking import Ranked
from llm.generation import Generated, generate
from llm.prompt import NEXT_QUESTION
from llm.thinking import Thought
from llm.tools.constraint import CallConstraint
from llm.tools.definitions import MAX_ROUNDS
from llm.tools.documents import DocumentTools, resting_on
from llm.tools.forms import CallSyntax

_CALL_TOKENS = 400  # that a call may take beyond the length of an answer


class AskingWithTools(Asking):
    """As `Asking`; of its steps it changes how passages are answered from, and what such an answer rests on."""

    _tools: DocumentTools | None = None  # those of the attempt, with what they showed

    def events(self) -> Iterator[Event]:
        """See `llm.answer`."""
        for event in super().events():
            if isinstance(event, Answered):
                yield Answered(replace(event.answer, model=named_with_tools(event.answer.model)))
            else:
                yield event

    def _write(self, close: CloseReading | None, written: Generated) -> Iterator[Thought | str]:
        calls = self._backbone.calls
        if close is None or calls is None or not self._needs_tools():
            yield from super()._write(close, written)
            return
        leaves = [leaf for document in self._documents for leaf in document.leaves()]
        self._tools = DocumentTools(leaves, self._rank, self._question, self._count_tokens, room=0)
        yield from self._rounds(calls, self._tools, close, written)
        shown = compose(self._tools.shown, self._backbone.prompt, self._desk.num_tokens(self._documents))
        self._closes.append(shown)  # what tools showed is covered

    def _rounds(
        self, calls: CallSyntax, tools: DocumentTools, close: CloseReading, written: Generated
    ) -> Iterator[Thought | str]:
        """Turns of the model until one calls nothing; its text is the answer, and comes when it is whole."""
        kv, limit = self._backbone.empty_kv(), self._options.max_new_tokens
        ids: Sequence[int] = calls.prompt_ids(close.token_ids, self._question)
        for number in range(MAX_ROUNDS + 1):
            carried = kv.num_tokens + len(ids)
            room = self._backbone.context_tokens - carried - 2 * (limit + _CALL_TOKENS)  # this turn and the last
            opens_thinking = calls.opens_thinking(has_called=number > 0)
            constraint = CallConstraint(
                calls, self._backbone, opens_thinking=opens_thinking, may_call=number < MAX_ROUNDS and room > 0
            )
            turn, started = Generated(), time.perf_counter()
            decoding_since: float | None = None
            for piece in generate(
                self._backbone, kv, ids, turn, max_new_tokens=limit, temperature=self._options.temperature,
                seed=self._options.seed, stop_text=NEXT_QUESTION, constraint=constraint,
                opens_thinking=opens_thinking, cancel=self._cancel,
            ):  # fmt: skip
                decoding_since = decoding_since or time.perf_counter()
                if isinstance(piece, Thought):
                    yield piece
            self._note(turn, written, len(ids), started, decoding_since or time.perf_counter())
            call = constraint.call
            if call is None or turn.stopped:
                break
            told = f"{call.name} {call.arguments}\n"
            written.thinking += told
            yield Thought(told)
            tools.room = room
            left = turn.token_ids[kv.num_tokens - carried :]  # the last one was not carried yet
            ids = [*left, *calls.result_ids(call, tools.result(call))]
        written.text = "" if constraint.call else turn.text
        yield written.text

    def _note(self, turn: Generated, written: Generated, num_new: int, started: float, decoding_since: float) -> None:
        written.thinking += turn.thinking
        written.token_ids += turn.token_ids
        written.logprobs, written.stopped = turn.logprobs, turn.stopped
        self._cost.new_tokens += num_new
        self._cost.question_s += decoding_since - started
        self._cost.decode_s += time.perf_counter() - decoding_since
        self._cost.decoded_tokens += len(turn.token_ids)

    def _needs_tools(self) -> bool:
        """Where the model cannot be shown everything, and writes what it likes."""
        return self._options.form is None and not self._desk.reads_before_answering(self._documents)

    def _count_tokens(self, text: str) -> int:
        return len(self._backbone.prompt.encode(text))

    def _rank(self, leaves: Sequence[Document], query: str, limit: int) -> list[Ranked]:
        return self._desk.searcher(leaves).rank(query, limit)

    def _judged(self, ranked: Sequence[Ranked], attempt: Attempt, written: Generated) -> Draft:
        """What tools found counts as evidence, too."""
        if self._tools is None or attempt.close is None:
            return super()._judged(ranked, attempt, written)
        known = self._tools.beside(ranked)
        return super()._judged(known, replace(attempt, rests_on=tuple(resting_on(written.text, known))), written)


def named_with_tools(model: ModelName) -> ModelName:
    """Answers with tools are told from those without; what was read is the same."""
    return replace(model, revision=f"{model.revision} with tools")
