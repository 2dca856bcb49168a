"""Questions go on by themselves: they are followed, stopped, and fail with a sentence."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from app.errors import BadRequest
from app.service import Longleaf
from app.web.asking import FAULT, Progress, Questions
from llm.answer import AskOptions, EvidenceFound, TextDelta
from llm.errors import ContextOverflow


def last(questions: Questions, run_id: str) -> Progress:
    return list(questions.follow(run_id))[-1]


def test_a_question_is_answered_and_kept_without_anybody_watching(longleaf: Longleaf, texts: SimpleNamespace) -> None:
    entry = longleaf.add(texts.lease)
    questions = Questions(longleaf)
    run_id = questions.start([entry.id], " When does the lease begin? ")
    progress = last(questions, run_id)
    assert progress.answer is not None
    assert progress.answer.found
    assert progress.text.strip() == "The lease begins in March."
    assert [answer.question for answer in longleaf.answers([entry.id])] == ["When does the lease begin?"]


def test_nothing_to_ask_or_nobody_to_ask_is_refused(longleaf: Longleaf) -> None:
    questions = Questions(longleaf)
    with pytest.raises(BadRequest, match="the question is empty; write one"):
        questions.start(["a"], "  ")
    with pytest.raises(BadRequest, match="no document is chosen; tick at least one"):
        questions.start([], "What?")


def test_stopping_before_an_answer_says_so(longleaf: Longleaf, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(ids: Any, question: str, options: AskOptions, cancel: Any, conversation: str, on_wait: Any) -> Any:
        yield EvidenceFound(())
        assert cancel.wait(10)

    monkeypatch.setattr(longleaf, "ask", ask)
    questions = Questions(longleaf)
    run_id = questions.start(["a"], "What?")
    questions.stop(run_id)
    questions.stop(None)
    questions.stop("unknown")
    assert last(questions, run_id).error == "Stopped before an answer came. What was read so far is kept."


def test_that_it_is_stopping_is_said_at_once_and_not_lost_to_what_still_comes(
    longleaf: Longleaf, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def ask(ids: Any, question: str, options: AskOptions, cancel: Any, conversation: str, on_wait: Any) -> Any:
        yield TextDelta("It ")
        assert go_on.wait(10)  # a pass over a long reading, which nothing interrupts
        yield TextDelta("is")

    monkeypatch.setattr(longleaf, "ask", ask)
    questions = Questions(longleaf)
    run_id = questions.start(["a"], "What?")
    followed = questions.follow(run_id)
    while next(followed).text != "It ":
        pass
    questions.stop(run_id)
    assert next(followed).stopping
    go_on.set()
    *_, ended = followed
    assert (ended.text, ended.stopping, ended.over) == ("It is", False, True)
    questions.stop(run_id)
    progress = questions.progress(run_id)
    assert progress is not None
    assert not progress.stopping  # it is over


@pytest.mark.parametrize(
    ("error", "sentence"),
    [(ContextOverflow("the question is too long"), "the question is too long"), (KeyError("x"), FAULT)],
)
def test_a_failure_is_one_sentence_and_what_was_said_stays(
    longleaf: Longleaf, monkeypatch: pytest.MonkeyPatch, error: Exception, sentence: str
) -> None:
    def ask(*_: Any) -> Any:
        yield TextDelta("It is ")
        raise error

    monkeypatch.setattr(longleaf, "ask", ask)
    questions = Questions(longleaf)
    progress = last(questions, questions.start(["a"], "What?"))
    assert (progress.error, progress.text, progress.over) == (sentence, "It is ", True)
