"""The line of questions: first come, first served."""

import threading

from app.service.line import Line


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
