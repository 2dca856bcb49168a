"""Servers that more than one uses, put together: the doors for people with accounts, and for visitors."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from app.jobs import Jobs
from app.people import Accounts, Sessions, SharedShelf
from app.service import Longleaf
from app.service.allowance import Allowance, Caps
from app.service.engine import LoadEngine, SharedEngine, load_engine
from app.service.originals import private_dir
from app.service.sharing import Sharing
from app.settings import Settings
from app.web.host import visits as visiting
from app.web.host.admin import Administration
from app.web.host.door import FrontDoor
from app.web.host.entrance import KEEP_S, Guest, SignIn
from app.web.host.homes import Homes
from app.web.host.metrics import Metrics
from app.web.host.operations import Kept, Operations
from app.web.host.shelf import copy_shelf, fill_shelf
from app.web.host.uploads import Uploads
from app.web.samples import load_samples
from app.web.services import Services

OnText = Callable[[str], None]


PARSED_AT_ONCE = 2  # sources, of all people together


@contextmanager
def people_door(
    settings: Settings, on_text: OnText, load: LoadEngine = load_engine
) -> Iterator[tuple[FrontDoor, Metrics]]:
    """For the people of the auth file; each one's library is a folder of `people/`. Raises BadSetting."""
    assert settings.auth_file is not None, "people need an auth file"
    accounts = Accounts(settings.auth_file)
    if not accounts.all():
        on_text(f"Nobody may sign in yet; add somebody with: python app.py users add NAME --auth-file {accounts.path}")
    folder = private_dir(private_dir(settings.data_dir) / "people")
    shared, gate = SharedEngine(settings, on_text, load), threading.BoundedSemaphore(PARSED_AT_ONCE)
    operations = Operations(settings, on_text, shared.for_library)
    shelf = SharedShelf(settings.data_dir / "shared")

    def open_services(guest: Guest, home: Path) -> Services:
        sharing = Sharing(shelf, guest.home, guest.name)
        longleaf = operations.library(home, guest.name, watcher=sharing)
        uploads, jobs = Uploads(home / "uploads"), operations.follow(Jobs(longleaf, gate))
        jobs.resume()
        account = accounts.find(guest.name)
        return Services(
            longleaf, jobs, uploads, load_samples(), paths_allowed=False, person=guest.name,
            is_admin=account is not None and account.is_admin, sharing=sharing,
        )  # fmt: skip

    def libraries() -> Iterator[Kept]:
        for account in accounts.all():
            opened = homes.opened(account.id)
            hours = settings.keep_hours if account.keep_hours is None else account.keep_hours
            yield folder / account.id, opened.longleaf if opened else None, hours

    with closing(Sessions(folder / "sessions.sqlite", KEEP_S)) as sessions, closing(operations):
        homes = Homes(folder, open_services, for_programs=True)
        operations.keep(libraries)
        administration = Administration(settings, accounts, sessions, homes, folder, operations.audit, shelf)
        entrance = SignIn(accounts, sessions, folder, settings.auth_header)
        door = FrontDoor(
            entrance, homes, keep_s=KEEP_S, always_secure=settings.share, administration=administration
        )  # fmt: skip
        yield door, operations.metrics


@contextmanager
def demo_door(
    settings: Settings,
    on_text: OnText,
    load: LoadEngine = load_engine,
    caps: Caps = Caps(),  # noqa: B008  frozen
) -> Iterator[tuple[FrontDoor, Metrics]]:
    """For whoever comes: each one's library, a folder of `visitors/`, begins with the samples, read already."""
    folder = private_dir(private_dir(settings.data_dir) / "visitors")
    shared, gate = SharedEngine(settings, on_text, load), threading.BoundedSemaphore(PARSED_AT_ONCE)
    samples = load_samples()
    operations = Operations(settings, on_text, shared.for_library)
    shelf = replace(settings, data_dir=settings.data_dir / "samples")
    given = fill_shelf(Longleaf(shelf, on_text=on_text, load=shared.for_library), samples, on_text)

    def open_services(guest: Guest, home: Path) -> Services:
        copy_shelf(shelf.data_dir, home)
        longleaf = operations.library(home, "visitor", Allowance(caps, given))
        uploads, jobs = Uploads(home / "uploads", caps.limits), operations.follow(Jobs(longleaf, gate))
        return Services(
            longleaf, jobs, uploads, samples, paths_allowed=False, person=guest.name, banner=lambda: visits.terms,
            visit=hashlib.sha256(guest.home.encode()).hexdigest()[:16],
        )  # fmt: skip

    with closing(Sessions(folder / "sessions.sqlite", visiting.KEEP_S)) as sessions, closing(operations):
        visits = visiting.Visits(sessions, caps)
        homes = Homes(folder, open_services, for_programs=False)
        door = FrontDoor(visits, homes, keep_s=visiting.KEEP_S, always_secure=settings.share, is_over=visits.is_over)
        yield door, operations.metrics
