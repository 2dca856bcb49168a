"""/v1: the protocol of OpenAI's clients, over the same questions.

Documents are named in an extension field of the request; citations, coverage and what was left out stand in an
extension field of the answer. Guarantee: what a client joins from the stream's pieces is the checked answer. So the
draft, which checking may still replace, is streamed beside it, and the answer's text comes when it is checked.
"""

import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field

from app.errors import BadRequest
from app.http.asking import Asking, sse, streamed
from app.http.failing import Missing
from app.http.guard import Caller, Door
from app.http.shapes import (
    MAX_QUESTION,
    AnswerBody,
    AskBody,
    DocumentKeys,
    Exact,
    Given,
    NewTokens,
    Seed,
    Temperature,
    TopK,
)
from app.service import Longleaf
from llm.answer import Answer, Answered, AskOptions, Event, ReadingProgress, TextDelta

_DEFAULTS = AskOptions()
_NOT_SEEN = "only the last message is put to the documents"


class Part(Given):
    type: Literal["text"]
    text: str


class Message(Given):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Part]
    name: str | None = None

    @property
    def text(self) -> str:
        return self.content if isinstance(self.content, str) else "\n".join(part.text for part in self.content)


class StreamOptions(Given):
    include_usage: bool = False


class ChatBody(Given):
    """What is not here is refused; what has one allowed value is taken because clients send it by themselves."""

    model: str = Field(max_length=400, description="The name that /v1/models gives.")
    messages: Annotated[list[Message], Field(min_length=1, max_length=1000)]
    documents: DocumentKeys
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_completion_tokens: NewTokens | None = None
    max_tokens: NewTokens | None = None
    temperature: Temperature | None = None
    seed: Seed | None = None
    exact: Exact = _DEFAULTS.exact
    top_k: TopK = _DEFAULTS.top_k
    n: Literal[1] | None = None
    top_p: Literal[1] | None = None
    presence_penalty: Literal[0] | None = None
    frequency_penalty: Literal[0] | None = None
    user: str | None = Field(None, max_length=400)

    def asked(self) -> AskBody:
        """The last message as a question. Raises BadRequest."""
        last = self.messages[-1]
        if last.role != "user" or not last.text.strip():
            raise BadRequest("the last message must be a question of the role 'user'; write one")
        if len(last.text) > MAX_QUESTION:
            raise BadRequest(
                f"the question has {len(last.text):,} characters; it may have {MAX_QUESTION:,}: shorten it"
            )
        tokens = self.max_completion_tokens or self.max_tokens or _DEFAULTS.max_new_tokens
        return AskBody(
            documents=self.documents, question=last.text, max_new_tokens=tokens, exact=self.exact,
            temperature=_DEFAULTS.temperature if self.temperature is None else self.temperature,
            seed=_DEFAULTS.seed if self.seed is None else self.seed, top_k=self.top_k,
        )  # fmt: skip


class ModelBody(BaseModel):
    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "longleaf"
    revision: str = Field(description="A hash of the weights, or the hub's commit.")


class ModelList(BaseModel):
    object: Literal["list"] = "list"
    data: list[ModelBody]


class NotSeen(BaseModel):
    """A message of the conversation that the answer does not take into account."""

    message: int
    reason: str


class Extension(AnswerBody):
    messages_left_out: list[NotSeen]


class AnswerMessage(BaseModel):
    role: Literal["assistant"] = "assistant"
    content: str


class Choice(BaseModel):
    index: Literal[0] = 0
    message: AnswerMessage
    finish_reason: Literal["stop", "length"]
    logprobs: None = None


class Cached(BaseModel):
    cached_tokens: int


class Usage(BaseModel):
    prompt_tokens: int = Field(description="Read earlier or now, the question with it.")
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: Cached = Field(description="What had been read before.")


class Completion(BaseModel):
    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    longleaf: Extension = Field(description="The object of `ask --json`: citations, coverage, cost.")


def chat_routes(longleaf: Longleaf, asking: Asking, door: Door, route_class: type[APIRoute]) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["OpenAI"], route_class=route_class)
    may_read = Depends(door.lets("read"))

    def model() -> ModelBody:
        named = longleaf.engine().model
        return ModelBody(id=named.name, revision=named.revision)

    def checked(name: str) -> ModelBody:
        if name != (there := model()).id:
            raise Missing(f"there is no model {name[:80]!r} here; this server answers with {there.id!r}")
        return there

    @router.get("/models", dependencies=[may_read], summary="The model that answers")
    def list_models() -> ModelList:
        return ModelList(data=[model()])

    @router.get("/models/{name:path}", dependencies=[may_read], summary="One model")
    def show_model(name: str) -> ModelBody:
        return checked(name)

    @router.post("/chat/completions", response_model=Completion, summary="Ask, as OpenAI's clients do")
    async def create_chat_completion(
        body: ChatBody, request: Request, caller: Annotated[Caller, Depends(door.lets("read"))]
    ) -> Completion | Response:
        """The last message is the question; earlier ones are named in `longleaf.messages_left_out`."""
        asked = body.asked()
        name = (await run_in_threadpool(checked, body.model)).id
        writer = _Writer(longleaf, body, name)
        if body.stream:
            return streamed(writer.stream(await asking.begun(request, caller, asked)))
        return await run_in_threadpool(writer.whole, await asking.answer(request, caller, asked))

    return router


class _Writer:
    """One completion, whole or in pieces."""

    def __init__(self, longleaf: Longleaf, body: ChatBody, model: str) -> None:
        self._longleaf, self._body, self._model = longleaf, body, model
        self._id, self._created = f"chatcmpl-{uuid.uuid4().hex}", int(time.time())

    def whole(self, answer: Answer) -> Completion:
        return Completion(
            id=self._id, created=self._created, model=self._model, usage=self._usage(answer),
            choices=[Choice(message=AnswerMessage(content=answer.answer), finish_reason=self._finish(answer))],
            longleaf=self._extension(answer),
        )  # fmt: skip

    async def stream(self, events: AsyncIterator[Event | None]) -> AsyncIterator[bytes]:
        yield self._piece({"role": "assistant", "content": ""})
        async for event in events:
            if event is None:
                yield b": nothing new\n\n"
            elif isinstance(event, ReadingProgress):
                yield self._piece({}, longleaf={"reading": asdict(event)})
            elif isinstance(event, TextDelta):
                yield self._piece({}, longleaf={"draft": event.text})
            elif isinstance(event, Answered):
                for piece in await run_in_threadpool(self._last, event.answer):
                    yield piece

    def _last(self, answer: Answer) -> list[bytes]:
        """The checked text, the end with the extension, and the usage where it was asked for."""
        extension = self._extension(answer).model_dump(mode="json")
        pieces = [
            self._piece({"content": answer.answer}),
            self._piece({}, finish_reason=self._finish(answer), longleaf=extension),
        ]
        if self._body.stream_options is not None and self._body.stream_options.include_usage:
            pieces.append(sse(None, {**self._head(), "choices": [], "usage": self._usage(answer).model_dump()}))
        return [*pieces, b"data: [DONE]\n\n"]

    def _piece(self, delta: dict[str, str], finish_reason: str | None = None, **extension: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return sse(None, {**self._head(), "choices": [choice], **extension})

    def _head(self) -> dict[str, Any]:
        return {
            "id": self._id, "object": "chat.completion.chunk", "created": self._created, "model": self._model,
        }  # fmt: skip

    def _extension(self, answer: Answer) -> Extension:
        unseen = [{"message": index, "reason": _NOT_SEEN} for index in range(len(self._body.messages) - 1)]
        return Extension.model_validate({**answer.as_json(), "messages_left_out": unseen})

    def _finish(self, answer: Answer) -> Literal["stop", "length"]:
        limit = self._body.asked().max_new_tokens
        return "length" if answer.found and self._longleaf.engine().count_tokens(answer.answer) >= limit else "stop"

    def _usage(self, answer: Answer) -> Usage:
        written = self._longleaf.engine().count_tokens(answer.answer)
        reused, new = answer.timing.reused_tokens, answer.timing.new_tokens
        return Usage(
            prompt_tokens=reused + new, completion_tokens=written, total_tokens=reused + new + written,
            prompt_tokens_details=Cached(cached_tokens=reused),
        )  # fmt: skip
