"""Servers that more than one uses, put together: the door for people with accounts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from app.jobs import Jobs
from app.people import Accounts, Sessions
from app.service import Longleaf
from app.service.engine import LoadEngine, SharedEngine, load_engine
from app.service.originals import private_dir
from app.settings import Settings
from app.web.host.door import FrontDoor
from app.web.host.entrance import KEEP_S, Guest, SignIn
from app.web.host.homes import Homes
from app.web.host.uploads import Uploads
from app.web.samples import load_samples
from app.web.services import Services

OnText = Callable[[str], None]


@contextmanager
def people_door(settings: Settings, on_text: OnText, load: LoadEngine = load_engine) -> Iterator[FrontDoor]:
    """For the people of the auth file; each one's library is a folder of `people/`. Raises BadSetting."""
    assert settings.auth_file is not None, "people need an auth file"
    accounts = Accounts(settings.auth_file)
    if not accounts.all():
        on_text(f"Nobody may sign in yet; add somebody with: python app.py users add NAME --auth-file {accounts.path}")
    folder = private_dir(private_dir(settings.data_dir) / "people")
    shared = SharedEngine(settings, on_text, load)

    def open_services(guest: Guest, home: Path) -> Services:
        own = replace(settings, data_dir=home)
        longleaf = Longleaf(own, on_text=on_text, load=shared.for_library)
        uploads = Uploads(home / "uploads")
        return Services(longleaf, Jobs(longleaf), uploads, load_samples(), paths_allowed=False, person=guest.name)

    sessions = Sessions(folder / "sessions.sqlite", KEEP_S)
    try:
        yield FrontDoor(
            SignIn(accounts, sessions), Homes(folder, open_services), keep_s=KEEP_S, always_secure=settings.share
        )
    finally:
        sessions.close()
