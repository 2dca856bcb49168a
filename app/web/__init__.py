"""The web page: `build_page` makes it, `serve_one` and `serve_several` open it. The command line calls those alone.

Owns the page and the HTTP routes beside it; everything it does goes through `app.service` and `app.jobs`.
Guarantees: nothing is loaded from, or sent to, any other machine; page images and uploads never pass through
Gradio's file cache; text of documents is escaped wherever it is shown.
"""

from collections.abc import Callable
from contextlib import ExitStack, closing
from socket import socket

import gradio as gr

from app.jobs import Jobs
from app.service import Longleaf
from app.service.engine import load_engine
from app.settings import Settings
from app.web.host.guard import Guard, is_loopback
from app.web.host.operations import Operations
from app.web.host.serving import address_of, bind, check_reach, run, web_app
from app.web.host.sharing import close_tunnels, open_tunnel
from app.web.host.teams import demo_door, people_door
from app.web.host.uploads import Uploads
from app.web.page import build
from app.web.samples import load_samples
from app.web.services import Services


def build_page(longleaf: Longleaf, jobs: Jobs) -> gr.Blocks:
    """The page for one library."""
    return build(_services(longleaf, jobs, longleaf.settings))


def serve_one(settings: Settings, on_text: Callable[[str], None]) -> None:
    """Opens the page of one person and prints its address; returns when interrupted. Raises BadSetting."""
    check_reach(settings)
    with ExitStack() as stack:
        listening = stack.enter_context(bind(settings))
        operations = stack.enter_context(closing(Operations(settings, on_text, load_engine)))
        longleaf = stack.enter_context(closing(operations.library(settings.data_dir, "")))
        jobs = stack.enter_context(closing(operations.follow(Jobs(longleaf))))
        services = _services(longleaf, jobs, settings)
        stack.callback(services.uploads.close)
        operations.keep(lambda: [(settings.data_dir, longleaf, settings.keep_hours)])
        stack.callback(operations.close)  # before the library
        jobs.resume()
        app = web_app(build(services), services, settings.host, operations.metrics)
        run(app, listening, lambda: _say_open(listening))


def serve_several(settings: Settings, on_text: Callable[[str], None]) -> None:
    """Opens a page for each person of the auth file, or each visitor; returns when interrupted. Raises BadSetting."""
    check_reach(settings)
    with ExitStack() as stack:
        listening = stack.enter_context(bind(settings))
        opened = (demo_door if settings.public_demo else people_door)(settings, on_text)
        door, metrics = stack.enter_context(opened)
        address = None
        if settings.share:
            stack.callback(close_tunnels)
            address = open_tunnel(listening)
        run(Guard(door, None, metrics), listening, lambda: _say_open(listening, address))


def _say_open(listening: socket, address: str | None = None) -> None:
    print(f"Longleaf is open at {address_of(listening)}", flush=True)
    if address is not None:
        print(f"and for the internet at {address}", flush=True)


def _services(longleaf: Longleaf, jobs: Jobs, settings: Settings) -> Services:
    uploads = Uploads(settings.data_dir / "uploads")
    return Services(longleaf, jobs, uploads, load_samples(), paths_allowed=is_loopback(settings.host))
