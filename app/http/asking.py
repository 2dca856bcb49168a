"""A question that a program put: answered in a thread, its events given to the request as they come.

Guarantees: when the program goes away, the question is stopped; nobody has more than a few questions answered at once;
what can be said before the first event is raised, so that it becomes a status and no broken stream.
"""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, suppress
from enum import Enum, auto
from typing import Any, TypeAlias

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from starlette.requests import ClientDisconnect

from app.errors import BadRequest, TooBusy
from app.http.failing import failure_of
from app.http.guard import Caller
from app.http.shapes import AskBody
from app.service import Longleaf
from llm.answer import Answer, Answered, Event

AT_ONCE = 4  # questions of one caller
LOOK_EVERY_S = 0.5  # whether the program is still there
STILL_EVERY_S = 10.0  # a line that says nothing, so that nothing on the way takes a silent stream for a dead one
STREAM_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


class Over(Enum):
    """Nothing comes after this."""

    OVER = auto()


Came: TypeAlias = "asyncio.Queue[Event | Exception | Over]"


class Asking:
    """Questions of programs to one library."""

    def __init__(self, longleaf: Longleaf) -> None:
        self._longleaf = longleaf
        self._running: Counter[str] = Counter()

    async def answer(self, request: Request, caller: Caller, asked: AskBody) -> Answer:
        """The whole answer. Raises what `Longleaf.ask` raises, TooBusy, ClientDisconnect."""
        async with aclosing(self.events(request, caller, asked)) as events:
            async for event in events:
                if isinstance(event, Answered):
                    return event.answer
        raise BadRequest("the question was stopped before an answer came; ask again")

    async def begun(self, request: Request, caller: Caller, asked: AskBody) -> AsyncIterator[Event | None]:
        """All events, once the first is there. Raises as `answer` does."""
        events = self.events(request, caller, asked)
        first = await anext(events, None)

        async def rest() -> AsyncIterator[Event | None]:
            async with aclosing(events):
                yield first
                async for event in events:
                    yield event

        return rest()

    async def events(self, request: Request, caller: Caller, asked: AskBody) -> AsyncGenerator[Event | None, None]:
        """Events, and None now and then while there is nothing new."""
        if self._running[caller.name] >= AT_ONCE:
            raise TooBusy(f"{caller.name} has {AT_ONCE} questions being answered; wait until one of them is done")
        self._running[caller.name] += 1
        cancel = threading.Event()
        came: Came = asyncio.Queue()
        try:
            _in_a_thread(await run_in_threadpool(self._steps, asked, cancel), came)
            while (event := await _next(request, came)) is not Over.OVER:
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            cancel.set()
            self._running[caller.name] -= 1

    def _steps(self, asked: AskBody, cancel: threading.Event) -> Iterator[Event]:
        ids = [self._longleaf.entry(key).id for key in asked.documents]
        return self._longleaf.ask(ids, asked.question, asked.options(), cancel, asked.conversation)


async def _next(request: Request, came: Came) -> Event | Exception | Over | None:
    """What comes next; None when nothing came for a while. Raises ClientDisconnect."""
    getting = asyncio.ensure_future(came.get())
    try:
        for _ in range(round(STILL_EVERY_S / LOOK_EVERY_S)):
            await asyncio.wait({getting}, timeout=LOOK_EVERY_S)
            if getting.done():
                return getting.result()
            if await request.is_disconnected():
                raise ClientDisconnect
        return None
    finally:
        getting.cancel()


def _in_a_thread(steps: Iterator[Event], came: Came) -> None:
    loop = asyncio.get_running_loop()

    def put(event: Event | Exception | Over) -> None:
        with suppress(RuntimeError):  # the server has stopped, and its loop is closed
            loop.call_soon_threadsafe(came.put_nowait, event)

    def work() -> None:
        try:
            for event in steps:
                put(event)
            put(Over.OVER)
        except Exception as error:  # noqa: BLE001  it is raised where the event is awaited
            put(error)

    threading.Thread(target=work, name="longleaf-http-question", daemon=True).start()


def sse(kind: str | None, value: Any) -> bytes:
    """One server-sent event, its data as JSON."""
    return format_sse_event(event=kind, data_str=json.dumps(value, ensure_ascii=False))


def streamed(parts: AsyncIterator[bytes]) -> StreamingResponse:
    """The stream; what goes wrong on the way is its last event, `error`, of the form that errors have everywhere."""

    async def guarded() -> AsyncIterator[bytes]:
        try:
            async for part in parts:
                yield part
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001  `failure_of` logs what nobody can be blamed for
            yield sse("error", {"error": failure_of(error)[1].model_dump()})

    return StreamingResponse(guarded(), media_type="text/event-stream", headers=STREAM_HEADERS)
