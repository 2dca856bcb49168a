"""What a server for many allows, in headless Chromium: the caps of a public demo, and signing in tried too often."""

import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.service.allowance import Caps
from app.settings import Settings
from app.web.host import teams
from app.web.host.guard import Guard
from app.web.samples import Sample
from ingest.options import Limits
from tests.app.web.browsing import seen_on, serious, served, until

pytestmark = pytest.mark.slow
CAPS = Caps(files=2, pages=3, questions=2, limits=Limits(max_file_bytes=2000, max_archive_bytes=4000))


@pytest.fixture
def demo(settings: Settings, engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a public demo with one sample and small caps."""
    sample = tmp_path / "sample.txt"
    sample.write_text("The total fee is 7 crowns.\n", encoding="utf-8")
    monkeypatch.setattr(teams, "load_samples", lambda: (Sample(sample, ("What is the total fee?",)),))
    own = replace(settings, port=0, public_demo=True)
    opened = teams.demo_door(own, lambda text: None, lambda settings, on_text: engine, CAPS)
    with opened as (door, _), served(Guard(door, None)) as address:
        yield address


@pytest.fixture
def visitor(browser: Any, demo: str) -> SimpleNamespace:
    """Somebody who has read the terms and come in."""
    page = seen_on(browser)
    browser.get(demo)
    until("the terms", lambda: [each for each in page.shown("main p") if "3 pages in all and ask 2" in each])
    assert serious(page) == []
    page.click("main button")
    until("the sample", lambda: page.shown("#ll-documents .ll-doc-name") == ["sample.txt"])
    return page


def zipped(folder: Path, name: str, num_files: int) -> Path:
    with zipfile.ZipFile(folder / name, "w") as archive:
        for number in range(num_files):
            archive.writestr(f"{number}.txt", f"This is page {number}.\n")
    return folder / name


def send(page: SimpleNamespace, *files: Path) -> None:
    page.browser.find_element("css selector", "input[data-files=files]").send_keys("\n".join(map(str, files)))


def test_a_visitor_of_a_demo_is_told_each_cap_in_one_sentence(visitor: SimpleNamespace, tmp_path: Path) -> None:
    page = visitor
    banner = page.shown(".ll-banner")[0]
    assert banner.startswith("Public demo: you may add 2 files of 3 pages in all and ask 2 questions.")
    assert "deleted 3 hours after you came" in banner
    large = tmp_path / "large.txt"
    large.write_text("x" * 2001)
    send(page, large)
    until("the size refused", lambda: [
        each for each in page.shown(".ll-notice-error")
        if each.startswith("large.txt is larger than the 2.0 kB that one file may have. Nothing was sent.")
    ])  # fmt: skip
    send(page, zipped(tmp_path, "many.zip", 4))  # its map is a page, too
    until("the pages refused", lambda: page.shown(".ll-job-failed .ll-error") == [
        "your documents would have 5 pages together, and this demo takes 3; choose fewer pages under Options, or run "
        "Longleaf on your own machine for more"
    ])  # fmt: skip
    assert page.shown("#ll-documents .ll-doc-name") == ["sample.txt"]  # nothing of it stays
    page.click(".ll-job-failed [data-act=dismiss]")
    until("it dismissed", lambda: not page.shown(".ll-job"))
    for number in range(3):
        (tmp_path / f"own {number}.txt").write_text(f"The lease of flat {number} begins in March.\n")
    send(page, tmp_path / "own 0.txt", tmp_path / "own 1.txt")
    until("both files", lambda: len(page.shown("#ll-documents .ll-doc-name")) == 3)
    send(page, tmp_path / "own 2.txt")
    until("the third refused", lambda: page.shown(".ll-job-failed .ll-error") == [
        "you have added 2 files, and this demo takes 2; delete one, or run Longleaf on your own machine for more"
    ])  # fmt: skip
    assert serious(page) == []


def test_a_visitor_who_has_asked_enough_is_told_so_and_leaves_nothing(
    visitor: SimpleNamespace, demo: str, settings: Settings
) -> None:
    page = visitor
    for _ in range(CAPS.questions):
        until("room for a question", lambda: page.shown("#ll-send"))
        page.write("#ll-question textarea", "What is the total fee?\n")
        until("the answer", lambda: page.shown(".ll-timing"))
        page.click("[data-act=delete-answer]")
        until("its end", lambda: not page.shown(".ll-timing"))
    page.write("#ll-question textarea", "What is the total fee?\n")
    said = until("the refusal", lambda: page.shown(".ll-answer .ll-error"))
    assert said == [
        "you have asked 2 questions, as many as this demo answers; run Longleaf on your own machine for more"
    ]
    field = page.browser.find_element("css selector", "#ll-question textarea")
    assert field.get_attribute("value") == "What is the total fee?"  # to be taken along
    (home,) = [path for path in (settings.data_dir / "visitors").iterdir() if path.is_dir()]
    page.click(".ll-person button")
    until("the terms again", lambda: page.shown("main button") == ["Look around"])
    until("nothing of the visit", lambda: not home.exists())
    page.browser.get(f"{demo}/config")
    assert "Sign in first." in page.browser.page_source


def test_what_a_visitor_asked_stays_in_the_browser_alone_until_it_is_forgotten(visitor: SimpleNamespace) -> None:
    page = visitor
    for question in ("What is the total fee?", "Is the fee in <b>crowns</b>?"):
        page.click("[data-act=new]") if page.shown("[data-act=new]") else None
        page.write("#ll-question textarea", question + "\n")
        until("the answer", lambda: page.shown(".ll-timing"))
        until("its conversation", lambda: question in page.shown("#ll-history .ll-doc-name"))  # noqa: B023
    page.click(".ll-person button")
    page.click("main button")  # another visit
    until("the sample", lambda: page.shown("#ll-documents .ll-doc-name") == ["sample.txt"])
    until("what was kept", lambda: page.shown("#ll-history summary"))
    page.click("#ll-history summary")
    until("both questions", lambda: set(page.shown("#ll-history .ll-talk summary")) == {
        "What is the total fee?", "Is the fee in <b>crowns</b>?"
    })  # fmt: skip
    page.click("#ll-history .ll-talk summary")
    (text,) = until("one of them", lambda: page.shown("details[open] > .ll-kept-text"))
    assert "The documents do not say." in text  # the latest comes first
    assert serious(page) == []
    for left in (1, 0):
        page.browser.execute_script("document.querySelectorAll('#ll-history .ll-talk .ll-link')[1].click()")
        until("one less", lambda: len(page.browser.find_elements("css selector", ".ll-talk")) == left)  # noqa: B023
    assert page.browser.execute_script("return localStorage.getItem('longleaf-kept')") == "[]"


def test_who_tries_too_often_is_told_how_long_to_wait(browser: Any, team: str) -> None:
    page = seen_on(browser)

    def enter(password: str) -> None:
        if not tries:
            page.write("#name", "ada")  # it stays
        page.write("#password", password + "\n")

    def refused() -> str:
        return until("the refusal", lambda: page.shown("[role=alert]"))[0]

    browser.get(team)
    tries = 0
    while "Too many tries" not in (said := refused() if tries else ""):
        assert tries < 12, "nobody may try that often"
        assert said in ("", "Name or password is wrong.")
        enter(f"guess {tries}")
        tries += 1
    assert tries > 5  # so many are free
    wait_s = int(said.removeprefix("Too many tries; wait ").removesuffix(" s and try again."))
    assert serious(page) == []
    time.sleep(wait_s + 1)
    enter("the password of ada")
    until("her name", lambda: [each for each in page.shown(".ll-person") if "ada" in each])
