"""The server: the pages and what programs use, behind the guard, on one address."""

import socket
from collections.abc import Callable

import gradio as gr
import uvicorn
from starlette.types import ASGIApp

from app.errors import BadSetting
from app.http.api import TwoDoors, http_app
from app.http.guard import Door
from app.http.tokens import Tokens
from app.settings import Settings
from app.web.host.guard import Guard, is_loopback
from app.web.host.metrics import Metrics
from app.web.host.pages import Pages
from app.web.services import Services
from app.web.texts import ENGLISH

CLOSE_WITHIN_S = 2  # open pages hold connections; they are not waited for longer than this


def web_app(page: gr.Blocks, services: Services, host: str, metrics: Metrics | None = None) -> Guard:
    """Everything that answers on the address, guard included, for one person; `page` is the English one."""
    pages = Pages(services, {ENGLISH: page})
    return Guard(with_programs(pages, services, is_open=is_loopback(host)), host, metrics)


def with_programs(app: ASGIApp, services: Services, *, is_open: bool) -> TwoDoors:
    """The page's app, and beside it HTTP for programs; `is_open`: who gets here need not bring a token."""
    return TwoDoors(http_app(services, Door(Tokens(services.longleaf.settings.data_dir), is_open=is_open)), app)


def bind(settings: Settings) -> socket.socket:
    """The listening socket. Raises BadSetting when the address is taken or is not this computer's."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        raise BadSetting(
            f"cannot listen on {settings.host} port {settings.port}: {error.strerror or error}; "
            "close what uses it, or choose another with --port"
        ) from error


def address_of(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """Says that it is open when it is, not before; when stopped, ends the streams of open pages itself."""

    def __init__(self, config: uvicorn.Config, guard: Guard, on_open: Callable[[], None]) -> None:
        super().__init__(config)
        self._guard = guard
        self._on_open = on_open

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._on_open()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._guard.end()
        await super().shutdown(sockets=sockets)


def run(app: Guard, listening: socket.socket, on_open: Callable[[], None]) -> None:
    """Serves until interrupted."""
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=CLOSE_WITHIN_S)
    Server(config, app, on_open).run(sockets=[listening])


def check_reach(settings: Settings) -> None:
    """Whether the page may be opened to those whom the settings let reach it. Raises BadSetting."""
    is_guarded = settings.auth_file is not None or settings.public_demo
    if settings.share and not is_guarded:
        raise BadSetting(
            "--share would open your documents to everybody with the address; give --auth-file FILE for people who "
            "sign in, or --public-demo for a library of their own for each visitor"
        )
    if not is_guarded and not is_loopback(settings.host):
        raise BadSetting(
            f"listening on {settings.host} would open your documents to all who can reach this computer; give "
            "--auth-file FILE for people who sign in, --public-demo for visitors, or leave --host out"
        )
    if settings.auth_header is not None and (settings.auth_file is None or not is_loopback(settings.host)):
        raise BadSetting(
            "--auth-header takes a proxy's word for who somebody is: give --auth-file, too, and leave --host at "
            "127.0.0.1, so that nobody reaches the port past the proxy"
        )
    if settings.auth_file is not None and settings.public_demo:
        raise BadSetting("--auth-file and --public-demo were both given; a server is either for people or for visitors")
