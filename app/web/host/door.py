"""The door of a server that several people use: strangers see the entrance, everyone else only their own home.

Owns the routes /login and /logout and the session's cookie. What has no session reaches nothing else: no page, no
file, no event of Gradio. Runs the homes' end when the server stops.
"""

import asyncio
import logging
from collections.abc import Callable
from urllib.parse import parse_qsl, quote

from fastapi.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import BadRequest, UnknownToken, sentence_of
from app.http.api import ROOMS
from app.http.failing import response_of
from app.web.host.admin import Administration
from app.web.host.entrance import Entrance, Guest, Refused
from app.web.host.homes import Homes
from app.web.texts import speaking, t, wanted
from app.web.theme import THEME_DIR

log = logging.getLogger(__name__)
COOKIE = "longleaf_session"
ICON = THEME_DIR / "longleaf.svg"
MAX_FORM_BYTES = 8192
SWEEP_S = 30.0
IDLE_S = 1800.0  # a home that nobody asks anything for so long is closed: opening it again takes about a second
NOT_STORED = {"cache-control": "no-store"}


class FrontDoor:
    """ASGI. `always_secure`: people reach this only through https, whatever the last stretch is."""

    def __init__(
        self,
        entrance: Entrance,
        homes: Homes,
        *,
        keep_s: float,
        always_secure: bool = False,
        is_over: Callable[[str], bool] | None = None,
        administration: Administration | None = None,
    ) -> None:
        """`is_over` says which homes are deleted, with all that is in them; None: none ever is."""
        self._administration = administration
        self._entrance, self._homes = entrance, homes
        self._keep_s, self._always_secure, self._is_over = keep_s, always_secure, is_over

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            request = Request(scope, receive)
            with speaking(wanted(request.cookies, request.headers.get("accept-language", ""))):
                app = await self._answering(request)
                await app(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _answering(self, request: Request) -> ASGIApp:
        token = request.cookies.get(COOKIE, "")
        try:
            vouched = await run_in_threadpool(self._entrance.vouched, request.headers)
        except BadRequest as error:  # a name that no account can have
            return PlainTextResponse(str(error), 403, NOT_STORED)
        if vouched is not None and request.url.path == "/login":
            return RedirectResponse("/", 303, NOT_STORED)
        match request.url.path, request.method:
            case "/login", "GET" | "HEAD":
                return self._shown(None, _inside(request.query_params.get("to", "")))
            case "/login", "POST":
                return await self._enter(request)
            case "/favicon.ico", "GET":
                return FileResponse(ICON)
            case "/manifest.json", "GET":  # browsers ask for it without cookies
                return JSONResponse({"name": "Longleaf"})
            case "/logout", "POST":
                self._entrance.leave(token)
                return self._with_cookie(RedirectResponse("/login", 303), request, None)
        kind, _, secret = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and request.url.path.startswith(ROOMS):
            guest = await run_in_threadpool(self._entrance.program, secret.strip())
        else:
            guest = vouched or self._entrance.guest(token)
        if guest is None:
            return _turned_away(request)
        if request.url.path.startswith("/admin") and self._administration is not None:
            return await self._administer(self._administration, guest, request)
        try:
            return await self._homes.at(guest)
        except Exception as error:
            log.exception("a home could not be opened")
            return PlainTextResponse(sentence_of(error) or t("Longleaf failed at this; its log says more."), 500)

    async def _administer(self, administration: Administration, guest: Guest, request: Request) -> Response:
        match request.url.path, request.method:
            case "/admin", "GET":
                return await administration.page(guest)
            case "/admin", "POST":
                return await administration.act(guest, await _form(request))
            case "/admin/audit.jsonl", "GET":
                return await administration.export(guest)
        return PlainTextResponse(t("There is nothing at this address."), 404, NOT_STORED)

    async def _enter(self, request: Request) -> Response:
        form = await _form(request)
        address = request.client.host if request.client else ""
        entered = await run_in_threadpool(self._entrance.enter, form, address)
        to = _inside(form.get("to", ""))
        if isinstance(entered, Refused):
            return self._shown(entered, to)
        return self._with_cookie(RedirectResponse(to, 303), request, entered)

    def _shown(self, refused: Refused | None, to: str) -> Response:
        headers = dict(NOT_STORED)
        if refused is not None and refused.wait_s:
            headers["retry-after"] = str(max(1, round(refused.wait_s)))
        return HTMLResponse(self._entrance.page(refused, to), refused.status if refused else 200, headers)

    def _with_cookie(self, response: Response, request: Request, token: str | None) -> Response:
        """Sets the cookie, or takes it away."""
        secure = self._always_secure or request.url.scheme == "https"
        response.set_cookie(
            COOKIE, token or "", max_age=int(self._keep_s) if token else 0, httponly=True, samesite="lax", secure=secure
        )
        response.headers.update(NOT_STORED)
        return response

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        sweeping = asyncio.create_task(self._sweep())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        sweeping.cancel()
        await self._homes.close_all()
        await send({"type": "lifespan.shutdown.complete"})

    async def _sweep(self) -> None:
        """Closes idle homes, and removes those whose time is over: of an earlier run at once, later within SWEEP_S."""
        while True:
            for home in filter(self._is_over, self._homes.there()) if self._is_over is not None else ():
                await self._homes.remove(home)
            await self._homes.close_idle(IDLE_S)
            await asyncio.sleep(SWEEP_S)


def _turned_away(request: Request) -> Response:
    """Who opens the page is led to the entrance; anything else is only refused."""
    if request.method == "GET" and request.url.path in ("/", "/admin"):
        to = request.url.path + ("?" + request.url.query if request.url.query else "")
        return RedirectResponse(f"/login?to={quote(to)}", 303, NOT_STORED)
    if request.url.path.startswith(ROOMS):
        return response_of(UnknownToken("no token of a person here came with this; see `python app.py tokens add`"))
    return PlainTextResponse(t("Sign in first."), 401, NOT_STORED)


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form; of one that is too long, none."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            return {}
    return dict(parse_qsl(body.decode("utf-8", "replace")))


def _inside(to: str) -> str:
    """An address of this page, never of another one."""
    return to if to.startswith("/?") or to == "/admin" else "/"
