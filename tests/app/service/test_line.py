"""The line of questions: first come, first served."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

from app.service import Longleaf
from app.service.line import Line
from app.service.page_images import PageImages
from app.settings import Settings
from llm.answer import Answered, AskOptions


def test_who_came_first_is_served_first_and_is_told_how_many_are_before() -> None:
    line, order, told = Line(), [], []
    first_may_end, all_wait = threading.Event(), threading.Barrier(4)

    def first() -> None:
        with line.turn(threading.Event(), lambda ahead: None):
            first_is_in.set()
            first_may_end.wait(10)

    def later(number: int) -> None:
        heard: list[int] = []

        def on_wait(ahead: int) -> None:
            if not heard:
                arrived[number].set()
            heard.append(ahead)

        with line.turn(threading.Event(), on_wait) as is_ours:
            order.append((number, is_ours))
        told.append((number, heard))
        all_wait.wait(10)

    first_is_in = threading.Event()
    arrived = [threading.Event() for _ in range(3)]
    threads = [threading.Thread(target=first)]
    threads[0].start()
    assert first_is_in.wait(10)
    for number in range(3):
        threads.append(threading.Thread(target=later, args=(number,)))
        threads[-1].start()
        assert arrived[number].wait(10)
    assert len(line) == 4
    first_may_end.set()
    all_wait.wait(10)
    for thread in threads:
        thread.join(10)
    assert order == [(0, True), (1, True), (2, True)]
    assert dict(told)[2][0] == 3
    assert len(line) == 0


def test_a_cancelled_question_leaves_the_line() -> None:
    line, cancel = Line(), threading.Event()
    with line.turn(threading.Event(), lambda ahead: None):
        cancel.set()
        with line.turn(cancel, lambda ahead: None) as is_ours:
            assert not is_ours
        assert len(line) == 1


def test_libraries_that_share_a_line_wait_for_one_another(
    open_longleaf: Callable[..., Longleaf], settings: Settings, texts: SimpleNamespace, tmp_path: Path
) -> None:
    line, heard = Line(), []
    opened = open_longleaf(replace(settings, data_dir=tmp_path / "another"), line=line)
    entry = opened.add(texts.lease)
    with line.turn(threading.Event(), lambda ahead: None):  # somebody else's question is being answered
        cancel = threading.Event()

        def on_wait(ahead: int) -> None:
            heard.append(ahead)
            cancel.set()

        assert not any(
            isinstance(event, Answered)
            for event in opened.ask([entry.id], "When does the lease begin?", AskOptions(), cancel, None, on_wait)
        )
    assert heard == [1]
    opened.close()


def test_pictures_of_pages_are_kept_within_one_memory_and_never_anothers(tmp_path: Path) -> None:
    images, made = PageImages(budget_bytes=100), []

    def make(name: str) -> Callable[[], bytes]:
        def made_now() -> bytes:
            made.append(name)
            return name.encode() * 10

        return made_now

    ada, bert = (tmp_path / "ada", "d" * 64, 1, 0, 110), (tmp_path / "bert", "d" * 64, 1, 0, 110)
    assert images.get(ada, make("a")) == images.get(ada, make("a")) == b"a" * 10
    images.get(bert, make("b"))
    assert made == ["a", "b"]  # the same bytes of another person are made anew
    for number in range(20):
        images.get((tmp_path / "ada", "e" * 64, number, 0, 110), make("x"))
    images.get(bert, make("b"))
    assert made.count("b") == 2  # the oldest went
    images.forget(tmp_path / "ada", {"d" * 64, "e" * 64})
    images.get(bert, make("b"))
    assert made.count("b") == 2
