"""/api/questions: ask, and get the object of `ask --json`, whole or after a stream of what happens on the way.

What was asked before is listed here, too.
"""

from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.routing import APIRoute

from app.errors import BadRequest
from app.http.asking import Asking, sse, streamed
from app.http.failing import Missing
from app.http.guard import Caller, Door
from app.http.paging import Limit
from app.http.shapes import AnswerBody, AnswerList, AskBody, CitationBody, KeptAnswerBody
from app.service.history import History
from llm.answer import Answered, Event, EvidenceFound, ReadingProgress, TextDelta, ThinkingDelta

STREAM = "text/event-stream"
_STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {STREAM: {"schema": {"type": "string"}}},
        "description": "The answer. With `Accept: text/event-stream`, events: `reading` (how far), `evidence` "
        "(citations), `thinking` and `draft` (pieces of text, not checked yet), then one `answer` or `error`.",
    }
}


def question_routes(asking: Asking, history: History, door: Door, route_class: type[APIRoute]) -> APIRouter:
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

    @router.get("", dependencies=[Depends(door.lets("read"))], summary="List what was asked, oldest first")
    def list_answers(
        limit: Limit = 100,
        cursor: Annotated[str, Query(pattern="^[0-9]{1,15}$", description="`next` of the page before.")] = "0",
    ) -> AnswerList:
        """Of the whole library, whichever door it was asked at."""
        kept = history.after(int(cursor), limit + 1)
        shown = [KeptAnswerBody.of_kept(each) for each in kept[:limit]]
        return AnswerList(answers=shown, next=str(shown[-1].number) if len(kept) > limit else None)

    @router.get("/{number}", dependencies=[Depends(door.lets("read"))], summary="One answer that was given")
    def show_answer(number: Annotated[int, Path(ge=1, lt=10**15)]) -> KeptAnswerBody:
        try:
            return KeptAnswerBody.of_kept(history.answer(number))
        except BadRequest as error:
            raise Missing(str(error)) from None

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
