"""Homes: for each person a whole page of their own, over a library of their own, opened when they first come.

Owns the opened homes. Guarantee: whatever comes through the door goes to the home of who sent it, and nothing in a home
knows of any other; so there is no address under which one person could ask for what is another's.
"""

import asyncio
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fastapi.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from app.web.host.entrance import Guest
from app.web.host.pages import Pages
from app.web.host.serving import with_programs
from app.web.services import Services

OpenServices = Callable[[Guest, Path], Services]


@dataclass(slots=True)
class _Home:
    services: Services
    pages: Pages
    app: ASGIApp  # what answers: the pages, and where programs may come, HTTP for them
    num_open: int = 0  # requests that are being answered; an open page always has one
    asked_at: float = field(default_factory=time.monotonic)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.num_open += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.num_open -= 1
            self.asked_at = time.monotonic()

    def is_idle(self, idle_s: float) -> bool:
        asleep = self.num_open == 0 and time.monotonic() - self.asked_at > idle_s
        return asleep and not self.services.is_busy


class Homes:
    """The homes below one folder. To be used from one event loop."""

    def __init__(self, folder: Path, open_services: OpenServices, *, for_programs: bool) -> None:
        self._folder, self._open_services, self._for_programs = folder, open_services, for_programs
        self._homes: dict[str, _Home] = {}
        self._doors: dict[str, asyncio.Lock] = {}

    async def at(self, guest: Guest) -> ASGIApp:
        """What answers this guest's requests. Raises LibraryUnusable."""
        async with self._doors.setdefault(guest.home, asyncio.Lock()):
            if guest.home not in self._homes:
                self._homes[guest.home] = await run_in_threadpool(self._opened, guest)
            home = self._homes[guest.home]
            home.asked_at = time.monotonic()
            return home

    def opened(self, home_id: str) -> Services | None:
        """What works in a home that somebody has opened; None for one that nobody has since the start."""
        home = self._homes.get(home_id)
        return home.services if home is not None else None

    async def close(self, home_id: str, idle_s: float | None = None) -> None:
        """Ends what goes on in a home, if it is open; with `idle_s` only if nobody was there for so long."""
        async with self._doors.setdefault(home_id, asyncio.Lock()):
            home = self._homes.get(home_id)
            if home is not None and (idle_s is None or home.is_idle(idle_s)):
                del self._homes[home_id]
                await home.pages.close()
                await run_in_threadpool(_close, home.services)

    async def close_idle(self, idle_s: float) -> None:
        """Closes the homes that nobody has asked anything for so long, and that nothing goes on in."""
        for home_id in list(self._homes):
            await self.close(home_id, idle_s)

    async def remove(self, home_id: str) -> None:
        """Closes a home and deletes everything in it."""
        await self.close(home_id)
        await run_in_threadpool(shutil.rmtree, self._folder / home_id, ignore_errors=True)
        self._doors.pop(home_id, None)

    async def close_all(self) -> None:
        for home_id in list(self._homes):
            await self.close(home_id)

    def there(self) -> set[str]:
        """The ids of all homes that lie in the folder, opened or not."""
        return {path.name for path in self._folder.iterdir() if path.is_dir()} if self._folder.is_dir() else set()

    def _opened(self, guest: Guest) -> _Home:
        services = self._open_services(guest, self._folder / guest.home)
        pages = Pages(services)
        return _Home(services, pages, with_programs(pages, services, is_open=True) if self._for_programs else pages)


def _close(services: Services) -> None:
    services.jobs.close()
    services.uploads.close()
    services.longleaf.close()
