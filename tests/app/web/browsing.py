"""A server on a free port, and what is done and seen on its page in a browser; the fixtures are in conftest.py."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import uvicorn

from app.settings import Settings
from app.web.host.serving import address_of, bind

SEEN = "return [...document.querySelectorAll(arguments[0])].filter(e => e.offsetHeight).map(e => e.innerText)"
AXE = """
const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ['violations']}).then(found => done(found.violations.map(
  one => [one.impact, one.id, one.nodes[0].html.slice(0, 200)])));
"""


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Its address, while it is served to this computer."""
    with bind(Settings(data_dir=Path(), port=0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield address_of(listening)
        finally:
            server.should_exit = True
            thread.join()


def until(what: str, condition: Callable[[], Any], within_s: float = 120) -> Any:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"waited {within_s} s for {what}")


def seen_on(browser: Any) -> SimpleNamespace:
    """What is done on a page, and what is seen on it."""

    def shown(css: str) -> list[str]:
        found = browser.execute_script(SEEN, css)
        assert isinstance(found, list)
        return found

    def click(css: str) -> None:
        until(css, lambda: shown(css))
        browser.execute_script("[...document.querySelectorAll(arguments[0])].find(e => e.offsetHeight).click()", css)

    def write(css: str, text: str) -> None:
        until(css, lambda: browser.find_elements("css selector", css))[0].send_keys(text)

    return SimpleNamespace(browser=browser, shown=shown, click=click, write=write)


def serious(page: SimpleNamespace) -> list[Any]:
    """What axe-core finds that keeps somebody out."""
    page.browser.execute_script((files("axe_core_python") / "axe.min.js").read_text("utf-8"))
    found = page.browser.execute_async_script(AXE)
    return [one for one in found if one[0] in ("serious", "critical")]
