"""Pictures of the page in all its states, on a desk and on a phone, light and dark, with axe-core's findings of each.

    python -m tests.bench.page_states FOLDER [--axe axe.min.js]

Starts servers of its own over new libraries, with the packaged model and the samples; needs Chromium, its driver and
what is in requirements-dev.txt. Writes a WebP a state, and `axe.json`; prints every finding. Exit code 1: some are
serious. For people who changed how the page looks: look at each picture.
"""

import argparse
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains

from app.people import Accounts

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "assets" / "samples"
DESK, PHONE = (1440, 900, 1.0, False), (390, 844, 2.0, True)
WITHIN_S = 900.0
LOADED = "return [...document.images].every(image => image.complete || image.loading === 'lazy')"
PASSWORD = "a password for pictures"
HANDBOOK = ("BATCH.md", "GPU.md", "HTTP.md", "PAGE.md", "SETTINGS.md", "TEAM.md")  # twice what fits the model at once


class Page:
    """A browser at one address."""

    def __init__(self, folder: Path, profile: Path, axe: str) -> None:
        self._folder, self._axe = folder, axe
        self.findings: dict[str, list[dict[str, Any]]] = {}
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        for flag in (
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={profile}",
            "--hide-scrollbars",
            "--force-prefers-reduced-motion",  # what moves is drawn by the processor here
        ):
            options.add_argument(flag)
        service = webdriver.ChromeService(shutil.which("chromedriver"))
        self.browser = webdriver.Chrome(options=options, service=service)
        self.browser.set_script_timeout(WITHIN_S)
        self.size(*DESK)

    def size(self, width: int, height: int, scale: float, mobile: bool) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": mobile}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def all(self, css: str) -> list[Any]:
        return [element for element in self.browser.find_elements("css selector", css) if element.is_displayed()]

    def wait(self, css: str, within_s: float = WITHIN_S) -> Any:
        return until(css, lambda: self.all(css), within_s)[0]

    def click(self, css: str) -> None:
        self.browser.execute_script("arguments[0].click()", self.wait(css))

    def write(self, css: str, text: str) -> None:
        field = self.wait(css)
        field.clear()
        field.send_keys(text)

    def point(self, css: str) -> None:
        ActionChains(self.browser).move_to_element(self.wait(css)).perform()

    def dark(self, on: bool) -> None:
        self.browser.execute_script("document.body.classList.toggle('dark', arguments[0])", on)

    def picture(self, name: str) -> None:
        """The state as it is now, and what axe-core finds in it."""
        time.sleep(1.2)  # fonts, and what comes in softly
        until("the pictures", lambda: self.browser.execute_script(LOADED))
        image = Image.open(BytesIO(self.browser.get_screenshot_as_png())).convert("RGB")
        image.save(self._folder / f"{name}.webp", quality=82, method=6)
        self.browser.execute_script(self._axe)
        found = self.browser.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "axe.run(document, {resultTypes: ['violations']}).then(r => done(r.violations));"
        )
        self.findings[name] = [
            {"id": one["id"], "impact": one["impact"], "nodes": [node["html"][:200] for node in one["nodes"]]}
            for one in found
        ]
        for one in self.findings[name]:
            print(f"{name}: {one['impact']}: {one['id']}: {len(one['nodes'])} × {one['nodes'][0]}", flush=True)


def until(what: str, condition: Callable[[], Any], within_s: float = WITHIN_S) -> Any:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if found := condition():
                return found
        except Exception as error:  # noqa: BLE001  what was found is drawn anew just now
            print(f"{what}: {type(error).__name__}", file=sys.stderr)
        time.sleep(0.2)
    raise SystemExit(f"waited {within_s:.0f} s for {what}")


@contextmanager
def server(data_dir: Path, *options: str) -> Iterator[str]:
    """A Longleaf of its own; its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "app.py", "serve", "--port", str(port), "--data-dir", str(data_dir), *options]
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            until("the server", lambda: urllib.request.urlopen(f"{address}/healthz").read())
            yield address
        finally:
            process.terminate()
            process.wait(60)


def ask(page: Page, question: str) -> None:
    """Waits for this answer, not for the one that is there still."""
    page.write("#ll-question textarea", question + "\n")
    until("the question", lambda: [each.text for each in page.all(".ll-asked")] == [question])
    page.wait(".ll-timing")


def alone(page: Page, address: str, long: Path) -> None:
    """Everything that one person sees on a desk."""
    page.browser.get(address)
    page.wait(".ll-welcome h2")
    page.picture("desk-empty")
    page.dark(True)
    page.picture("desk-empty-dark")
    page.dark(False)
    page.click('[data-act=sample][data-arg="contract.pdf"]')
    page.wait(".ll-answer")
    page.picture("desk-opening")
    page.wait(".ll-timing")
    page.picture("desk-answer")
    page.dark(True)
    page.picture("desk-answer-dark")
    page.dark(False)
    page.point(".ll-mark")
    page.wait("#ll-peek img")
    page.picture("desk-preview")
    page.click('[data-toggle="patches"]')
    page.picture("desk-patches-of-a-text-layer")
    page.click('[data-toggle="patches"]')
    page.browser.add_cookie({"name": "longleaf_language", "value": "de"})
    page.browser.refresh()
    page.wait(".ll-timing")
    page.picture("desk-answer-german")
    page.browser.delete_cookie("longleaf_language")
    page.browser.refresh()
    page.wait(".ll-timing")
    ask(page, "What is the name of the ship's cat?")
    page.picture("desk-not-found")
    page.browser.find_element("css selector", "input[data-files=files]").send_keys(str(SAMPLES / "receipt.jpg"))
    until("the receipt", lambda: len(page.all(".ll-doc")) == 2)
    until("its reading", lambda: not page.all("#ll-documents [data-act=cancel]") and not page.all(".ll-job"))
    ask(page, "What was the total?")
    page.picture("desk-scan")
    page.click('[data-toggle="patches"]')
    page.picture("desk-patches-of-a-scan")
    page.click('[data-toggle="patches"]')
    page.click('[data-arg="wrong evidence"]')
    page.wait("[data-act=note]")
    page.picture("desk-judged")
    in_a_repository(page)
    several(page)
    taken_away(page, long)


def in_a_repository(page: Page) -> None:
    """An answer from code, and a line that a link leads to."""
    page.browser.find_element("css selector", "input[data-files=files]").send_keys(str(SAMPLES / "ferryboard.zip"))
    until("the repository", lambda: len(page.all(".ll-doc")) == 3)
    until("its reading", lambda: not page.all("#ll-documents [data-act=cancel]") and not page.all(".ll-job"))
    page.dark(True)
    ask(page, "On which port does the server listen by default?")
    page.picture("desk-code-dark")
    page.dark(False)
    page.browser.execute_script("document.querySelector('.ll-line-chosen + li a.ll-no').click()")
    page.wait(".ll-line-linked")
    page.picture("desk-linked-line")


def taken_away(page: Page, long: Path) -> None:
    """A deletion, a source that fails, a long reading, and where the model looked in what was read."""
    page.click("[data-act=delete]")
    page.wait(".ll-confirm")
    page.picture("desk-deleting")
    page.click("[data-act=delete-yes]")
    page.wait(".ll-receipt")
    page.picture("desk-deleted")
    broken = long.with_name("broken.pdf")
    broken.write_bytes(b"%PDF-1.7 and nothing else")
    page.browser.find_element("css selector", "input[data-files=files]").send_keys(f"{broken}\n{long}")
    page.wait(".ll-job-failed")
    until("the reading", lambda: page.all("#ll-documents .ll-bar[aria-valuenow]"))
    time.sleep(8)
    page.picture("desk-reading-and-failed")
    until("the end of the reading", lambda: not page.all("#ll-documents [data-act=cancel]"))
    ask(page, "How many requests may a token send within a minute?")  # in the middle: the end is always in view
    page.click('[data-toggle="heat"]')  # what fits no window is looked at in part
    page.picture("desk-looked")
    page.click('[data-toggle="heat"]')


def several(page: Page) -> None:
    """The table and the comparison."""
    page.click("[data-act=choose-all]")
    chosen(page, 3)
    page.click('[data-toggle="table"]')
    page.write("#ll-table-text textarea", "What is it about?\nWhat is the total?")
    page.click("#ll-fill")
    until("the table", lambda: "6 answers of 6" in "".join(each.text for each in page.all("#ll-table-sheet .ll-meta")))
    if page.all("[data-act=cell]"):
        page.click("#ll-table-sheet [data-act=cell]")
    page.picture("desk-table")
    page.click('[data-toggle="compare"]')
    page.picture("desk-compare-empty")
    page.click("[data-act=choose-none]")
    chosen(page, 0)
    page.click(".ll-doc:last-child input[type=checkbox]")
    chosen(page, 1)
    page.write("#ll-compare-question textarea", "At what resolution shall the Materials be scanned?\n")  # not looked up
    until("both answers", lambda: len(page.all(".ll-took tbody tr")) == 2)
    page.click("#ll-compare-lanes [data-act=cell]")
    page.picture("desk-compare")
    page.dark(True)
    page.picture("desk-compare-dark")
    page.dark(False)
    page.click('[data-toggle="ask"]')


def chosen(page: Page, num_documents: int) -> None:
    """Waits until the server knows what was ticked: what is asked before that goes to what was ticked before."""
    until(f"{num_documents} chosen", lambda: len(page.all(".ll-doc.ll-doc-chosen")) == num_documents)


def phone(page: Page, address: str) -> None:
    page.size(*PHONE)
    page.browser.get(address)
    page.wait(".ll-welcome h2")
    page.picture("phone-empty")
    page.click('[data-act=sample][data-arg="receipt.jpg"]')
    page.wait(".ll-timing")
    page.picture("phone-answer")
    page.dark(True)
    page.picture("phone-answer-dark")
    page.dark(False)
    page.click("[data-act=cite]")
    time.sleep(1.5)
    page.picture("phone-evidence")
    page.click('[data-toggle="library"]')
    page.browser.execute_script("scrollTo(0, 0)")
    page.picture("phone-library")
    page.click('[data-toggle="library"]')
    page.click('[data-toggle="compare"]')
    page.picture("phone-compare")
    page.click('[data-toggle="table"]')
    page.picture("phone-table")


def team(page: Page, address: str) -> None:
    """Signing in, the administration, and a collection that is shared."""
    page.browser.get(address)
    page.write("#name", "ada")
    page.write("#password", "not her password\n")
    page.wait(".bad")
    page.picture("desk-sign-in")
    for name in ("ada", "bert"):
        page.write("#name", name)
        page.write("#password", PASSWORD + "\n")
        page.wait(".ll-welcome h2")
        if name == "ada":
            page.browser.find_element("css selector", "input[data-files=files]").send_keys(
                str(SAMPLES / "contract.pdf")
            )
            page.click("[data-act=share]")
            page.write("[data-act=share-in]", "Leases and contracts\n")
            page.wait("[data-act=withdraw]")
            until("its reading", lambda: not page.all("#ll-documents [data-act=cancel]"))
            page.picture("desk-team")
            page.browser.get(f"{address}/admin")
            page.wait("h1")
            page.picture("desk-administration")
            page.browser.get(address)
            page.click(".ll-person button")
        else:
            page.click("#ll-shared summary")
            page.picture("desk-shared")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--axe", type=Path, default=Path(str(files("axe_core_python") / "axe.min.js")))
    parser.add_argument("--only", choices=("alone", "phone", "team", "demo"), nargs="*")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch_name:
        scratch = Path(scratch_name)
        long = scratch / "handbook.md"
        long.write_text("\n\n".join((ROOT / "docs" / name).read_text("utf-8") for name in HANDBOOK), "utf-8")
        page = Page(options.folder, scratch / "profile", options.axe.read_text("utf-8"))
        try:
            if not options.only or "alone" in options.only:
                with server(scratch / "alone") as address:
                    alone(page, address, long)
            if not options.only or "phone" in options.only:
                with server(scratch / "phone") as address:
                    phone(page, address)
                page.size(*DESK)
            if not options.only or "team" in options.only:
                accounts = Accounts(scratch / "team.json")
                for name in ("ada", "bert"):
                    accounts.add(name, PASSWORD)
                accounts.set_admin("ada", is_admin=True)
                with server(scratch / "team", "--auth-file", str(accounts.path), "--audit") as address:
                    team(page, address)
            if not options.only or "demo" in options.only:
                with server(scratch / "demo", "--public-demo") as address:
                    page.browser.get(address)
                    page.wait("button")
                    page.picture("desk-demo-terms")
                    page.click("button")
                    page.wait(".ll-doc")
                    page.picture("desk-demo")
        finally:
            page.browser.quit()
    (options.folder / "axe.json").write_text(json.dumps(page.findings, indent=1), "utf-8")
    serious = [
        (name, one["id"])
        for name, found in page.findings.items()
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
    print(f"{len(page.findings)} states, {sum(map(len, page.findings.values()))} findings, {len(serious)} serious")
    return 1 if serious else 0


if __name__ == "__main__":
    sys.exit(main())
