"""The web page: `build_page` makes it, `serve` opens it on an address. The command line calls `serve` and nothing else.

Owns the page and the HTTP routes beside it; everything it does goes through `app.service` and `app.jobs`.
Guarantees: nothing is loaded from, or sent to, any other machine; page images and uploads never pass through
Gradio's file cache; text of documents is escaped wherever it is shown.
"""

import sys

import gradio as gr

from app.jobs import Jobs
from app.service import Longleaf
from app.settings import Settings
from app.web.host.guard import is_loopback
from app.web.host.serving import address_of, bind, run, warning_for, web_app
from app.web.host.uploads import Uploads
from app.web.page import build
from app.web.samples import load_samples
from app.web.services import Services


def build_page(longleaf: Longleaf, jobs: Jobs) -> gr.Blocks:
    """The page for one library."""
    return build(_services(longleaf, jobs, longleaf.settings))


def serve(longleaf: Longleaf, settings: Settings) -> None:
    """Opens the page and prints its address; returns when interrupted. Raises BadSetting when the port is taken."""
    listening = bind(settings)
    jobs = Jobs(longleaf)
    services = _services(longleaf, jobs, settings)
    try:
        app = web_app(build(services), services, settings.host)
        warning = warning_for(settings.host)
        if warning:
            print(warning, file=sys.stderr, flush=True)
        run(app, listening, lambda: print(f"Longleaf is open at {address_of(listening)}", flush=True))
    finally:
        listening.close()
        jobs.close()
        services.uploads.close()


def _services(longleaf: Longleaf, jobs: Jobs, settings: Settings) -> Services:
    uploads = Uploads(settings.data_dir / "uploads")
    return Services(longleaf, jobs, uploads, load_samples(), paths_allowed=is_loopback(settings.host))
