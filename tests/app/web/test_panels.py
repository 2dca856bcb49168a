"""The panels' handlers, called as Gradio calls them."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from app.service import KeptAnswer
from app.web.adding import AddPanel
from app.web.ask import AskPanel
from app.web.history import Changing, HistoryPanel
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
    return AskPanel(services)


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


def test_what_was_added_is_shown_where_nothing_is(
    adding: AddPanel, library: LibraryPanel, services: Services, texts: SimpleNamespace
) -> None:
    entry = services.longleaf.add(texts.lease)
    fresh = Shelf(fresh=frozenset({"a job"}))
    shown = library.show_new((entry.id,), fresh, View())
    assert (shown.document, shown.page_index) == (entry.id, 0)
    assert library.show_new((entry.id,), fresh, shown) == SKIP
    assert library.show_new((entry.id,), Shelf(), View()) == SKIP  # ticked, not added
    assert library.show_new((entry.id, "another"), fresh, View()) == SKIP
    assert library.show_new(("deleted meanwhile",), fresh, View()) == SKIP
    assert library.show_new(None, fresh, View()) == SKIP


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
    *_, chosen, after, ask, _, _, _ = library.refresh(None, shelf, Ask())
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
    assert "sample.txt" in library.refresh(None, shelf, Ask())[7]
    assert "is empty" in library.refresh(None, shelf, Ask())[7]


def test_choosing_opening_and_deleting(library: LibraryPanel, services: Services, texts: SimpleNamespace) -> None:
    lease, notes = services.longleaf.add(texts.lease), services.longleaf.add(texts.notes)
    chosen = library.act(click("choose", lease.id, ticked=[notes.id, lease.id, "zzz"]), (), Shelf(), View())[3]
    assert chosen == (notes.id, lease.id)
    assert library.act(click("choose", notes.id, ticked=[lease.id]), chosen, Shelf(), View())[3] == (lease.id,)
    hidden = library.act(click("choose", lease.id, ticked=[]), chosen, Shelf(query="lease"), View())[3]
    assert hidden == (notes.id,)  # what the search does not list stays chosen
    assert library.act(click("choose", lease.id, ticked="x"), (), Shelf(), View())[3] == SKIP
    assert library.act(click("choose-none"), chosen, Shelf(), View())[3] == ()
    view = library.act(click("open", lease.id), chosen, Shelf(), View())[5]
    assert view == View(document=lease.id, leaf=lease.id)
    shelf = library.act(click("delete", lease.id), chosen, Shelf(), view)[4]
    assert shelf.confirming == lease.id
    documents, _, notice, chosen, shelf, view, _ = library.act(click("delete-yes", lease.id), chosen, shelf, view)
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
    steps = list(ask.answer_it(Ask("When does the lease begin?", 1), (entry.id,), None))
    assert 'aria-busy="true"' in steps[0][0]
    fields = [step[4] for step in steps]
    assert fields == ["", *[SKIP] * (len(steps) - 1)]  # what is written there meanwhile is the next question
    answer, view, running, shown, *_, conversation = steps[-1]
    assert "quote checked" in answer
    assert view.leaf == entry.id
    assert running is None
    assert shown.answer.found
    assert "When does the lease begin?" in ask.describe((entry.id,), None, None)[4]  # asked before, as after a restart
    wish, *_ = ask.act_earlier(click("earlier", shown.number), Ask("", 3), None, (entry.id,))
    assert wish == Ask(kept=shown.number, nonce=4)
    assert ask.act_earlier(click("earlier", shown.number), Ask(), "running", ())[0] == SKIP
    (opened,) = ask.answer_it(wish, None, None)
    assert (opened[3], opened[-2], opened[-1]) == (shown, (entry.id,), conversation)
    (missing,) = ask.answer_it(Ask(kept=99), None, None)
    assert "there is no answer 99; it may have been deleted" in missing[0]


def test_a_question_without_an_answer_shows_what_was_looked_at(
    ask: AskPanel, services: Services, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = replace(answer, found=False, citations=())
    events = [EvidenceFound(answer.citations), Answered(missing)]
    monkeypatch.setattr(services.longleaf, "ask", lambda *_: iter(events))
    html, view, *_ = list(ask.answer_it(Ask("What?", 1), ("a",), None))[-1]
    assert "The nearest passages" in html
    assert view.citations == answer.citations


def test_a_refused_question_is_kept_to_be_mended(ask: AskPanel) -> None:
    (step,) = ask.answer_it(Ask("What?", 1), (), None)
    assert "no document is chosen; tick at least one in the list" in step[0]


def test_a_second_question_waits_for_the_first(ask: AskPanel) -> None:
    assert ask.put("What?", Ask("", 4), None) == Ask("What?", 5)
    assert ask.put("What?", Ask("", 4), "running") == SKIP


def test_an_answer_about_a_deleted_document_is_not_shown_any_more(
    ask: AskPanel, services: Services, texts: SimpleNamespace
) -> None:
    entry = services.longleaf.add(texts.lease)
    shown = list(ask.answer_it(Ask("When does the lease begin?", 1), (entry.id,), None))[-1][3]
    other = services.longleaf.add(texts.notes)
    assert ask.describe((entry.id,), shown, None)[3] == SKIP
    scope, *rest = ask.fit((other.id,), shown, None)
    assert "The answer below is about <bdi>lease.txt</bdi>." in scope
    assert rest == [SKIP] * 3
    services.longleaf.delete(entry.id)
    assert ask.describe((), shown, None)[3] == ""
    scope, answer, _, shown_after = ask.fit((other.id,), shown, None)  # which was chosen before
    assert "The answer below" not in scope
    assert (answer, shown_after) == ("", None)


def asked(ask: AskPanel, services: Services, source: Path, question: str = "When does the lease begin?") -> KeptAnswer:
    entry = services.longleaf.add(source)
    shown = list(ask.answer_it(Ask(question, 1), (entry.id,), None))[-1][3]
    assert isinstance(shown, KeptAnswer)
    return shown


def test_what_can_be_done_with_an_answer(ask: AskPanel, services: Services, texts: SimpleNamespace) -> None:
    shown = asked(ask, services, texts.lease)

    def act(event: gr.EventData, running: str | None = None) -> tuple[Any, ...]:
        return ask.act(event, shown, View(), Ask("", 1), running)

    citations = shown.answer.citations
    assert act(click("cite", 0))[0] == View.of(citations, 0)
    for bad in ("1", "-1", "x", "", "9" * 40):
        assert act(click("cite", bad)) == (SKIP,) * 5
    assert act(click("again"))[1] == Ask("When does the lease begin?", 2)
    assert act(click("again"), "running")[1] == SKIP
    assert act(click("edit"))[2] == "When does the lease begin?"
    html, judged = act(click("judge", "wrong"))[3:]
    assert 'data-arg="wrong" aria-pressed="true"' in html
    html, noted = ask.act(click("note", "", value="<b>May"), judged, View(), Ask(), None)[3:]
    assert "&lt;b&gt;May" in html
    assert services.longleaf.history.judged() == [noted]
    assert "the verdict is &#x27;splendid&#x27;; it must be one of right" in act(click("judge", "splendid"))[3]
    assert act(click("delete-answer"))[3:] == ("", None)
    assert services.longleaf.history.conversations() == []
    assert ask.act(click("cite", 0), None, View(), Ask(), None) == (SKIP,) * 5


def test_the_address_finds_an_answer_and_a_question_that_still_runs(
    ask: AskPanel, services: Services, texts: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def arrive(**query: str) -> Any:
        return ask.arrive(SimpleNamespace(query_params=query), Ask("", 1))  # type: ignore[arg-type]

    shown = asked(ask, services, texts.lease)
    assert arrive() == arrive(answer="x") == arrive(run="unknown") == SKIP
    assert arrive(answer=str(shown.number)) == Ask(kept=shown.number, nonce=2)
    go_on = threading.Event()

    def slow(*_: Any) -> Iterator[Any]:
        yield EvidenceFound(())
        assert go_on.wait(20)

    monkeypatch.setattr(services.longleaf, "ask", slow)
    steps = ask.answer_it(Ask("Slowly?", 1), shown.documents, None)
    run_id = next(steps)[2]
    assert arrive(run=run_id) == arrive() == Ask(run=run_id, nonce=2)
    following = ask.answer_it(Ask(run=run_id), None, None)
    first = next(following)
    assert "Slowly?" in first[0]
    assert first[4] == SKIP
    go_on.set()
    assert "Stopped before an answer came" in list(following)[-1][0]


def test_conversations_are_opened_renamed_and_deleted(
    blocks: gr.Blocks, ask: AskPanel, services: Services, texts: SimpleNamespace
) -> None:
    shown = asked(ask, services, texts.lease)
    panel = HistoryPanel(services)
    key = shown.conversation
    assert "When does the lease begin?" in panel.show(key, Changing())
    assert panel.act(click("conversation", key), None, Changing(), Ask("", 1))[2] == Ask(kept=shown.number, nonce=2)
    assert 'data-act="title"' in panel.act(click("rename", key), key, Changing(), Ask())[0]
    assert "<b>Lease" not in panel.act(click("title", key, value="<b>Lease"), key, Changing(), Ask())[0]
    assert services.longleaf.history.conversation(str(key)).title == "<b>Lease"
    assert "This cannot be undone" in panel.act(click("delete-conversation", key), key, Changing(), Ask())[0]
    listing, _, _, conversation, *_ = panel.act(click("delete-conversation-yes", key), key, Changing(), Ask())
    assert (listing, conversation) == ("", None)
    assert "there is no conversation" in panel.act(click("title", key, value="x"), key, Changing(), Ask())[-1]


def test_reading_whole_stopping_and_going_on_at_the_document(
    library: LibraryPanel, services: Services, texts: SimpleNamespace, engine: Any
) -> None:
    entry = services.longleaf.add(texts.project)
    reading, go_on = threading.Event(), threading.Event()

    def block() -> None:
        reading.set()
        assert go_on.wait(20)

    assert "Read whole" in library.refresh(None, Shelf(), Ask())[0]
    engine.during_reading = block
    documents, *_ = library.act(click("read", entry.id), (), Shelf(), View())
    assert "Stop reading project" in documents
    assert reading.wait(20)
    (job,) = services.jobs.jobs()
    library.act(click("cancel", job.id), (), Shelf(), View())
    go_on.set()
    settled(services)
    documents, _, jobs, *_ = library.refresh(None, Shelf(), Ask())
    assert "% read" in documents
    assert "Go on reading" in documents
    assert jobs == ""
    library.act(click("read", entry.id), (), Shelf(), View())
    settled(services)
    documents, *_ = library.refresh(None, Shelf(), Ask())
    assert "Read whole" not in documents
    assert "Go on reading" not in documents


def test_finding_by_name_tag_and_content(library: LibraryPanel, services: Services, texts: SimpleNamespace) -> None:
    lease, notes = services.longleaf.add(texts.lease), services.longleaf.add(texts.notes)
    _, _, _, _, shelf, *_ = library.act(click("tag", lease.id), (), Shelf(), View())
    assert shelf.tagging == lease.id
    library.act(click("tags", lease.id, value="#Home, rent"), (), shelf, View())
    assert services.longleaf.entry(lease.id).tags == ("home", "rent")
    for query, names in (("lea", ["lease"]), ("#ho", ["lease"]), ("plumber", []), ("s", ["lease", "notes"])):
        documents, shelf, hits = library.find_name(query, (), Shelf())
        assert [name for name in ("lease", "notes") if f"Ask about {name}.txt" in documents] == names
        assert (shelf.query, hits) == (query, "")
    assert "Nothing in the documents fits" in library.find_content("plumber")  # nothing is indexed yet
    list(services.longleaf.read([notes.id]))
    assert "Call the plumber." in library.find_content("plumber")
    assert library.open_hit(click("hit", 0), "plumber").leaf == notes.id
    assert library.open_hit(click("hit", 3), "plumber") == SKIP
    assert library.find_content(" ") == ""


def test_a_source_that_failed_is_tried_again_with_the_options_of_now(
    adding: AddPanel, library: LibraryPanel, services: Services, tmp_path: Path, texts: SimpleNamespace
) -> None:
    late = tmp_path / "late.txt"
    shelf, *_ = adding.add_typed(Shelf(), str(late), "", "", True)
    settled(services)
    jobs = library.refresh(None, shelf, Ask())[2]
    assert 'data-act="retry"' in jobs
    late.write_bytes(texts.lease.read_bytes())
    (job,) = services.jobs.jobs()
    shelf, notice, *_ = adding.retry(click("retry", job.id), Shelf(), "", "", True)
    settled(services)
    assert (notice, library.refresh(None, shelf, Ask())[2]) == ("", "")
    assert services.longleaf.entry("late.txt").pages == 1
    assert "not failed" in adding.retry(click("retry", job.id), Shelf(), "", "", True)[1]


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
