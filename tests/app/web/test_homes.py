"""Homes: opened when somebody comes, closed when nobody has been there for long and nothing goes on in them."""

import asyncio
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from starlette.types import Message

from app.service import Longleaf
from app.web.host.entrance import Guest
from app.web.host.homes import Homes
from app.web.services import Services

ADA = Guest("a" * 16, "ada")


async def shown(app: Any, path: str, language: str) -> str:
    """What a GET gives, as text."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"host", b"127.0.0.1"), (b"accept-language", language.encode())]
    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "headers": headers, "scheme": "http", "http_version": "1.1", "client": ("127.0.0.1", 1), "server": ("h", 80),
    }  # fmt: skip
    await app(scope, receive, send)
    return b"".join(message.get("body", b"") for message in sent).decode("utf-8", "replace")


def test_a_home_is_closed_when_it_is_idle_and_not_while_something_goes_on(
    services: Services, tmp_path: Path, texts: SimpleNamespace, engine: Any, longleaf: Longleaf
) -> None:
    opened: list[str] = []

    def open_services(guest: Guest, home: Path) -> Services:
        opened.append(guest.home)
        return services

    async def lived() -> None:
        homes = Homes(tmp_path / "homes", open_services, for_programs=False)
        home = await homes.at(ADA)
        await homes.close_idle(3600)
        assert homes.opened(ADA.home) is services  # somebody was there just now
        home.num_open += 1  # type: ignore[attr-defined]
        await homes.close_idle(-1)
        assert homes.opened(ADA.home) is services  # somebody is there
        home.num_open -= 1  # type: ignore[attr-defined]
        go_on = threading.Event()
        engine.during_reading = lambda: go_on.wait(60)
        job = services.jobs.submit([(texts.lease, "lease.txt")])[0]
        await homes.close_idle(-1)
        assert homes.opened(ADA.home) is services  # a source is on its way in
        go_on.set()
        while not services.jobs.job(job).is_finished:
            await asyncio.sleep(0.05)
        await homes.close_idle(-1)
        assert homes.opened(ADA.home) is None
        await homes.close_all()

    asyncio.run(lived())
    assert opened == [ADA.home]


def test_a_home_speaks_the_language_of_each_browser(services: Services, tmp_path: Path) -> None:
    async def lived() -> tuple[str, str]:
        homes = Homes(tmp_path / "homes", lambda guest, home: services, for_programs=False)
        home = await homes.at(ADA)
        english, german = await shown(home, "/config", "en"), await shown(home, "/config", "de-DE,de;q=0.9")
        await homes.close_all()
        return english, german

    english, german = asyncio.run(lived())
    assert "Ask a question" in english
    assert "Stellen Sie eine Frage" in german
    assert "Ask a question" not in german
