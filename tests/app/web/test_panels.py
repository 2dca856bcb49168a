"""The panels' handlers, called as Gradio calls them."""

import time
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from app.web.adding import AddPanel
from app.web.ask import AskPanel
from app.web.asking import Questions
from app.web.library import LibraryPanel
from app.web.services import Services
from app.web.state import Ask, Shelf, View
from app.web.viewer import ViewerPanel
from llm.answer import Answer, Answered, EvidenceFound

SKIP = gr.skip()


@pytest.fixture
def blocks() -> Iterator[gr.Blocks]:
    with gr.Blocks(analytics_enabled=False) as opened:
        yield opened


@pytest.fixture
def library(blocks: gr.Blocks, services: Services) -> LibraryPanel:
    return LibraryPanel(services)


@pytest.fixture
def adding(blocks: gr.Blocks, services: Services) -> AddPanel:
    return AddPanel(services)


@pytest.fixture
def ask(blocks: gr.Blocks, services: Services) -> AskPanel:
    return AskPanel(services.longleaf, Questions(services.longleaf), services.samples)


def click(act: str, arg: object = "", **more: Any) -> gr.EventData:
    return gr.EventData(None, {"act": act, "arg": str(arg), **more})


def settled(services: Services) -> None:
    deadline = time.monotonic() + 60
    while any(not job.is_finished for job in services.jobs.jobs()):
        assert time.monotonic() < deadline, services.jobs.jobs()
        time.sleep(0.02)


def test_at_first_the_newest_document_is_chosen(
    library: LibraryPanel, services: Services, texts: SimpleNamespace
) -> None:
    assert library.refresh(None, Shelf(), Ask())[3] == SKIP
    services.longleaf.add(texts.lease)
    newest = services.longleaf.add(texts.notes)
    assert library.refresh(None, Shelf(), Ask())[3] == (newest.id,)
    assert library.refresh((), Shelf(), Ask())[3] == SKIP  # a person chose none


def test_what_this_page_added_becomes_the_chosen(
    adding: AddPanel, library: LibraryPanel, services: Services, texts: SimpleNamespace
) -> None:
    other = services.longleaf.add(texts.notes)
    shelf, notice, *_ = adding.add_typed(Shelf(), str(texts.lease), "", "", True)
    settled(services)
    chosen = library.refresh((other.id,), shelf, Ask())[3]
    assert [services.longleaf.entry(doc_id).name for doc_id in chosen] == ["lease.txt"]
    assert notice == ""


def test_a_typed_path_that_is_wrong_or_not_allowed(
    adding: AddPanel, library: LibraryPanel, services: Services, texts: SimpleNamespace
) -> None:
    assert "the path is empty; type where" in adding.add_typed(Shelf(), " ", "", "", True)[1]
    assert "page range &#x27;7-3&#x27; runs from 7 to 3" in adding.add_typed(Shelf(), "/x", "7-3", "", True)[1]
    shelf, *_ = adding.add_typed(Shelf(), "/no/such/file", "", "", True)
    settled(services)
    assert "/no/such/file does not exist; give the path" in library.refresh(None, shelf, Ask())[2]
    closed = AddPanel(Services(services.longleaf, services.jobs, services.uploads, (), paths_allowed=False))
    assert "paths can be typed only on the computer" in closed.add_typed(Shelf(), str(texts.lease), "", "", True)[1]


def test_an_upload_is_handed_over_and_its_copy_removed(
    adding: AddPanel, library: LibraryPanel, services: Services
) -> None:
    batch = services.uploads.open()
    folder = services.uploads._batches[batch].folder
    (folder / "<b>.txt").write_text("The gate is green.\n", encoding="utf-8")
    shelf, *_ = adding.add_upload(click("upload", batch), Shelf(), "", "", True)
    settled(services)
    documents, *_ = library.refresh(None, shelf, Ask())
    assert "&lt;b&gt;.txt" in documents
    deadline = time.monotonic() + 20
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not folder.exists()
    assert "not open any more" in adding.add_upload(click("upload", batch), Shelf(), "", "", True)[1]
    assert (
        "could not be sent" in adding.add_upload(click("refused", "a.pdf could not be sent"), Shelf(), "", "", True)[1]
    )


def test_a_sample_is_asked_once_it_is_read(adding: AddPanel, library: LibraryPanel, services: Services) -> None:
    shelf, *_, waiting = adding.add_sample(click("sample", "sample.txt"), Shelf())
    assert "Reading sample.txt first" in waiting
    settled(services)
    *_, chosen, after, ask, _, _ = library.refresh(None, shelf, Ask())
    assert ask == Ask("What is the total fee?", 1)
    assert [services.longleaf.entry(doc_id).name for doc_id in chosen] == ["sample.txt"]
    assert after.starter is None
    assert adding.add_sample(click("sample", "../../etc/passwd"), Shelf())[0] == SKIP


def test_a_sample_that_cannot_be_read_says_so_in_the_answers_place(
    adding: AddPanel, library: LibraryPanel, services: Services
) -> None:
    services.samples[0].path.write_bytes(b"")
    shelf, *_ = adding.add_sample(click("sample", "sample.txt"), Shelf())
    settled(services)
    assert "sample.txt" in library.refresh(None, shelf, Ask())[-1]
    assert "is empty" in library.refresh(None, shelf, Ask())[-1]


def test_choosing_opening_and_deleting(library: LibraryPanel, services: Services, texts: SimpleNamespace) -> None:
    lease, notes = services.longleaf.add(texts.lease), services.longleaf.add(texts.notes)
    chosen = library.act(click("choose", lease.id, checked=True), (notes.id,), Shelf(), View())[3]
    assert chosen == (notes.id, lease.id)
    assert library.act(click("choose", notes.id, checked=False), chosen, Shelf(), View())[3] == (lease.id,)
    assert library.act(click("choose-none"), chosen, Shelf(), View())[3] == ()
    view = library.act(click("open", lease.id), chosen, Shelf(), View())[5]
    assert view == View(document=lease.id, leaf=lease.id)
    shelf = library.act(click("delete", lease.id), chosen, Shelf(), view)[4]
    assert shelf.confirming == lease.id
    documents, _, notice, chosen, shelf, view = library.act(click("delete-yes", lease.id), chosen, shelf, view)
    assert "lease.txt" not in documents
    assert "Deleted <bdi>lease.txt</bdi>" in notice
    assert (chosen, shelf.confirming, view) == ((notes.id,), None, View())


def test_a_click_that_names_nothing_is_one_sentence(library: LibraryPanel) -> None:
    assert "the library has no document" in library.act(click("delete-yes", "zzz"), (), Shelf(), View())[2]
    assert "there is no job" in library.act(click("cancel", "zzz"), (), Shelf(), View())[2]


def test_an_answer_streams_then_stands_with_its_evidence(
    ask: AskPanel, services: Services, texts: SimpleNamespace
) -> None:
    entry = services.longleaf.add(texts.lease)
    steps = list(ask.answer_it(Ask("When does the lease begin?", 1), (entry.id,)))
    assert 'aria-busy="true"' in steps[0][0]
    answer, view, running, shown, *_ = steps[-1]
    assert "quote checked" in answer
    assert view.leaf == entry.id
    assert running is None
    assert shown.found
    again = ask.describe((entry.id,), None)
    assert "When does the lease begin?" in again[4]  # asked before, as after a restart
    assert ask.show_earlier(click("earlier", 0), (entry.id,), None)[1] == shown
    assert ask.show_earlier(click("earlier", 7), (entry.id,), None)[0] == SKIP


def test_a_question_without_an_answer_shows_what_was_looked_at(
    ask: AskPanel, services: Services, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = replace(answer, found=False, citations=())
    events = [EvidenceFound(answer.citations), Answered(missing)]
    monkeypatch.setattr(services.longleaf, "ask", lambda *_: iter(events))
    monkeypatch.setattr(services.longleaf, "answers", lambda _: [missing])
    html, view, _, shown, *_, earlier, _, _ = list(ask.answer_it(Ask("What?", 1), ("a",)))[-1]
    assert "The nearest passages" in html
    assert view.citations == shown.citations == answer.citations
    assert earlier == ""


def test_a_refused_question_is_kept_to_be_mended(ask: AskPanel) -> None:
    (step,) = ask.answer_it(Ask("What?", 1), ())
    assert "no document is chosen; tick at least one in the list" in step[0]


def test_a_second_question_waits_for_the_first(ask: AskPanel) -> None:
    assert ask.put("What?", Ask("", 4), None) == Ask("What?", 5)
    assert ask.put("What?", Ask("", 4), "running") == SKIP


def test_an_answer_about_a_deleted_document_is_not_shown_any_more(
    ask: AskPanel, services: Services, texts: SimpleNamespace
) -> None:
    entry = services.longleaf.add(texts.lease)
    shown = list(ask.answer_it(Ask("When does the lease begin?", 1), (entry.id,)))[-1][3]
    assert ask.describe((entry.id,), shown)[3] == SKIP
    services.longleaf.delete(entry.id)
    assert ask.describe((), shown)[3] == ""


def test_clicking_a_citation_moves_the_viewer(ask: AskPanel, answer: Answer) -> None:
    assert ask.show_citation(click("cite", 0), answer, View()) == View.of(answer.citations, 0)
    for bad in ("1", "-1", "x", "", "9" * 40):
        assert ask.show_citation(click("cite", bad), answer, View()) == SKIP


def test_the_viewer_shows_a_folder_file_by_file(blocks: gr.Blocks, services: Services, texts: SimpleNamespace) -> None:
    entry = services.longleaf.add(texts.project)
    viewer = ViewerPanel(services.longleaf)
    leaves = {leaf.name: leaf.id for leaf in services.longleaf.document(entry.id).leaves()}
    view = viewer.step(click("file", value=leaves["main.py"]), View(document=entry.id))
    shown = viewer.show(view)
    assert '<span class="k">def</span>' in shown
    assert "lease copy.txt</option>" in shown
    assert "the library has no document" in viewer.show(View(leaf="zzz"))
    assert "has no page 8" in viewer.show(View(leaf=leaves["main.py"], page_index=7))
    assert "evidence marked" in viewer.show(View())
