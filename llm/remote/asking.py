"""One question to a remote engine, from the index to the checked answer: the same events and the same Answer.

The server sees the documents whole where they fit its context, else their best passages, and coverage says so. What it
writes is trusted no more than what a local model writes: citations are ranges of the documents, found here.
"""

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ingest.document import Document
from llm.answer import (
    Answer,
    Answered,
    AskOptions,
    Coverage,
    Event,
    EvidenceFound,
    ModelName,
    TextDelta,
    ThinkingDelta,
    Timing,
)
from llm.asking import NOTHING_FOUND, STOPPED
from llm.citing import cited
from llm.close_reading import Excerpt, choose, joined
from llm.coverage import coverage_of
from llm.errors import ContextOverflow, RemoteEngineFailed
from llm.evidence.calibration import is_found, probability_of_answer
from llm.evidence.ranking import Ranked
from llm.prompt import NOT_FOUND
from llm.remote.client import Message, RemoteClient, Written
from llm.remote.desk import RemoteDesk, leaves_of
from llm.remote.prompt import messages_of, text_of
from llm.structured.form import misfit
from llm.thinking import Thought
from llm.tools.definitions import HINT, MAX_ROUNDS, TOOLS, ToolCall
from llm.tools.documents import DocumentTools, resting_on


class RemoteAsking:
    """The state of one question. `events` may be iterated once."""

    def __init__(
        self,
        client: RemoteClient,
        desk: RemoteDesk,
        model: ModelName,
        documents: Sequence[Document],
        question: str,
        options: AskOptions,
        cancel: threading.Event | None,
        *,
        has_tools: bool = False,
    ) -> None:
        """`has_tools`: where not everything is shown to the model, it may search the rest and read on."""
        self._client, self._desk, self._model = client, desk, model
        self._documents, self._question, self._options = documents, question.strip(), options
        self._cancel, self._has_tools = cancel or threading.Event(), has_tools
        self._started = time.perf_counter()
        self._sent = self._first_token = self._started

    def events(self) -> Iterator[Event]:
        """See `llm.answer`. Raises ContextOverflow, RemoteEngineFailed."""
        room = self._desk.room(self._question, self._options.max_new_tokens)
        is_whole = self._desk.num_tokens(self._documents) <= room
        self._refuse_what_cannot_be(room, is_whole)
        yield from self._desk.index(self._documents, self._cancel)
        if self._cancel.is_set():
            yield Answered(self._answer(Written(stopped=True), (), self._coverage(())))
            return
        ranked = self._desk.searcher(self._documents).rank(self._question, self._options.top_k)
        yield EvidenceFound(cited(ranked, None))
        tools = None if is_whole else self._tools(room)
        passages_room = room if tools is None else tools.room  # the other half is for what tools show
        shown = None if is_whole else choose(self._excerpts(ranked), self._client.count_tokens, passages_room)
        text = text_of(self._documents) if shown is None else joined(shown)
        written = Written()
        if ranked and tools is not None:
            yield from self._write_with(tools, text + HINT, written)
            ranked = tools.beside(ranked)
            shown = (*(shown or ()), *(one for one in tools.shown if one not in (shown or ())))
        elif ranked:
            yield from self._write(text, self._pictures(shown, passages_room), written)
        yield Answered(self._answer(written, ranked, self._coverage(shown)))

    def _tools(self, room: int) -> DocumentTools | None:
        """None where it has none, or an answer of a form is wanted. What they show takes half of the room."""
        if not self._has_tools or self._options.form is not None:
            return None
        count = self._client.count_tokens
        left = room - count(json.dumps(TOOLS))
        return DocumentTools(leaves_of(self._documents), self._desk.rank, self._question, count, max(0, left // 2))

    def _write_with(self, tools: DocumentTools, text: str, written: Written) -> Iterator[Event]:
        """As `_write`; what the model does with tools is told as its thinking."""
        messages = messages_of(text, self._question)
        self._sent = time.perf_counter()
        for number in range(MAX_ROUNDS + 1):
            turn = Written()
            for piece in self._client.chat(
                messages, turn, max_new_tokens=self._options.max_new_tokens, temperature=self._options.temperature,
                seed=self._options.seed, cancel=self._cancel, tools=TOOLS if number < MAX_ROUNDS else (),
            ):  # fmt: skip
                if isinstance(piece, Thought):
                    yield ThinkingDelta(piece.text)
            written.thinking += turn.thinking
            written.prompt_tokens = (written.prompt_tokens or 0) + (turn.prompt_tokens or 0)
            written.reused_tokens += turn.reused_tokens
            written.decoded_tokens += turn.decoded_tokens
            written.stopped = turn.stopped
            if not turn.calls or turn.stopped or number == MAX_ROUNDS:
                break
            told = "".join(f"{call.name} {call.arguments}\n" for call in turn.calls)
            tools.room -= self._client.count_tokens(turn.text + told)
            messages = [*messages, _asking_for(turn), *(_answered(call, tools.result(call)) for call in turn.calls)]
            written.thinking += told
            yield ThinkingDelta(told)
        self._first_token = time.perf_counter()
        written.text = turn.text
        yield TextDelta(turn.text)

    def _pictures(self, shown: Sequence[Excerpt] | None, room: int) -> list[str]:
        """Page images of what is sent: of everything, or of the pages that passages come from, as room is left."""
        if self._desk.pictures is None:
            return []
        if shown is None:
            return list(self._desk.pictures.urls(leaves_of(self._documents), None, room))
        pages = {(excerpt.leaf.id, excerpt.page_index) for excerpt in shown}
        left = room - self._client.count_tokens(joined(shown))
        return list(self._desk.pictures.urls(leaves_of(self._documents), pages, left))

    def _write(self, text: str, pictures: Sequence[str], written: Written) -> Iterator[Event]:
        schema = self._schema(text)
        self._sent = time.perf_counter()
        is_first = True
        for piece in self._client.chat(
            messages_of(text, self._question, pictures), written, max_new_tokens=self._options.max_new_tokens,
            temperature=self._options.temperature, seed=self._options.seed, cancel=self._cancel, schema=schema,
        ):  # fmt: skip
            if is_first:
                self._first_token, is_first = time.perf_counter(), False
            if isinstance(piece, Thought):
                yield ThinkingDelta(piece.text)
            elif schema is None:
                yield TextDelta(piece)
        if self._options.form is None or written.stopped:
            return
        if self._options.form.schema is None:
            written.text = _value_of(written.text)
        elif (why := misfit(written.text, self._options.form.schema)) is not None:
            raise RemoteEngineFailed(
                f"the server {self._client.url} wrote JSON that does not fit the schema ({why}); it may not keep to "
                "schemas: use another one, or raise --max-new-tokens"
            )

    def _schema(self, text: str) -> Mapping[str, Any] | None:
        """The form's own; else of a JSON object whose only value is one of the answers that the form allows."""
        if self._options.form is None:
            return None
        if self._options.form.schema is not None:
            schema: dict[str, Any] = json.loads(self._options.form.schema)
            return schema
        allowed = [*self._options.form.strings([text]), NOT_FOUND]
        answer = {"type": "string", "enum": allowed}
        return {
            "type": "object", "properties": {"answer": answer}, "required": ["answer"], "additionalProperties": False
        }  # fmt: skip

    def _refuse_what_cannot_be(self, room: int, is_whole: bool) -> None:
        if room <= 0:
            raise ContextOverflow(
                f"the question and {self._options.max_new_tokens} tokens of answer do not fit into the "
                f"{self._desk.limit_tokens:,} tokens of the server; shorten it, or lower --max-new-tokens"
            )
        if self._options.exact and not is_whole:
            raise ContextOverflow(
                f"an exact answer was asked for, but {self._desk.why_not_whole(self._documents)}; "
                "ask about fewer documents or pages, or leave --exact out"
            )

    def _answer(self, written: Written, ranked: Sequence[Ranked], coverage: Coverage) -> Answer:
        text = written.text.strip()
        refuses = not text or text.startswith(NOT_FOUND.rstrip("."))
        is_quoted = self._options.form is None or self._options.form.pattern is not None
        probability = 0.0 if refuses else probability_of_answer(self._question, ranked, text if is_quoted else None)
        found = written.stopped or (not refuses and is_found(probability, with_answer=is_quoted))
        return Answer(
            question=self._question,
            answer=(text or STOPPED) if found else NOTHING_FOUND,
            found=found and bool(text),
            citations=cited(resting_on(text, ranked) if self._has_tools else ranked, text) if found and text else (),
            coverage=coverage,
            timing=self._timing(written),
            model=self._model,
            confidence=probability,
            stopped=written.stopped,
            thinking=written.thinking,
        )

    def _timing(self, written: Written) -> Timing:
        """Seconds as seen from here; tokens as the server counted them."""
        ended = time.perf_counter()
        prefill_s, decode_s = max(0.0, self._first_token - self._sent), ended - max(self._first_token, self._sent)
        new_tokens = max(0, (written.prompt_tokens or 0) - written.reused_tokens)
        return Timing(
            read_s=round(prefill_s, 3),
            reused_tokens=written.reused_tokens,
            new_tokens=new_tokens,
            first_token_s=round(max(0.0, self._first_token - self._started), 3),
            total_s=round(ended - self._started, 3),
            prefill_tokens_per_s=round(new_tokens / prefill_s, 1) if prefill_s else 0.0,
            decode_tokens_per_s=round(written.decoded_tokens / decode_s, 1) if decode_s > 0 else 0.0,
        )

    def _coverage(self, shown: Sequence[Excerpt] | None) -> Coverage:
        total = self._desk.num_tokens(self._documents)
        if shown is None:
            return coverage_of(self._documents, tokens_total=total, tokens_read=total)
        return coverage_of(
            self._documents,
            tokens_total=total,
            tokens_read=min(total, self._client.count_tokens(joined(shown))) if shown else 0,
            pages_seen={(excerpt.leaf.id, excerpt.page_index) for excerpt in shown},
            shortened=f"{self._desk.why_not_whole(self._documents)}; it saw the passages that fit the question best"
            if shown
            else "the question was stopped before it was sent",
        )

    def _excerpts(self, ranked: Sequence[Ranked]) -> list[Excerpt]:
        order = {leaf.id: index for index, leaf in enumerate(leaves_of(self._documents))}
        return [
            Excerpt(one.document, order[one.document.id], one.passage.page_index, one.passage.start, one.passage.end)
            for one in ranked
        ]


def _asking_for(turn: Written) -> Message:
    """The model's own message with its calls, for it to see again."""
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in turn.calls
    ]
    return {"role": "assistant", "content": turn.text, "tool_calls": calls}


def _answered(call: ToolCall, result: str) -> Message:
    return {"role": "tool", "tool_call_id": call.id, "content": result}


def _value_of(text: str) -> str:
    """The value of the JSON object that was asked for; a server that does not constrain its output may write text."""
    try:
        return str(json.loads(text)["answer"])
    except (ValueError, TypeError, KeyError):
        return text
