"""/api/questions: ask, and get the object of `ask --json`, whole or after a stream of what happens on the way."""

from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.routing import APIRoute

from app.http.asking import Asking, sse, streamed
from app.http.guard import Caller, Door
from app.http.shapes import AnswerBody, AskBody, CitationBody
from llm.answer import Answered, Event, EvidenceFound, ReadingProgress, TextDelta, ThinkingDelta

STREAM = "text/event-stream"
_STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {STREAM: {"schema": {"type": "string"}}},
        "description": "The answer. With `Accept: text/event-stream`, events: `reading` (how far), `evidence` "
        "(citations), `thinking` and `draft` (pieces of text, not checked yet), then one `answer` or `error`.",
    }
}


def question_routes(asking: Asking, door: Door, route_class: type[APIRoute]) -> APIRouter:
    router = APIRouter(prefix="/api/questions", tags=["questions"], route_class=route_class)

    @router.post("", response_model=AnswerBody, responses=_STREAMED, summary="Ask a question of documents")
    async def ask(
        asked: AskBody,
        request: Request,
        caller: Annotated[Caller, Depends(door.lets("read"))],
        accept: Annotated[str, Header(max_length=400, description=f"`{STREAM}` for a stream.")] = "application/json",
    ) -> AnswerBody | Response:
        """Closing the connection stops the question. An answer that the documents do not hold is no error."""
        if STREAM in accept:
            return streamed(_shown(await asking.begun(request, caller, asked)))
        return AnswerBody.of(await asking.answer(request, caller, asked))

    return router


async def _shown(events: AsyncIterator[Event | None]) -> AsyncIterator[bytes]:
    async for event in events:
        yield b": nothing new\n\n" if event is None else sse(*_named(event))


def _named(event: Event) -> tuple[str, Any]:
    if isinstance(event, ReadingProgress):
        return "reading", asdict(event)
    if isinstance(event, EvidenceFound):
        return "evidence", {"citations": [CitationBody.model_validate(cite).model_dump() for cite in event.citations]}
    if isinstance(event, ThinkingDelta):
        return "thinking", {"text": event.text}
    if isinstance(event, TextDelta):
        return "draft", {"text": event.text}
    assert isinstance(event, Answered), f"{event!r} is no event of a question"
    return "answer", event.answer.as_json()
