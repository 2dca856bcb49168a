"""The web page: `build_page` makes it, `serve` and its kin open it on an address. The command line calls those alone.

Owns the page and the HTTP routes beside it; everything it does goes through `app.service` and `app.jobs`.
Guarantees: nothing is loaded from, or sent to, any other machine; page images and uploads never pass through
Gradio's file cache; text of documents is escaped wherever it is shown.
"""

from collections.abc import Callable
from contextlib import ExitStack
from socket import socket

import gradio as gr

from app.jobs import Jobs
from app.service import Longleaf
from app.settings import Settings
from app.web.host.guard import Guard, is_loopback
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


def serve(longleaf: Longleaf, settings: Settings) -> None:
    """Opens the page of one person and prints its address; returns when interrupted. Raises BadSetting."""
    check_reach(settings)
    with ExitStack() as stack:
        listening = stack.enter_context(bind(settings))
        jobs = Jobs(longleaf)
        services = _services(longleaf, jobs, settings)
        stack.callback(services.uploads.close)
        stack.callback(jobs.close)
        run(web_app(build(services), services, settings.host), listening, lambda: _say_open(listening))


def serve_several(settings: Settings, on_text: Callable[[str], None]) -> None:
    """Opens a page for each person of the auth file, or each visitor; returns when interrupted. Raises BadSetting."""
    check_reach(settings)
    with ExitStack() as stack:
        listening = stack.enter_context(bind(settings))
        door = stack.enter_context((demo_door if settings.public_demo else people_door)(settings, on_text))
        address = None
        if settings.share:
            stack.callback(close_tunnels)
            address = open_tunnel(listening)
        run(Guard(door, None), listening, lambda: _say_open(listening, address))


def _say_open(listening: socket, address: str | None = None) -> None:
    print(f"Longleaf is open at {address_of(listening)}", flush=True)
    if address is not None:
        print(f"and for the internet at {address}", flush=True)


def _services(longleaf: Longleaf, jobs: Jobs, settings: Settings) -> Services:
    uploads = Uploads(settings.data_dir / "uploads")
    return Services(longleaf, jobs, uploads, load_samples(), paths_allowed=is_loopback(settings.host))
