"""Reading and asking through the service: what is kept, what is reused, what a deletion in between does."""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from app.errors import NotInLibrary
from app.service import Longleaf
from app.service.engine import reading_lock
from app.settings import Settings
from llm.answer import Answer, Answered, ReadingProgress, TextDelta
from llm.errors import BadQuestion


def answer_to(longleaf: Longleaf, ids: list[str], question: str) -> Answer:
    *_, last = longleaf.ask(ids, question)
    assert isinstance(last, Answered)
    return last.answer


def test_a_question_reads_first_and_a_second_one_does_not(
    longleaf: Longleaf, texts: SimpleNamespace, engine: Any
) -> None:
    entry = longleaf.add(texts.lease)
    events = list(longleaf.ask([entry.id], "What are the crowns for?"))
    assert isinstance(events[0], ReadingProgress)
    assert "".join(event.text for event in events if isinstance(event, TextDelta)).strip() == "The rent is 900 crowns."
    assert not any(isinstance(event, ReadingProgress) for event in longleaf.ask([entry.id], "When does it begin?"))
    assert engine.calls.count("read lease.txt") == 1


def test_an_entry_says_that_it_was_read(longleaf: Longleaf, texts: SimpleNamespace) -> None:
    entry = longleaf.add(texts.project)
    list(longleaf.read([entry.id]))
    read = longleaf.entry(entry.id)
    assert read.is_read
    assert read.kv_bytes > 0
    assert read.tokens == longleaf.engine().coverage([longleaf.document(entry.id)]).tokens_total
    other = Longleaf(Settings(data_dir=longleaf.settings.data_dir, model="another"))
    assert not other.entry(entry.id).is_read
    other.close()


def test_answers_are_kept_whole(longleaf: Longleaf, texts: SimpleNamespace) -> None:
    lease, notes = longleaf.add(texts.lease), longleaf.add(texts.notes)
    alone = answer_to(longleaf, [lease.id], "What are the crowns for?")
    both = answer_to(longleaf, [notes.id, lease.id], "Who is the plumber.")
    assert longleaf.answers([lease.id]) == [alone]
    assert longleaf.answers([lease.id, notes.id]) == [both]
    assert longleaf.answers([notes.id]) == []
    assert longleaf.answers([lease.id])[0].citations[0].end > 0  # fields that `as_json` leaves out


def test_a_member_of_a_folder_can_be_asked_alone(longleaf: Longleaf, texts: SimpleNamespace) -> None:
    folder = longleaf.add(texts.project)
    member = next(leaf for leaf in longleaf.document(folder.id).leaves() if leaf.name == "main.py")
    answer = answer_to(longleaf, [member.id], "Where is start():")
    assert (answer.citations[0].source, answer.citations[0].lines) == ("main.py", (1, 1))
    longleaf.delete(folder.id)
    assert longleaf.answers([member.id]) == []


def test_an_empty_question_reads_nothing(longleaf: Longleaf, texts: SimpleNamespace, engine: Any) -> None:
    entry = longleaf.add(texts.lease)
    with pytest.raises(BadQuestion, match="the question is empty; write what you want to know"):
        longleaf.ask([entry.id], "  \n")
    assert engine.calls == []


def test_a_cancelled_reading_ends_without_an_answer(longleaf: Longleaf, texts: SimpleNamespace, engine: Any) -> None:
    entry = longleaf.add(texts.project)
    cancel = threading.Event()
    engine.during_reading = cancel.set
    events = list(longleaf.ask([entry.id], "What are the crowns for?", cancel=cancel))
    assert len(events) == 1
    assert longleaf.answers([entry.id]) == []
    assert not longleaf.entry(entry.id).is_read


def test_a_document_deleted_while_it_is_read_leaves_nothing(
    longleaf: Longleaf, texts: SimpleNamespace, engine: Any, open_longleaf: Callable[..., Longleaf], settings: Settings
) -> None:
    entry = longleaf.add(texts.project)
    other = open_longleaf(settings)
    deleting = threading.Thread(target=other.delete, args=[entry.id])

    def delete_now() -> None:
        if not deleting.ident:
            deleting.start()
            while other.entries():
                pass

    engine.during_reading = delete_now
    with pytest.raises(NotInLibrary, match="a document was deleted while it was being read"):
        list(longleaf.read([entry.id]))
    deleting.join(20)
    assert not list((settings.data_dir / "state" / "index").iterdir())
    other.close()


def test_one_reading_at_a_time_in_a_library(longleaf: Longleaf, settings: Settings) -> None:
    waiting, told = threading.Event(), []

    def stop_waiting(line: str) -> None:
        told.append(line)
        waiting.set()

    with reading_lock(settings, threading.Event(), told.append) as first:
        assert first
        with reading_lock(settings, waiting, stop_waiting) as second:
            assert not second
    assert told == ["Waiting for another reading of this library to finish"]
    with reading_lock(settings, threading.Event(), told.append) as third:
        assert third
