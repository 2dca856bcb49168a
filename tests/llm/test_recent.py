"""Passages that were read closely are kept in memory for the next question, within bounds, and change no answer."""

from pathlib import Path

import pytest
import torch

from ingest.document import Document, Kind, Page
from llm import Engine
from llm.answer import Answer, Answered, AskOptions
from llm.backbone import Backbone
from llm.recent import RecentReadings
from llm.runtime.working import WorkingKV
from llm.tokens import Tokens
from vision import Mixture

FIRST, SECOND, THIRD = ([*range(start, start + 40)] for start in (5, 50, 100))


def logits(backbone: Backbone, kv: WorkingKV) -> torch.Tensor:
    return backbone.runner.forward([7, 8, 9], kv)


def read(recent: RecentReadings, tokens: object) -> int:
    _, num_read = recent.read(tokens)  # type: ignore[arg-type]
    return num_read


def test_what_is_kept_answers_bit_for_bit_like_what_is_read_and_question_after_question(tiny: Backbone) -> None:
    recent = RecentReadings(tiny)
    fresh, num_fresh = recent.read(FIRST)
    wanted = logits(tiny, fresh)
    assert num_fresh == len(tiny.prompt.prefix) + len(FIRST)
    for _ in range(3):
        kept, num_read = recent.read(FIRST)
        assert num_read == 0
        assert kept.num_tokens == num_fresh
        assert torch.equal(logits(tiny, kept), wanted)
    assert not torch.equal(logits(tiny, recent.read(SECOND)[0]), wanted)


def test_a_passage_is_read_behind_the_prompt(tiny: Backbone) -> None:
    whole = tiny.empty_kv()
    tiny.runner.forward([*tiny.prompt.prefix, *FIRST], whole)
    torch.testing.assert_close(logits(tiny, RecentReadings(tiny).read(FIRST)[0]), logits(tiny, whole))


def test_two_questions_at_once_do_not_see_each_other(tiny: Backbone) -> None:
    recent = RecentReadings(tiny)
    read(recent, FIRST)
    one, other = recent.read(FIRST)[0], recent.read(FIRST)[0]
    tiny.runner.forward([20, 21, 22], one)
    tiny.runner.forward([30], other)
    alone, _ = RecentReadings(tiny).read(FIRST)
    tiny.runner.forward([30], alone)
    assert torch.equal(logits(tiny, other), logits(tiny, alone))


def test_what_was_used_longest_ago_goes_first_and_memory_is_bounded(tiny: Backbone) -> None:
    kv, _ = RecentReadings(tiny).read(FIRST)
    recent = RecentReadings(tiny, budget_bytes=2 * kv.num_bytes)
    read(recent, FIRST)
    read(recent, SECOND)
    assert read(recent, FIRST) == 0  # used again, so that the second goes first
    read(recent, THIRD)
    assert [read(recent, tokens) for tokens in (FIRST, THIRD, SECOND)] == [0, 0, kv.num_tokens]
    small = RecentReadings(tiny, budget_bytes=kv.num_bytes - 1)
    assert [read(small, FIRST), read(small, FIRST)] == [kv.num_tokens] * 2
    recent.clear()
    assert read(recent, FIRST) == kv.num_tokens


def test_what_is_kept_takes_no_more_memory_than_its_tokens(tiny: Backbone) -> None:
    kept, _ = RecentReadings(tiny).read(FIRST)
    rooms = [layer._buffers.keys.shape[1] for layer in kept.compacted().layers]
    assert rooms == [kept.num_tokens] * len(rooms)


def test_pixels_that_may_be_something_else_are_another_passage(tiny: Backbone) -> None:
    recent = RecentReadings(tiny)
    doubtful = Tokens(FIRST, [(3, Mixture((8, 12), (0.6, 0.4)))])
    num_first = read(recent, FIRST)
    assert [read(recent, doubtful), read(recent, doubtful), read(recent, FIRST)] == [num_first, 0, 0]


@pytest.mark.parametrize("most_tokens", [100_000, 100])
def test_a_second_question_about_a_passage_of_a_short_document_reads_itself_alone(
    tiny: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_tokens: int
) -> None:
    monkeypatch.setattr(Backbone, "reads_one_by_one", property(lambda _: True))
    monkeypatch.setattr("llm.writing.Writer._may_copy", lambda *_: False)
    monkeypatch.setattr("llm.asking.is_found", lambda *_, **__: True)
    monkeypatch.setattr("llm.asking.is_refusal", lambda _: False)
    monkeypatch.setattr("llm.desk.MOST_TOKENS", most_tokens)
    text = "The law of Oregon governs it.\n\n" + "\n\n".join(f"Annex {number} is empty." for number in range(400))
    lease = Document("lease", "lease.txt", Kind.TEXT, (Page(1, text),))
    engine = Engine(tiny, tmp_path / "state")

    def ask(question: str) -> Answer:
        *_, last = engine.ask([lease], question, AskOptions(max_new_tokens=4))
        assert isinstance(last, Answered)
        return last.answer

    question = "Which law governs, that of Oregon?"
    first, again = ask(question), ask(question)
    assert again.answer == first.answer
    if most_tokens > len(text):
        assert again.timing.new_tokens == len(tiny.prompt.suffix(question)) < first.timing.new_tokens
    else:
        assert again.timing.new_tokens == first.timing.new_tokens
    engine.forget(["lease"])
    assert ask(question).timing.new_tokens == first.timing.new_tokens
