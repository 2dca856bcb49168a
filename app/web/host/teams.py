"""Servers that more than one uses, put together: the doors for people with accounts, and for visitors."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from app.jobs import Jobs
from app.people import Accounts, Sessions
from app.service import Longleaf
from app.service.allowance import Allowance, Caps
from app.service.engine import LoadEngine, SharedEngine, load_engine
from app.service.originals import private_dir
from app.settings import Settings
from app.web.host import visits as visiting
from app.web.host.door import FrontDoor
from app.web.host.entrance import KEEP_S, Guest, SignIn
from app.web.host.homes import Homes
from app.web.host.shelf import copy_shelf, fill_shelf
from app.web.host.uploads import Uploads
from app.web.samples import load_samples
from app.web.services import Services

OnText = Callable[[str], None]


PARSED_AT_ONCE = 2  # sources, of all people together


@contextmanager
def people_door(settings: Settings, on_text: OnText, load: LoadEngine = load_engine) -> Iterator[FrontDoor]:
    """For the people of the auth file; each one's library is a folder of `people/`. Raises BadSetting."""
    assert settings.auth_file is not None, "people need an auth file"
    accounts = Accounts(settings.auth_file)
    if not accounts.all():
        on_text(f"Nobody may sign in yet; add somebody with: python app.py users add NAME --auth-file {accounts.path}")
    folder = private_dir(private_dir(settings.data_dir) / "people")
    shared, gate = SharedEngine(settings, on_text, load), threading.BoundedSemaphore(PARSED_AT_ONCE)

    def open_services(guest: Guest, home: Path) -> Services:
        longleaf = Longleaf(replace(settings, data_dir=home), on_text=on_text, load=shared.for_library)
        uploads, jobs = Uploads(home / "uploads"), Jobs(longleaf, gate)
        return Services(longleaf, jobs, uploads, load_samples(), paths_allowed=False, person=guest.name)

    with closing(Sessions(folder / "sessions.sqlite", KEEP_S)) as sessions:
        homes = Homes(folder, open_services, for_programs=True)
        yield FrontDoor(SignIn(accounts, sessions, folder), homes, keep_s=KEEP_S, always_secure=settings.share)


@contextmanager
def demo_door(
    settings: Settings,
    on_text: OnText,
    load: LoadEngine = load_engine,
    caps: Caps = Caps(),  # noqa: B008  frozen
) -> Iterator[FrontDoor]:
    """For whoever comes: each one's library, a folder of `visitors/`, begins with the samples, read already."""
    folder = private_dir(private_dir(settings.data_dir) / "visitors")
    shared, gate = SharedEngine(settings, on_text, load), threading.BoundedSemaphore(PARSED_AT_ONCE)
    samples = load_samples()
    shelf = replace(settings, data_dir=settings.data_dir / "samples")
    given = fill_shelf(Longleaf(shelf, on_text=on_text, load=shared.for_library), samples, on_text)

    def open_services(guest: Guest, home: Path) -> Services:
        copy_shelf(shelf.data_dir, home)
        longleaf = Longleaf(
            replace(settings, data_dir=home), on_text=on_text, load=shared.for_library, allowance=Allowance(caps, given)
        )
        uploads, jobs = Uploads(home / "uploads", caps.limits), Jobs(longleaf, gate)
        return Services(
            longleaf, jobs, uploads, samples, paths_allowed=False, person=guest.name, banner=visits.terms
        )  # fmt: skip

    with closing(Sessions(folder / "sessions.sqlite", visiting.KEEP_S)) as sessions:
        visits = visiting.Visits(sessions, caps)
        homes = Homes(folder, open_services, for_programs=False)
        yield FrontDoor(visits, homes, keep_s=visiting.KEEP_S, always_secure=settings.share, is_over=visits.is_over)
