"""HTTP for programs: /v1 as OpenAI's clients speak it, /api for all of Longleaf, over the same use cases as the page.

Owns the addresses below these two, their types and errors, and the tokens of programs; `app.web.host` owns the server.
The OpenAPI document is at /api/openapi.json; each operation is called as its function, so that generated clients read
well. Guarantees: every request is let in by `Door`; errors are one sentence.
"""

from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.asking import Asking
from app.http.batches import batch_routes
from app.http.chat import chat_routes
from app.http.documents import document_routes
from app.http.failing import ErrorBody, mend_errors
from app.http.guard import Door
from app.http.jobs import job_routes
from app.http.questions import question_routes
from app.http.repeating import Repeats, repeatable

if TYPE_CHECKING:
    from app.web.services import Services

ROOMS = ("/v1/", "/api/")
MAX_BODY_BYTES = 1 << 20  # of everything but a document
ABOUT = """Longleaf reads whole documents and codebases, and answers with citations that it has checked.

Every error is `{"error": {"message", "type"}}`, the message one sentence. On this computer's own address no token is
needed; elsewhere send `Authorization: Bearer TOKEN`. A POST with an `Idempotency-Key` is done once, however often it
is sent within a day."""


def http_app(services: "Services", door: Door) -> FastAPI:
    """The app that answers for `ROOMS`."""
    api = FastAPI(
        title="Longleaf", version="1", description=ABOUT, openapi_url="/api/openapi.json", docs_url=None,
        redoc_url=None, redirect_slashes=False, generate_unique_id_function=lambda route: route.name,
        responses={"4XX": {"model": ErrorBody, "description": "One sentence that says what to do."}},
    )  # fmt: skip
    mend_errors(api)
    api.add_middleware(Bounded)
    asking, route_class = Asking(services.longleaf), repeatable(Repeats(), door)
    api.include_router(chat_routes(services.longleaf, asking, door, route_class))
    api.include_router(document_routes(services, door, route_class))
    api.include_router(question_routes(asking, services.longleaf.history, door, route_class))
    api.include_router(job_routes(services, door, route_class))
    api.include_router(batch_routes(services, door, route_class))
    return api


class Bounded:
    """ASGI: no body but a document's is longer than MAX_BODY_BYTES; `Uploads` has the limits of documents."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == "/api/documents":
            await self._app(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY_BYTES:  # raised where the body is awaited, so that it becomes an answer
                raise HTTPException(
                    413, f"the request is over the limit of {MAX_BODY_BYTES:,} bytes; send less at once"
                )
            return message

        await self._app(scope, counted, send)


class TwoDoors:
    """ASGI: programs' addresses to one app, everything else, start and stop included, to the page's."""

    def __init__(self, for_programs: ASGIApp, for_people: ASGIApp) -> None:
        self._for_programs, self._for_people = for_programs, for_people

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_program = scope["type"] == "http" and scope["path"].startswith(ROOMS)
        await (self._for_programs if is_program else self._for_people)(scope, receive, send)
