"""Reading and asking through the service: what is kept, what is reused, what a deletion in between does."""

import threading
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from app.errors import NotInLibrary
from app.service import Longleaf
from app.service.turns import Turns
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


def test_one_process_reads_at_a_time_and_one_caller_a_document(settings: Settings, longleaf: Longleaf) -> None:
    told: list[str] = []
    stop = threading.Event()
    never = threading.Event()

    def stop_waiting(line: str) -> None:
        told.append(line)
        stop.set()

    ours, theirs = Turns(settings.data_dir, stop_waiting), Turns(settings.data_dir, stop_waiting)
    with ours.reading({"a", "b"}, never) as first, ours.reading({"c"}, never) as beside:
        assert first
        assert beside
        with ours.reading({"b", "d"}, stop) as same:
            assert not same
        stop.clear()
        with theirs.reading({"e"}, stop) as other_process:
            assert not other_process
    assert told == ["Waiting for another reading of this library to finish"] * 2
    with theirs.reading({"e"}, never) as third:
        assert third


def test_a_fresh_document_is_asked_and_another_deleted_while_a_long_one_is_read(
    longleaf: Longleaf, texts: SimpleNamespace, engine: Any
) -> None:
    long, fresh = longleaf.add(texts.lease), longleaf.add(texts.notes)
    list(longleaf.prepare([long.id]))
    reading = longleaf.read([long.id])
    next(reading)
    assert answer_to(longleaf, [fresh.id], "Which password?").found
    assert longleaf.delete(fresh.id).originals == 1
    list(reading)
    assert longleaf.entry(long.id).is_read


def test_a_reading_that_was_stopped_says_how_far_it_came(
    longleaf: Longleaf, texts: SimpleNamespace, engine: Any
) -> None:
    entry = longleaf.add(texts.project)
    cancel = threading.Event()
    engine.during_reading = cancel.set
    list(longleaf.read([entry.id], cancel))
    stopped = longleaf.entry(entry.id)
    assert not stopped.is_read
    assert stopped.tokens is not None
    assert 0 < stopped.tokens_read < stopped.tokens


def test_a_reading_that_made_way_for_another_is_not_called_read_any_more(
    open_longleaf: Callable[..., Longleaf], settings: Settings, texts: SimpleNamespace, engine: Any
) -> None:
    longleaf = open_longleaf(replace(settings, kv_disk_gb=0.001))
    lease, notes = longleaf.add(texts.lease), longleaf.add(texts.notes)
    list(longleaf.read([lease.id]))
    assert longleaf.entry(lease.id).is_read
    engine.during_reading = lambda: engine.forget([lease.id])
    list(longleaf.read([notes.id]))
    assert (longleaf.entry(lease.id).is_read, longleaf.entry(lease.id).kv_bytes) == (False, 0)
    longleaf.close()
