"""The page of one library in every language that somebody asks for, each built when it is first wanted.

Owns the built pages and their lives. They stand over the same services, so what one begins the other shows.
"""

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

import gradio as gr
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from app.web import theme
from app.web.host.routes import page_routes
from app.web.page import build
from app.web.services import Services
from app.web.texts import speaking, wanted

# Gradio builds pages through a variable of its module: one at a time.
_building = threading.Lock()


@dataclass(slots=True)
class _Page:
    app: FastAPI
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    is_open: asyncio.Event = field(default_factory=asyncio.Event)
    task: "asyncio.Task[None] | None" = None

    async def live(self) -> None:
        """One task begins and ends the life of the app."""
        async with self.app.router.lifespan_context(self.app):
            self.is_open.set()
            await self.closing.wait()


class Pages:
    """ASGI. To be used from one event loop."""

    def __init__(self, services: Services, built: Mapping[str, gr.Blocks] | None = None) -> None:
        """`built`: pages that are there already, by language."""
        self._services, self._built = services, dict(built or {})
        self._pages: dict[str, _Page] = {}
        self._opening = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        asked = HTTPConnection(scope)
        of = wanted(asked.cookies, asked.headers.get("accept-language", ""))
        app = await self._at(of)
        with speaking(of):
            await app(scope, receive, send)

    async def close(self) -> None:
        """Ends all that is open."""
        for page in self._pages.values():
            page.closing.set()
            if page.task is not None:
                await page.task
        self._pages.clear()

    async def _at(self, of: str) -> FastAPI:
        async with self._opening:
            if of not in self._pages:
                self._pages[of] = await self._opened(of)
            return self._pages[of].app

    async def _opened(self, of: str) -> _Page:
        page = _Page(await run_in_threadpool(self._build, of))
        page.task = asyncio.create_task(page.live())
        await asyncio.wait({asyncio.create_task(page.is_open.wait()), page.task}, return_when=asyncio.FIRST_COMPLETED)
        if page.task.done():
            await page.task  # it failed to begin: raises
        return page

    def _build(self, of: str) -> FastAPI:
        with _building:
            page = self._built.pop(of, None) or build(self._services, of)
            with speaking(of):
                return _app(page, self._services)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.close()
        await send({"type": "lifespan.shutdown.complete"})


def _app(page: gr.Blocks, services: Services) -> FastAPI:
    """The routes and the page of one library in one language."""
    api = FastAPI(title="Longleaf", docs_url=None, redoc_url=None, openapi_url=None)
    api.include_router(page_routes(services))
    gr.mount_gradio_app(
        api, page, "/", footer_links=[], run_history=False, ssr_mode=False, pwa=False, mcp_server=False,
        show_error=False, max_file_size=1, enable_monitoring=False, theme=theme.theme(), head=theme.head(),
        favicon_path=str(theme.THEME_DIR / "longleaf.svg"),
    )  # fmt: skip
    return api
