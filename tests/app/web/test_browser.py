"""The page in headless Chromium: a document in, a question, the answer, the cited line; and nothing from elsewhere."""

import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.web.services import Services
from tests.app.web.browsing import until

pytestmark = pytest.mark.slow
HOSTILE = "<img src=x onerror=document.title='HACKED'>.txt"

# What a person is told by Gradio as long as the page is seen, also while it is being left.
TOLD = """
sessionStorage.setItem('told', '[]');
const watching = new MutationObserver(() => {
  const told = [...document.querySelectorAll('.toast-body')].map(toast => toast.innerText).filter(text => text);
  if (told.length) sessionStorage.setItem('told', JSON.stringify(told));
});
watching.observe(document.body, {childList: true, subtree: true});
addEventListener('pagehide', () => watching.disconnect());
"""


def requests_elsewhere(browser: Any, address: str) -> set[str]:
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = {
        message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"
    }
    return {url for url in urls if url.startswith(("http", "ws")) and not url.startswith(address)}


def complaints(browser: Any) -> list[str]:
    """What the browser's console calls severe, of this page: one that was left may miss what it had asked for."""
    began = browser.execute_script(
        "return performance.timeOrigin + performance.getEntriesByType('navigation')[0].domInteractive"
    )
    entries = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    return [entry["message"] for entry in entries if entry["timestamp"] >= began]


def test_from_upload_to_the_cited_line(browser: Any, address: str, texts: SimpleNamespace, tmp_path: Path) -> None:
    hostile = tmp_path / HOSTILE
    hostile.write_text("<script>document.title='HACKED'</script>\nThe lease begins in {{March}} ${1+1}.\n")

    def all_of(css: str) -> list[Any]:
        return list(browser.find_elements("css selector", css))

    browser.get(address)
    until("the empty state", lambda: all_of(".ll-welcome h2"))
    all_of("input[data-files=files]")[0].send_keys(f"{hostile}\n{texts.notes}")
    until("both documents", lambda: len(all_of(".ll-doc-chosen")) == 2)
    assert HOSTILE in [row.text for row in all_of(".ll-doc-name")]

    all_of("#ll-question textarea")[0].send_keys("When does the lease begin?\n")
    citation = until("the citation", lambda: all_of(".ll-citation"))[0]
    assert f"{HOSTILE}, line 2" in citation.text
    until("the cited line", lambda: all_of(".ll-line-chosen"))
    assert all_of(".ll-line-chosen")[0].text == "The lease begins in {{March}} ${1+1}."
    assert "Read 2 of 2 pages" in all_of(".ll-coverage")[0].text

    until("the address of the answer", lambda: "answer=1" in browser.current_url)
    assert complaints(browser) == []
    browser.refresh()
    until("its answer", lambda: all_of(".ll-citation"))
    until("both documents", lambda: len(all_of(".ll-doc-chosen")) >= 2)
    until("the conversation", lambda: all_of(".ll-talk"))

    position = [row.text for row in all_of(".ll-doc-name")].index(HOSTILE)
    all_of("[data-act=delete]")[position].click()
    until("the question whether to delete", lambda: all_of("[data-act=delete-yes]"))[0].click()
    until("the receipt", lambda: all_of(".ll-receipt"))
    until("the answer's end", lambda: not all_of(".ll-citation"))
    assert browser.title == "Longleaf"
    assert requests_elsewhere(browser, address) == set()
    assert complaints(browser) == []


def test_a_reload_finds_a_reading_and_a_question_again(
    browser: Any, address: str, texts: SimpleNamespace, services: Services, engine: Any
) -> None:
    def all_of(css: str) -> list[Any]:
        return list(browser.find_elements("css selector", css))

    def text_of(css: str) -> str:
        return " ".join(element.text for element in all_of(css))

    go_on = threading.Event()
    engine.during_reading = lambda: go_on.wait(60)
    entry = services.longleaf.add(texts.project)
    browser.get(address)
    until("the document", lambda: all_of("[data-act=read]"))[0].click()
    until("the reading", lambda: all_of("[data-act=cancel]"))
    all_of("#ll-question textarea")[0].send_keys("When does the lease begin?\n")
    until("the address of the question", lambda: "run=" in browser.current_url)
    browser.refresh()
    until("the question again", lambda: text_of(".ll-asked") == "When does the lease begin?")
    until("its way to be stopped", lambda: all_of("#ll-stop") and all_of("#ll-stop")[0].is_displayed())
    until("the reading again", lambda: all_of("[data-act=cancel]"))
    go_on.set()
    until("the answer", lambda: all_of(".ll-citation"))
    assert services.longleaf.entry(entry.id).is_read
    until("no more reading", lambda: not all_of("[data-act=cancel]") and not all_of("[data-act=read]"))


def test_a_reload_keeps_what_is_being_written_and_calls_nothing_lost(
    browser: Any, address: str, texts: SimpleNamespace, services: Services
) -> None:
    """Also while answers of the server are under way, which Gradio would close by itself and then miss."""

    def field() -> Any:
        return until("the field", lambda: browser.find_elements("css selector", "#ll-question textarea"))[0]

    services.longleaf.add(texts.lease)
    browser.get(address)
    until("the document", lambda: browser.find_elements("css selector", ".ll-doc-chosen"))
    browser.execute_script(TOLD)
    field().send_keys("What was I going to")
    browser.execute_script("for (const box of document.querySelectorAll('.ll-doc input')) box.click()")
    browser.refresh()
    until("what was being written", lambda: field().get_attribute("value") == "What was I going to")
    assert json.loads(browser.execute_script("return sessionStorage.getItem('told')")) == []
    field().send_keys(" ask")
    browser.get(f"{address}/?__theme=light")  # as after signing out and in
    until("the document", lambda: browser.find_elements("css selector", ".ll-doc"))
    assert field().get_attribute("value") == ""


def test_an_answer_is_judged_asked_again_renamed_and_deleted(
    browser: Any, address: str, texts: SimpleNamespace, services: Services
) -> None:
    def all_of(css: str) -> list[Any]:
        return list(browser.find_elements("css selector", css))

    def click(what: str, css: str) -> None:
        until(what, lambda: [element for element in all_of(css) if element.is_displayed()])[0].click()

    history = services.longleaf.history
    services.longleaf.add(texts.lease)
    browser.get(address)
    until("the document", lambda: all_of(".ll-doc-chosen"))
    all_of("#ll-question textarea")[0].send_keys("When does the lease begin?\n")
    click("the verdict", '[data-arg="wrong evidence"]')
    note = until("room for a note", lambda: all_of("[data-act=note]"))[0]
    note.send_keys("the second line\n")
    until("the note", lambda: [kept.note for kept in history.judged()] == ["the second line"])
    click("asking again", "[data-act=again]")
    until("two answers", lambda: history.conversations()[0].num_answers == 2)
    click("its name", "[data-act=rename]")
    field = until("the field", lambda: all_of("[data-act=title]"))[0]
    browser.execute_script("arguments[0].select()", field)
    field.send_keys("<b>Lease\n")
    until("the new name", lambda: [item.text for item in all_of("#ll-history .ll-doc-name")] == ["<b>Lease"])
    click("its deletion", "[data-act=delete-conversation]")
    click("yes", "[data-act=delete-conversation-yes]")
    until("nothing", lambda: not all_of(".ll-talk") and not all_of(".ll-citation"))
    assert history.conversations() == []


def test_two_people_see_their_own_documents_alone(browser: Any, team: str, texts: SimpleNamespace) -> None:
    def all_of(css: str) -> list[Any]:
        return list(browser.find_elements("css selector", css))

    def enter(name: str, password: str) -> None:
        until("the entrance", lambda: all_of("#password"))
        all_of("#name")[0].clear()
        all_of("#name")[0].send_keys(name)
        all_of("#password")[0].send_keys(password + "\n")

    browser.get(team)
    enter("ada", "a wrong password")
    until("the refusal", lambda: [each for each in all_of("[role=alert]") if "is wrong" in each.text])
    enter("ada", "the password of ada")
    until("her name", lambda: [each for each in all_of(".ll-person") if "ada" in each.text])
    until("room for files", lambda: all_of("input[data-files=files]"))[0].send_keys(str(texts.lease))
    until("her document", lambda: all_of(".ll-doc-chosen"))
    all_of("#ll-question textarea")[0].send_keys("When does the lease begin?\n")
    until("her answer", lambda: all_of(".ll-citation"))
    until("its address", lambda: "answer=1" in browser.current_url)
    hers = browser.current_url
    all_of(".ll-person button")[0].click()
    browser.get(hers)
    enter("bert", "the password of bert")
    until("his name", lambda: [each for each in all_of(".ll-person") if "bert" in each.text])
    until("an empty library", lambda: all_of(".ll-welcome h2"))
    assert all_of(".ll-citation") == all_of(".ll-talk") == all_of(".ll-doc-chosen") == []
    assert "March" not in browser.page_source


def test_the_page_fits_a_phone(browser: Any, address: str) -> None:
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(address)
    until("the empty state", lambda: browser.find_elements("css selector", ".ll-welcome h2"))
    assert browser.execute_script("return document.documentElement.scrollWidth") == 390
    small = browser.execute_script(
        "return [...document.querySelectorAll('.ll-button, .ll-starter, #ll-send')]"
        ".filter(e => e.offsetHeight && e.offsetHeight < 30).map(e => e.textContent)"
    )
    assert small == []
