"""Where the best passage is far ahead it is read before the question looks over the stored KV; else after it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.document import Document, Kind, Page
from llm import Engine
from llm.answer import Answer, Answered, AskOptions
from llm.backbone import Backbone
from llm.close_reading import CloseReading
from llm.looking import Looked, look
from llm.writing import Writer

ANNEXES = "\n\n".join(
    f"Annex {number} of this lease is empty and has no rent. Nobody signed it." for number in range(60)
)
LEASE = Document("lease", "lease.txt", Kind.TEXT, (Page(1, f"The law of Oregon governs it.\n\n{ANNEXES}"),))
CLEAR, UNCLEAR = "Which law governs, that of Oregon?", "Is an annex of this lease empty?"


@pytest.fixture
def engine(tiny: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """It reads passages one by one, and has read the lease."""
    monkeypatch.setattr(Backbone, "reads_one_by_one", property(lambda _: True))
    monkeypatch.setattr("llm.asking.is_refusal", lambda text: False)
    monkeypatch.setattr("llm.writing.Writer._may_copy", lambda *_: False)
    engine = Engine(tiny, tmp_path / "state")
    assert list(engine.read([LEASE]))
    return engine


class Steps:
    """What a question did, in order: "look" and "write", and the tokens of each passage that was written after."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, accepted: int) -> None:
        """`accepted`: the attempt whose answer is taken for supported."""
        self.taken: list[str] = []
        self.shown: list[tuple[int, ...]] = []

        def looking(*given: Any) -> Looked:
            self.taken.append("look")
            return look(*given)

        def writing(writer: Writer, close: CloseReading | None, *given: Any) -> Iterator[Any]:
            self.taken.append("write")
            self.shown.append(tuple(close.token_ids) if close else ())
            return write(writer, close, *given)

        monkeypatch.setattr("llm.asking.look", looking)
        write = Writer.write
        monkeypatch.setattr(Writer, "write", writing)
        monkeypatch.setattr("llm.asking.is_found", lambda *_, **__: len(self.shown) == accepted)


def ask(engine: Engine, question: str) -> Answer:
    *_, last = engine.ask([LEASE], question, AskOptions(max_new_tokens=4))
    assert isinstance(last, Answered)
    return last.answer


def test_a_clear_first_passage_is_read_before_the_look(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(monkeypatch, accepted=1)
    answer = ask(engine, CLEAR)
    assert steps.taken == ["write", "look"]
    assert answer.looked_at
    assert answer.coverage.tokens_read == answer.coverage.tokens_total


def test_an_unclear_first_passage_waits_for_the_look(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(monkeypatch, accepted=1)
    ask(engine, UNCLEAR)
    assert steps.taken == ["look", "write"]


def test_what_was_read_before_the_look_is_not_read_again(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(monkeypatch, accepted=99)
    assert not ask(engine, CLEAR).found
    assert steps.taken[:3] == ["write", "look", "write"]
    assert steps.taken.count("look") == 1
    assert len(set(steps.shown)) == len(steps.shown) >= 3
