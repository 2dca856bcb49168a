"""The panels in headless Chromium: the table, models side by side, layers over a page, notices, pasting, axe-core."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.service import Longleaf
from app.web.services import Services
from tests.app.web.browsing import serious, until

pytestmark = pytest.mark.slow
LOOK_AWAY = """
window.told = [];
window.Notification = class { constructor(title, options) { window.told.push(options.body); } };
window.Notification.permission = 'granted';
Object.defineProperty(document, 'hidden', {get: () => true, configurable: true});
"""
PASTE = """
const data = new DataTransfer();
data.setData('text/plain', 'The lease begins in June.\\n');
document.body.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true}));
"""


def test_a_table_fills_and_a_cell_opens_its_evidence(
    page: SimpleNamespace, services: Services, texts: SimpleNamespace
) -> None:
    for source in (texts.lease, texts.notes):
        services.longleaf.add(source)
    until("both documents", lambda: len(page.shown(".ll-doc-name")) == 2)
    page.click("[data-act=choose-all]")
    page.click('[data-toggle="table"]')
    assert page.shown("#ll-question") == []
    page.write("#ll-table-text textarea", "When does the lease begin?\nWhich password?")
    page.click("#ll-fill")
    until("all cells", lambda: "4 answers of 4." in page.shown("#ll-table-sheet .ll-meta"))
    assert sorted(page.shown("[data-act=cell]")) == [
        "The lease begins in March.", "The password of the gate is Xylophone.",
    ]  # fmt: skip
    page.click("[data-act=cell]")
    until("the cited line", lambda: page.shown(".ll-line-chosen"))
    assert [link[-4:] for link in page.shown("#ll-table-sheet a.ll-link")] == ["xcel", "CSV", "SONL"] * 2
    page.browser.refresh()
    page.click('[data-toggle="table"]')
    until("the table again", lambda: len(page.shown("[data-act=cell]")) == 2)
    assert serious(page) == []


def test_two_models_answer_side_by_side(page: SimpleNamespace, services: Services, texts: SimpleNamespace) -> None:
    services.longleaf.add(texts.lease)
    until("the document", lambda: page.shown(".ll-doc-chosen"))
    page.click('[data-toggle="compare"]')
    assert page.shown("#ll-compare-models label") == ["leafmoe-135m", "smollm2-135m"]
    page.write("#ll-compare-question textarea", "When does the lease begin?\n")
    until("both answers", lambda: len(page.shown(".ll-took tbody tr")) == 2)
    assert page.shown(".ll-lane-name") == ["leafmoe-135m", "smollm2-135m"]
    assert all(text.startswith("The lease begins in March.") for text in page.shown(".ll-lane .ll-text"))
    page.click(".ll-lane:last-child .ll-hit")
    until("the cited line", lambda: page.shown(".ll-line-chosen"))
    assert serious(page) == []
    page.browser.refresh()
    page.click('[data-toggle="compare"]')
    until("the comparison again", lambda: len(page.shown(".ll-took tbody tr")) == 2)


def test_words_can_be_selected_and_patches_seen(page: SimpleNamespace, services: Services) -> None:
    services.longleaf.add(Path(__file__).parents[3] / "assets" / "samples" / "contract.pdf")
    page.click(".ll-doc-name")
    until("the page", lambda: page.shown(".ll-sheet"))
    selected = page.browser.execute_script(
        "getSelection().selectAllChildren(document.querySelector('.ll-words text')); return getSelection().toString()"
    )
    assert len(selected.strip()) > 3
    widths = page.browser.execute_script(
        "const image = document.querySelector('.ll-sheet img').getBoundingClientRect();"
        "const words = [...document.querySelectorAll('.ll-words text')].map(e => e.getBoundingClientRect());"
        "return [image.left, Math.min(...words.map(w => w.left)), Math.max(...words.map(w => w.right)), image.right]"
    )
    assert widths == sorted(widths)  # no word stands beside the page
    assert page.shown(".ll-patches") == []
    page.click('[data-toggle="patches"]')
    assert "text of the file" in page.shown(".ll-patch-legend")[0]
    page.click('[data-act="page"][data-arg="1"]')
    until("the next page", lambda: [each for each in page.shown(".ll-stepper") if "Page 2" in each])
    assert page.shown(".ll-patch-legend")  # it stays so from page to page
    assert serious(page) == []


def test_what_is_done_is_told_to_who_looks_elsewhere(
    page: SimpleNamespace, services: Services, texts: SimpleNamespace, engine: Any
) -> None:
    import threading

    go_on = threading.Event()
    engine.during_reading = lambda: go_on.wait(60)
    services.longleaf.add(texts.lease)
    page.click("[data-act=read]")
    until("the reading", lambda: page.shown("[data-act=cancel]"))
    page.browser.execute_script(LOOK_AWAY)
    go_on.set()
    until("the notice", lambda: page.browser.execute_script("return window.told") == ["lease.txt is read whole"])
    assert page.browser.title == "✓ lease.txt is read whole"
    page.browser.execute_script(
        "Object.defineProperty(document, 'hidden', {get: () => false}); "
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    assert page.browser.title == "Longleaf"


def test_what_is_pasted_becomes_a_document_and_edited_questions_are_asked_again(
    page: SimpleNamespace, services: Services
) -> None:
    until("room for files", lambda: page.browser.find_elements("css selector", "input[data-files=files]"))
    page.browser.execute_script(PASTE)
    until("the document", lambda: page.shown(".ll-doc-chosen"))
    assert services.longleaf.entries()[0].name.startswith("pasted 20")
    page.write("#ll-question textarea", "When does the lease begin?\n")
    until("the answer", lambda: page.shown(".ll-citation"))
    page.click("[data-act=edit]")
    until(
        "the question in its field",
        lambda: page.browser.execute_script("return document.activeElement.value") == "When does the lease begin?",
    )
    page.browser.switch_to.active_element.send_keys(" And end?\n")
    until("the second answer", lambda: page.shown(".ll-asked") == ["When does the lease begin? And end?"])
    until("its end", lambda: page.shown(".ll-timing"))
    assert [kept.answer.question for kept in services.longleaf.history.answers(conversation(services.longleaf))] == [
        "When does the lease begin?", "When does the lease begin? And end?",
    ]  # fmt: skip
    page.click(".ll-answer-tools a")
    page.browser.switch_to.window(page.browser.window_handles[-1])
    until("the answer's own page", lambda: "/answer/2-" in page.browser.current_url and page.shown("h1"))
    assert "begins in June" in page.browser.find_element("css selector", "body").text


def conversation(longleaf: Longleaf) -> str:
    return longleaf.history.conversations()[0].id
