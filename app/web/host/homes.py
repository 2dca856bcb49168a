"""Homes: for each person a whole page of their own, over a library of their own, opened when they first come.

Owns the opened homes. Guarantee: whatever comes through the door goes to the home of who sent it, and nothing in a home
knows of any other; so there is no address under which one person could ask for what is another's.
"""

import asyncio
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from app.web.host.entrance import Guest
from app.web.host.serving import home_app, with_programs
from app.web.page import build
from app.web.services import Services

OpenServices = Callable[[Guest, Path], Services]
# Gradio builds pages through a variable of its module: one at a time.
_building = threading.Lock()


@dataclass(slots=True)
class _Home:
    services: Services
    page: FastAPI
    app: ASGIApp  # what answers: the page, and where programs may come, HTTP for them
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    is_open: asyncio.Event = field(default_factory=asyncio.Event)
    task: "asyncio.Task[None] | None" = None

    async def live(self) -> None:
        """One task begins and ends the life of the app."""
        async with self.page.router.lifespan_context(self.page):
            self.is_open.set()
            await self.closing.wait()


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
                self._homes[guest.home] = await self._opened(guest)
            return self._homes[guest.home].app

    def opened(self, home_id: str) -> Services | None:
        """What works in a home that somebody has opened; None for one that nobody has since the start."""
        home = self._homes.get(home_id)
        return home.services if home is not None else None

    async def close(self, home_id: str) -> None:
        """Ends what goes on in a home, if it is open."""
        async with self._doors.setdefault(home_id, asyncio.Lock()):
            home = self._homes.pop(home_id, None)
            if home is not None:
                home.closing.set()
                if home.task is not None:
                    await home.task
                await run_in_threadpool(_close, home.services)

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

    async def _opened(self, guest: Guest) -> _Home:
        home = await run_in_threadpool(self._build, guest)
        home.task = asyncio.create_task(home.live())
        await asyncio.wait({asyncio.create_task(home.is_open.wait()), home.task}, return_when=asyncio.FIRST_COMPLETED)
        if home.task.done():
            await home.task  # it failed to begin: raises
        return home

    def _build(self, guest: Guest) -> _Home:
        with _building:
            services = self._open_services(guest, self._folder / guest.home)
            page = home_app(build(services), services)
            return _Home(services, page, with_programs(page, services, is_open=True) if self._for_programs else page)


def _close(services: Services) -> None:
    services.jobs.close()
    services.uploads.close()
    services.longleaf.close()
