"""Many libraries over one model: what they hold open is bounded, and what was freed goes back to the system."""

from pathlib import Path

import pytest

from ingest.document import Document, Kind, Page
from ingest.memory import give_back
from llm import Engine
from llm import engine as engines
from llm.answer import Answered, AskOptions
from llm.backbone import Backbone

TEXT = "The lease begins on 1 May 2031.\n\nThe law of Oregon governs this lease.\n"


def test_of_many_libraries_the_last_few_keep_what_they_opened(
    tiny: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trimmed: list[None] = []
    monkeypatch.setattr(engines, "give_back", lambda: trimmed.append(None))
    first = Engine(tiny, tmp_path / "0")
    people = [first, *(first.beside(tmp_path / str(number)) for number in range(1, 6))]
    lease = Document("id-of-lease", "lease.txt", Kind.TEXT, pages=(Page(1, TEXT),))
    answers = []
    for _ in range(2):
        for person in people:
            for _ in person.prepare([lease]):
                pass
            *_, last = person.ask([lease], "Which law governs the lease?", AskOptions(max_new_tokens=2))
            assert isinstance(last, Answered)
            answers.append(last.answer)
    held = [person for person in people if person._desk.readings._open is not None or person._desk._searchers]
    assert held == people[-engines._KEPT_OPEN :]
    assert len(trimmed) >= len(answers)
    assert {answer.timing.new_tokens for answer in answers[6:]} <= {answer.timing.new_tokens for answer in answers[:6]}
    assert all(answer.timing.reused_tokens for answer in answers)  # what was let go of was not read again


def test_giving_back_may_be_called_anywhere_at_any_time() -> None:
    give_back()
    give_back()
