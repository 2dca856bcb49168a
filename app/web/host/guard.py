"""What stands in front of every request: whose host name it may carry, from which site it may come, and the headers
that keep the page from loading anything from elsewhere; and what may be known of the server's health.

Guarantees: on a loopback address, a request for another host name (DNS rebinding) or one that changes something and
comes from another site is refused; Gradio's upload door stays shut, since Longleaf has its own. Streams of open pages
are ended cleanly when the server stops.
"""

import asyncio
import logging
import secrets
import time
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.logs import ACCESS
from app.web.host.metrics import CONTENT_TYPE, Metrics

access = logging.getLogger(ACCESS)
NOT_STORED = {"cache-control": "no-store"}
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
# Gradio builds its templates with Function() and styles elements in place: hence the two 'unsafe-…'. Nothing may come
# from, or go to, any other address.
CONTENT_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with "no-referrer" browsers hide the origin of our own forms
    "cross-origin-resource-policy": "same-origin",
}
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SHUT = ("/gradio_api/upload", "/gradio_api/file", "/gradio_api/proxy", "/file=", "/proxy=")


def is_loopback(host: str) -> bool:
    return host in LOOPBACK or host.startswith("127.")


class Guard:
    """ASGI middleware. `host` is the address that the server is bound to; None: any name may lead here."""

    def __init__(self, app: ASGIApp, host: str | None, metrics: Metrics | None = None) -> None:
        """`metrics` are told to this machine alone, at /metrics."""
        self._app, self._metrics = app, metrics
        self._hosts = LOOPBACK | {host} if host is not None and is_loopback(host) else None
        self._running: set[asyncio.Task[object]] = set()
        self._is_ending = False
        self._run = secrets.token_hex(4)  # by it an open page knows that the server was begun anew

    def end(self) -> None:
        """Ends what is still being answered: an open page holds a stream that would never end by itself."""
        self._is_ending = True
        for task in tuple(self._running):
            task.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if (told := self._told(scope)) is not None:
            await told(scope, receive, send)
            return
        refused = self._refusal(scope)
        if refused is not None:
            await PlainTextResponse(refused, status_code=403)(scope, receive, send)
            return

        task = asyncio.current_task()
        assert task is not None, "an ASGI server runs each request in a task"
        self._running.add(task)
        try:
            await self._answer(scope, receive, send)
        finally:
            self._running.discard(task)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = has_ended = False
        began = time.monotonic()

        async def send_with_headers(message: Message) -> None:
            nonlocal has_begun, has_ended
            if message["type"] == "http.response.start":
                has_begun = True
                given = MutableHeaders(scope=message)
                given.update({name: value for name, value in HEADERS.items() if name not in given})
                self._note(scope, message["status"], time.monotonic() - began)
            has_ended = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except asyncio.CancelledError:
            if not self._is_ending:
                raise
            if has_begun and not has_ended:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            elif not has_begun:
                await PlainTextResponse("Longleaf is being closed.", status_code=503)(scope, receive, send)

    def _told(self, scope: Scope) -> Response | None:
        """What watches over the server may ask: /healthz anybody, /metrics only who is on this machine itself."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            return None
        if scope["path"] == "/healthz":
            return PlainTextResponse("ok\n", headers={**NOT_STORED, "longleaf-run": self._run})
        if scope["path"] == "/metrics" and self._metrics is not None and _is_here(scope):
            return Response(self._metrics.text(), headers={**NOT_STORED, "content-type": CONTENT_TYPE})
        return None

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        """Counts the request, and logs it without its query, which may name an answer."""
        if self._metrics is not None and scope["type"] == "http":
            self._metrics.responded(status)
        if access.isEnabledFor(logging.INFO) and scope["type"] == "http":
            facts = {"method": scope["method"], "path": scope["path"], "status": status, "ms": round(1000 * seconds)}
            access.info("%s %s", scope["method"], scope["path"], extra={"facts": facts})

    def _refusal(self, scope: Scope) -> str | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._hosts is not None and _host_name(host) not in self._hosts:
            return f"This address does not answer for the host name {host!r}; open it as 127.0.0.1 or localhost."
        if scope["path"].startswith(SHUT):
            return "This address takes no files; use the page."
        if scope.get("method", "GET") in SAFE_METHODS:
            return None
        origin = headers.get("origin")
        same = origin is None or urlsplit(origin).netloc == host
        if not same or headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return "This request comes from another site; open Longleaf's own page."
        return None


def _is_here(scope: Scope) -> bool:
    """Whether the request begins on this machine, with no proxy between."""
    client = scope.get("client")
    return client is not None and is_loopback(client[0]) and "x-forwarded-for" not in Headers(scope=scope)


def _host_name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
