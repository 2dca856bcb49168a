"""The page's services over the small engine, served and opened in a browser, and values to show."""

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.jobs import Jobs
from app.people import Accounts
from app.service import Longleaf
from app.settings import Settings
from app.web.host.guard import Guard
from app.web.host.serving import web_app
from app.web.host.teams import people_door
from app.web.host.uploads import Uploads
from app.web.page import build
from app.web.samples import Sample
from app.web.services import Services
from ingest.document import Box
from llm.answer import Answer, Citation, Coverage, ModelName, Timing
from tests.app.web.browsing import seen_on, served

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--force-prefers-reduced-motion",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _close_loops(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`gr.Blocks` opens an event loop for its locks and leaves it open; warnings are errors here."""
    opened: list[asyncio.AbstractEventLoop] = []
    original = asyncio.new_event_loop

    def remembered() -> asyncio.AbstractEventLoop:
        opened.append(original())
        return opened[-1]

    monkeypatch.setattr(asyncio, "new_event_loop", remembered)
    yield
    for loop in opened:
        loop.close()
    if opened:
        asyncio.set_event_loop(None)


@pytest.fixture
def uploads(tmp_path: Path) -> Iterator[Uploads]:
    opened = Uploads(tmp_path / "uploads")
    yield opened
    opened.close()


@pytest.fixture
def services(longleaf: Longleaf, uploads: Uploads, texts: object, tmp_path: Path) -> Iterator[Services]:
    sample = tmp_path / "sample.txt"
    sample.write_text("The total fee is 7 crowns.\n", encoding="utf-8")
    jobs = Jobs(longleaf)
    yield Services(longleaf, jobs, uploads, (Sample(sample, ("What is the total fee?",)),), paths_allowed=True)
    jobs.close()


@pytest.fixture
def cite() -> Citation:
    return Citation(
        "lease.pdf", "d" * 64, 3, None, Box(10, 20, 110, 40), "The rent is 900 crowns.", True, 2, 0, 23,
        (Box(10, 20, 110, 30), Box(10, 30, 60, 40)),
    )  # fmt: skip


@pytest.fixture
def answer(cite: Citation) -> Answer:
    return Answer(
        "How much is the rent?", "It is 900 crowns [1].", True, (cite,), Coverage(1, 12, 12, 38_211, 38_211),
        Timing(0.0, 38_211, 0, 0.84, 5.13, 0.0, 12.44), ModelName("LeafMoE-135M", "r1"), 0.9,
    )  # fmt: skip


@pytest.fixture
def address(services: Services) -> Iterator[str]:
    with served(web_app(build(services), services, "127.0.0.1")) as opened:
        yield opened


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed (requirements-dev.txt)")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("chromium or chromedriver is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1440,900"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield opened
    opened.quit()


@pytest.fixture
def page(browser: Any, address: str) -> SimpleNamespace:
    browser.get(address)
    return seen_on(browser)


@pytest.fixture
def team(settings: Settings, engine: Any, tmp_path: Path) -> Iterator[str]:
    """The address of a server for two people."""
    accounts = Accounts(tmp_path / "team.json")
    for name in ("ada", "bert"):
        accounts.add(name, f"the password of {name}")
    own = replace(settings, port=0, auth_file=accounts.path)
    opened = people_door(own, lambda text: None, lambda settings, on_text: engine)
    with opened as (door, _), served(Guard(door, None)) as at:
        yield at
