"""Errors on the wire: `{"error": {"message": one sentence, "type": its class}}`, as OpenAI's clients expect them.

Guarantees: no traceback, no path of this machine, no 5xx for what a caller can mend.
"""

import logging
from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.errors import (
    LibraryUnusable,
    LongleafAppError,
    NotAllowed,
    NotInLibrary,
    OriginalMissing,
    TooBusy,
    UnknownToken,
    sentence_of,
)
from ingest.errors import IngestError, SourceTooLarge
from llm.errors import LongleafModelError, ModelNotFound, RemoteEngineFailed

log = logging.getLogger(__name__)
FAULT = "Longleaf failed at this; its log says more."
SHOWN = 120  # characters of a wrong value
_STATUS: Mapping[type[Exception], int] = {
    UnknownToken: 401,
    NotAllowed: 403,
    NotInLibrary: 404,
    OriginalMissing: 404,
    SourceTooLarge: 413,
    TooBusy: 429,
    RemoteEngineFailed: 502,
    LibraryUnusable: 503,
    ModelNotFound: 503,
}


class Failure(BaseModel):
    message: str = Field(description="One sentence: what failed, the value got, the value allowed, what to do.")
    type: str = Field(description="The kind of error; stable, for programs.")


class ErrorBody(BaseModel):
    """What every answer with a status of 400 or more holds."""

    error: Failure


class Missing(HTTPException):
    """404 with a sentence, where the error itself would be taken for a bad request."""

    def __init__(self, sentence: str) -> None:
        super().__init__(404, sentence)


def failure_of(error: Exception) -> tuple[int, Failure]:
    """The status and the body. What nobody can be blamed for is logged, and says only that it failed."""
    known = isinstance(error, LongleafAppError | IngestError | LongleafModelError)
    sentence = sentence_of(error) if known else None
    if sentence is None:
        log.error("a request failed", exc_info=error)
        return 500, Failure(message=FAULT, type="Fault")
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 400)
    return status, Failure(message=sentence, type=type(error).__name__)


def response_of(error: Exception) -> JSONResponse:
    status, failure = failure_of(error)
    headers = {"www-authenticate": "Bearer"} if status == 401 else {"retry-after": "5"} if status == 429 else {}
    return JSONResponse(ErrorBody(error=failure).model_dump(), status, headers)


def mend_errors(api: FastAPI) -> None:
    """Gives every error that leaves `api` this form."""

    def ours(request: Request, error: Exception) -> JSONResponse:
        return response_of(error)

    def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError), "registered for this class"
        return JSONResponse({"error": {"message": _invalid_sentence(error), "type": "BadRequest"}}, 422)

    def plain(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException), "registered for this class"
        names = {404: "NotFound", 405: "MethodNotAllowed", 413: "SourceTooLarge"}
        message = str(error.detail)
        if message in ("Not Found", "Method Not Allowed"):  # of the router
            message = f"{request.method} {request.url.path} is no address here; /api/openapi.json lists them"
        failure = {"message": message, "type": names.get(error.status_code, "BadRequest")}
        return JSONResponse({"error": failure}, error.status_code, error.headers)

    def gone(request: Request, error: Exception) -> Response:
        return Response(status_code=499)  # nginx's number for it; nobody sees this answer

    api.add_exception_handler(ClientDisconnect, gone)
    for kind in (LongleafAppError, IngestError, LongleafModelError, Exception):
        api.add_exception_handler(kind, ours)
    api.add_exception_handler(RequestValidationError, invalid)
    api.add_exception_handler(HTTPException, plain)


def _invalid_sentence(error: RequestValidationError) -> str:
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return f"the body is no JSON: {first['ctx']['error']} at character {first['loc'][-1]}"
    if first["loc"] == ("body",) and isinstance(first.get("input"), bytes):
        return "the body is not sent as JSON; add the header `Content-Type: application/json`"
    where = ".".join(str(part) for part in first["loc"] if part != "body") or "the body"
    value = repr(first.get("input"))
    shown = value if len(value) <= SHOWN else f"{value[:SHOWN]}…"
    if first["type"] == "missing":
        return f"{where} is missing; give it"
    if first["type"] == "extra_forbidden":
        return f"{where} is not known here; leave it out"
    return f"{where} is {shown}: {first['msg'][:1].lower()}{first['msg'][1:]}"
