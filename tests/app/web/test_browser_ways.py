"""The page in headless Chromium: previews, links to lines, another language, what is too large, and a killed server."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from app.web.services import Services
from tests.app.web.browsing import serious, until

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[3]
SPARSE = """
const input = document.querySelector('input[data-files=files]');
const data = new DataTransfer();
const large = new File(['x'], 'large.bin');
Object.defineProperty(large, 'size', {value: 2 * 1024 ** 3});
data.items.add(large);
Object.defineProperty(input, 'files', {value: [large]});
input.dispatchEvent(new Event('change', {bubbles: true}));
"""


def hover(page: SimpleNamespace, css: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    target = next(each for each in page.browser.find_elements("css selector", css) if each.is_displayed())
    ActionChains(page.browser).move_to_element(target).perform()


def test_a_citation_is_previewed_where_it_is_pointed_at_or_focused(
    page: SimpleNamespace, services: Services, texts: SimpleNamespace
) -> None:
    services.longleaf.add(texts.lease)
    until("the document", lambda: page.shown(".ll-doc-chosen"))
    page.write("#ll-question textarea", "When does the lease begin?\n")
    until("the answer", lambda: page.shown(".ll-mark"))
    hover(page, ".ll-mark")
    until("the preview", lambda: page.shown("#ll-peek .ll-line-chosen") == ["The lease begins in March."])
    assert page.shown("#ll-peek .ll-place") == ["lease.txt, line 1"]
    hover(page, ".ll-asked")
    until("its end", lambda: not page.shown("#ll-peek"))
    page.browser.execute_script("document.querySelector('.ll-citation').focus()")
    until("the preview by key", lambda: page.shown("#ll-peek"))
    described = page.browser.execute_script("return document.activeElement.getAttribute('aria-describedby')")
    assert described == "ll-peek"
    page.browser.switch_to.active_element.send_keys("\ue00c")  # Escape
    until("its end", lambda: not page.shown("#ll-peek"))
    assert serious(page) == []


def test_a_page_image_is_previewed_around_its_box(page: SimpleNamespace, services: Services) -> None:
    services.longleaf.add(ROOT / "assets" / "samples" / "contract.pdf")
    until("the document", lambda: page.shown(".ll-doc-chosen"))
    page.write("#ll-question textarea", "Which law governs this agreement?\n")
    until("the answer", lambda: page.shown(".ll-citation"))
    hover(page, ".ll-citation")
    until("the picture", lambda: page.browser.execute_script(
        "const image = document.querySelector('#ll-peek img'); return image && image.complete && image.naturalWidth"
    ))  # fmt: skip
    frame, box = page.browser.execute_script(
        "return ['.ll-peek-page', '#ll-peek .ll-box'].map(css => document.querySelector(css).getBoundingClientRect())"
    )
    down, across = (
        [frame["top"], box["top"], box["bottom"], frame["bottom"]],
        [frame["left"], box["left"], box["right"]],
    )
    assert (down, across) == (sorted(down), sorted(across))


def test_a_line_has_a_link_that_leads_back_to_it(
    page: SimpleNamespace, address: str, services: Services, texts: SimpleNamespace
) -> None:
    services.longleaf.add(texts.lease)
    page.click(".ll-doc-name")
    until("the lines", lambda: page.shown(".ll-source li"))
    page.browser.execute_script("document.querySelectorAll('a.ll-no')[1].click()")
    until("its address", lambda: "lines=2" in page.browser.current_url)
    assert page.shown(".ll-line-linked") == ["The rent is 900 crowns."]
    link = page.browser.execute_script("return document.querySelector('[data-copy-link]').dataset.copyLink")
    page.browser.get(f"{address}/{link}")
    until("the line again", lambda: page.shown(".ll-line-linked") == ["The rent is 900 crowns."])


def test_the_page_speaks_german_to_who_wants_it(
    page: SimpleNamespace, services: Services, texts: SimpleNamespace
) -> None:
    until("English", lambda: "Drop or paste files, a folder, a zip" in page.shown(".ll-drop-title"))
    page.click('[data-language="de"]')
    until("German", lambda: "Dateien, Ordner oder Zip hierher ziehen oder einfügen" in page.shown(".ll-drop-title"))
    assert page.browser.execute_script("return document.documentElement.lang") == "de"
    page.browser.execute_script(SPARSE)
    until("a sentence of the script", lambda: [each for each in page.shown(".ll-notice") if "Es wurde nichts" in each])
    services.longleaf.add(texts.lease)
    until("the document", lambda: page.shown(".ll-doc-chosen"))
    page.write("#ll-question textarea", "When does the lease begin?\n")
    until(
        "the answer", lambda: [each for each in page.shown(".ll-coverage") if each.startswith("1 von 1 Seite gelesen")]
    )
    assert "Zitat geprüft" in page.shown(".ll-verified")
    assert page.shown("#ll-send") == ["Fragen"]
    assert serious(page) == []
    page.click('[data-language="en"]')
    until("English again", lambda: "Drop or paste files, a folder, a zip" in page.shown(".ll-drop-title"))
    until("the answer again", lambda: [each for each in page.shown(".ll-coverage") if "Read 1 of 1 page" in each])


def test_a_file_over_the_limit_is_refused_before_it_is_sent(page: SimpleNamespace, services: Services) -> None:
    until("room for files", lambda: page.browser.find_elements("css selector", "input[data-files=files]"))
    page.browser.execute_script(SPARSE)
    said = until("the sentence", lambda: page.shown(".ll-notice-error"))
    assert said[0].startswith("large.bin is larger than the 1.0 GB that one file may have. Nothing was sent.")
    assert not any(services.uploads._batches)


def test_a_reading_is_named_in_the_address_and_found_by_it(
    page: SimpleNamespace, address: str, services: Services, texts: SimpleNamespace, engine: Any
) -> None:
    import threading

    go_on = threading.Event()
    services.longleaf.add(texts.notes)
    services.longleaf.add(texts.lease)
    until("both documents", lambda: len(page.shown(".ll-doc")) == 2)
    engine.during_reading = lambda: go_on.wait(60)
    position = page.shown(".ll-doc-name").index("notes.txt")
    page.browser.execute_script("document.querySelectorAll('[data-act=read]')[arguments[0]].click()", position)
    until("the address of the reading", lambda: "job=" in page.browser.current_url)
    named = page.browser.current_url
    page.browser.get("about:blank")
    page.browser.get(named)  # another device
    until("its document chosen", lambda: page.shown(".ll-doc-chosen .ll-doc-name") == ["notes.txt"])
    until("the reading", lambda: page.shown("[data-act=cancel]"))
    go_on.set()
    until("the address without it", lambda: "job=" not in page.browser.current_url)


@pytest.fixture
def killable(tmp_path: Path) -> Iterator[SimpleNamespace]:
    """A server of its own, with the packaged model, that can be killed and begun anew at the same address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "app.py", "serve", "--port", str(port), "--data-dir", str(tmp_path / "data")]
    server = SimpleNamespace(address=f"http://127.0.0.1:{port}", process=None)

    def answers() -> bool:
        try:
            return bool(urllib.request.urlopen(f"{server.address}/healthz").read())
        except OSError:
            return False

    def begin() -> None:
        server.process = subprocess.Popen(command, cwd=ROOT)
        until("the server", answers, 600)

    def kill() -> None:
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()

    server.begin, server.kill = begin, kill
    begin()
    yield server
    children = psutil.Process(server.process.pid).children(recursive=True)
    kill()
    for child in children:
        child.kill()


def test_a_reading_goes_on_after_its_server_was_killed_and_the_page_finds_it_again(
    browser: Any, killable: SimpleNamespace, tmp_path: Path
) -> None:
    long = tmp_path / "handbook.md"
    text = "\n\n".join(path.read_text("utf-8") for path in sorted((ROOT / "docs").glob("*.md")))
    long.write_text(text[:70_000], "utf-8")

    def shown(css: str) -> list[str]:
        found = browser.execute_script(
            "return [...document.querySelectorAll(arguments[0])].filter(e => e.offsetHeight).map(e => e.innerText)", css
        )
        assert isinstance(found, list)
        return found

    def done() -> int:
        bars = browser.find_elements("css selector", "#ll-documents .ll-bar[aria-valuenow]")
        return int(bars[0].get_attribute("aria-valuenow")) if bars and "Reading" in "".join(shown(".ll-reading")) else 0

    browser.get(killable.address)
    until("room for files", lambda: browser.find_elements("css selector", "input[data-files=files]"))[0].send_keys(
        str(long)
    )
    until("the reading", lambda: 5 <= done() < 60, 900)
    until("its address", lambda: "job=" in browser.current_url)
    job = browser.current_url.partition("job=")[2]
    browser.find_element("css selector", "#ll-question textarea").send_keys("What was I going to ask")
    before = done()
    killable.kill()
    until("the sentence", lambda: shown(".ll-gone"))
    killable.begin()
    until("the page by itself", lambda: not shown(".ll-gone") and shown(".ll-doc-chosen"))
    until("the reading, not from its beginning", lambda: done() >= before, 300)
    assert browser.current_url.partition("job=")[2] == job
    field = browser.find_element("css selector", "#ll-question textarea")
    until("the question that was being written", lambda: field.get_attribute("value") == "What was I going to ask")
    time.sleep(1)
    assert not [text for text in shown(".toast-body") if text]
