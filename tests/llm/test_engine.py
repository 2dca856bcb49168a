"""The engine end to end on a tiny random model: what is read, reused, cited, covered, refused and forgotten.

The answers are noise; what is tested is everything around them. Real answers are measured in tests/bench.
"""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ingest.document import Document, Kind, Page, Problem, Severity
from llm import Engine
from llm.answer import Answer, Answered, AskOptions, EvidenceFound, ReadingProgress, TextDelta
from llm.asking import NOTHING_FOUND
from llm.backbone import Backbone
from llm.errors import BadQuestion, ContextOverflow
from llm.runtime.rotation import HalfRotation

LEASE = (
    "The lease begins on 1 May 2031.\n\n"
    "The tenant pays a rent of 1,250 dollars on the third working day of each month.\n\n"
    "The law of Oregon governs this lease.\n"
)
OPTIONS = AskOptions(max_new_tokens=8)


def document(text: str, name: str = "lease.txt", problems: tuple[Problem, ...] = ()) -> Document:
    return Document(f"id-of-{name}", name, Kind.TEXT, pages=(Page(1, text),), problems=problems)


@pytest.fixture
def engine(tiny: Backbone, tmp_path: Path) -> Engine:
    return Engine(tiny, tmp_path / "state")


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every answer counts as found: a random model's words would never pass the calibrated threshold."""
    monkeypatch.setattr("llm.asking.is_found", lambda probability, **_: True)


def ask(engine: Engine, documents: list[Document], question: str = "Which law governs the lease?") -> Answer:
    return answered(engine.ask(documents, question, OPTIONS))


def answered(events: Iterator[object]) -> Answer:
    *before, last = events
    assert isinstance(last, Answered)
    assert not any(isinstance(event, Answered) for event in before)
    return last.answer


def test_events_come_in_the_promised_order(engine: Engine) -> None:
    kinds = [type(event) for event in engine.ask([document(LEASE)], "Which law governs the lease?", OPTIONS)]
    order = [ReadingProgress, EvidenceFound, TextDelta, Answered]
    assert kinds == sorted(kinds, key=order.index)
    assert kinds.count(EvidenceFound) == kinds.count(Answered) == 1


def test_the_cited_sentence_stands_in_the_document_at_its_lines(engine: Engine, trusting: None) -> None:
    lease = document(LEASE)
    best = ask(engine, [lease]).citations[0]
    assert best.quote == "The law of Oregon governs this lease."
    assert (best.verified, best.page, best.lines, best.source) == (True, None, (5, 5), "lease.txt")
    assert lease.pages[0].text[best.start : best.end] == best.quote


@pytest.mark.parametrize("is_packaged", [True, False])
def test_only_the_packaged_model_must_say_what_kind_was_asked_for(
    engine: Engine, trusting: None, monkeypatch: pytest.MonkeyPatch, is_packaged: bool
) -> None:
    """Others write numbers in other languages, too, and sentences that say why there is none."""
    monkeypatch.setattr(Backbone, "reads_one_by_one", property(lambda _: is_packaged))
    monkeypatch.setattr("llm.asking.is_refusal", lambda text: False)
    monkeypatch.setattr("llm.asking.is_of_another_kind", lambda question, answer: True)
    assert ask(engine, [document(LEASE)]).found is not is_packaged


def test_a_second_question_and_a_new_process_read_nothing_again(engine: Engine, tiny: Backbone, tmp_path: Path) -> None:
    first = ask(engine, [document(LEASE)]).timing
    second = ask(engine, [document(LEASE)], "What is the rent?").timing
    reopened = ask(Engine(tiny, tmp_path / "state"), [document(LEASE)]).timing
    assert first.reused_tokens == 0
    assert (
        second.reused_tokens
        == reopened.reused_tokens
        == first.new_tokens - len(tiny.prompt.suffix("Which law governs the lease?"))
    )
    assert reopened.new_tokens == len(tiny.prompt.suffix("Which law governs the lease?"))


def test_the_same_question_gives_the_same_words_after_another(engine: Engine, trusting: None) -> None:
    first = ask(engine, [document(LEASE)]).answer
    ask(engine, [document(LEASE)], "What is the rent?")
    assert ask(engine, [document(LEASE)]).answer == first


def test_a_longer_document_is_read_closely_and_asked_whole_only_where_passages_give_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    longer = document(
        LEASE + "\n\n".join(f"Annex {number} of this lease is empty and has no rent." for number in range(20))
    )
    assert engine.coverage([longer]).tokens_read > 800
    monkeypatch.setattr("llm.asking.is_found", lambda probability, **_: True)
    from_passages = ask(engine, [longer])
    monkeypatch.setattr("llm.asking.is_found", lambda probability, **_: False)
    from_nothing = ask(engine, [longer])
    assert (
        from_passages.coverage.tokens_read
        == from_nothing.coverage.tokens_read
        == engine.coverage([longer]).tokens_total
    )
    reused, over_kv = from_nothing.timing.reused_tokens, 1  # the question's last token, in the second way only
    assert reused == from_passages.timing.new_tokens - (from_nothing.timing.new_tokens - over_kv) > 800


LONG = document(LEASE + "\n".join(f"Annex {number} is empty." for number in range(200)))


def test_a_document_beyond_the_context_is_said_not_to_be_read_whole_until_it_is(engine: Engine) -> None:
    before = ask(engine, [LONG])
    assert before.coverage.tokens_read < before.coverage.tokens_total
    assert "more than the 1,408 that this model can look at in one piece" in before.coverage.left_out[0].reason
    assert not engine.is_read([LONG])
    last = list(engine.read([LONG]))[-1]
    assert isinstance(last, ReadingProgress)
    assert last.done == last.total > 4000
    after = ask(engine, [LONG])
    assert engine.is_read([LONG])
    assert (after.coverage.tokens_read, after.coverage.left_out) == (after.coverage.tokens_total, ())
    assert after.timing.reused_tokens == last.total


def test_a_question_is_answered_while_another_document_is_being_read(engine: Engine) -> None:
    lease = document(LEASE)
    list(engine.prepare([lease]))
    reading = engine.read([LONG])
    next(reading)
    next(reading)
    assert engine.is_ready([lease])
    assert not engine.is_read([LONG])
    assert ask(engine, [lease]).timing.reused_tokens > 0
    assert list(reading)
    assert engine.is_read([LONG])


def test_a_fresh_document_is_prepared_between_the_steps_of_a_long_reading(engine: Engine) -> None:
    reading = engine.read([LONG])
    while next(reading).stage != "read":
        pass
    preparing = engine.prepare([document(LEASE)])
    next(preparing)
    waiting = threading.Thread(target=next, args=[reading])
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive()
    list(preparing)
    assert engine.is_ready([document(LEASE)])
    waiting.join(20)
    assert not waiting.is_alive()
    assert 0 < engine.tokens_read([LONG]) < engine.coverage([LONG]).tokens_total


def test_a_document_asked_about_while_it_is_read_is_seen_whole_afterwards(engine: Engine) -> None:
    reading = engine.read([LONG])
    while next(reading).stage != "read":
        pass
    ask(engine, [document(LEASE)])  # the desk lays out other streams
    assert ask(engine, [LONG]).coverage.tokens_read < ask(engine, [LONG]).coverage.tokens_total
    list(reading)
    assert engine.is_read([LONG])
    assert engine.tokens_read([LONG]) == engine.coverage([LONG]).tokens_total


def test_no_position_leaves_the_trained_context(
    engine: Engine, tiny: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    highest = 0
    rotate = HalfRotation.rotate

    def watched(self: HalfRotation, states: torch.Tensor, start: int) -> torch.Tensor:
        nonlocal highest
        highest = max(highest, start + states.shape[-2])
        return rotate(self, states, start)

    monkeypatch.setattr(HalfRotation, "rotate", watched)
    list(engine.read([LONG]))
    ask(engine, [LONG])
    assert 1000 < highest <= tiny.context_tokens


def test_layers_look_at_places_of_the_document(engine: Engine) -> None:
    list(engine.read([LONG]))
    looked_at = ask(engine, [LONG]).looked_at
    assert {look.document for look in looked_at} == {LONG.id}
    assert any("Oregon" in LONG.pages[0].text[look.start : look.end] for look in looked_at)
    assert all(0 <= look.share <= 1 and set(look.layers) <= {0, 1} for look in looked_at)


def test_several_documents_are_read_one_by_one_and_a_changed_one_alone_is_read_again(engine: Engine) -> None:
    first, second = document(LEASE, "first.txt"), document(LEASE.replace("Oregon", "Utah"), "second.txt")
    ask(engine, [first, second])
    changed = document(LEASE.replace("Oregon", "Texas"), "third.txt")
    timing = ask(engine, [first, changed]).timing
    assert timing.reused_tokens >= len(engine._backbone.prompt.encode(LEASE))
    alone = list(engine.read([first, changed]))
    assert alone[-1].reused == alone[-1].total


def test_a_damaged_snapshot_never_answers_and_is_read_anew(engine: Engine, tmp_path: Path, trusting: None) -> None:
    expected = ask(engine, [document(LEASE)]).answer
    data = max((tmp_path / "state" / "kv").rglob("*"), key=lambda path: path.stat().st_size)
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(content)
    reopened = Engine(engine._backbone, tmp_path / "state")
    list(reopened.ask([document(LEASE)], "Which law governs the lease?", OPTIONS))
    again = ask(reopened, [document(LEASE)])
    assert again.answer == expected
    assert not again.coverage.left_out


def test_exact_reads_whole_or_says_that_it_cannot(engine: Engine) -> None:
    assert (
        answered(engine.ask([document(LEASE)], "Who?", AskOptions(max_new_tokens=8, exact=True))).coverage.left_out
        == ()
    )
    with pytest.raises(ContextOverflow, match=r"an exact answer was asked for, but .* leave --exact out"):
        list(engine.ask([document(LEASE * 20)], "Who?", AskOptions(max_new_tokens=8, exact=True)))


def test_problems_of_the_documents_are_named_in_the_coverage(engine: Engine) -> None:
    scan = Problem("lease.txt", 3, "page not read", "it holds no readable text")
    secret = Problem("lease.txt", None, "likely secret", "line 2", Severity.NOTICE)
    left_out = ask(engine, [document(LEASE, problems=(scan, secret))]).coverage.left_out
    assert [(item.page, item.reason) for item in left_out] == [(3, "page not read: it holds no readable text")]


def test_an_unlikely_answer_is_withheld_in_plain_words(engine: Engine) -> None:
    answer = ask(engine, [document(LEASE)], "How many moons does the planet Jupiter have?")
    assert (answer.found, answer.answer, answer.citations) == (False, NOTHING_FOUND, ())


def test_a_stopped_answer_keeps_what_had_come(engine: Engine) -> None:
    stop = threading.Event()
    events = engine.ask([document(LEASE)], "Which law?", AskOptions(max_new_tokens=500), stop)
    for event in events:
        if isinstance(event, TextDelta):
            stop.set()
            break
    answer = answered(events)
    assert answer.stopped
    assert 0 < len(answer.answer) < 20


def test_a_reading_stopped_before_it_begins_answers_that_it_was_stopped(engine: Engine) -> None:
    stop = threading.Event()
    stop.set()
    answer = answered(engine.ask([document(LEASE)], "Which law?", OPTIONS, stop))
    assert (answer.stopped, answer.found, answer.coverage.tokens_read) == (True, False, 0)


def test_forgetting_leaves_no_file_of_the_document(engine: Engine, tmp_path: Path) -> None:
    lease = document(LEASE)
    list(engine.read([lease]))
    assert engine.is_read([lease])
    stored = engine.stored_bytes(lease.id)
    assert engine.forget([lease.id]) == stored > 0
    assert not engine.is_read([lease])
    left = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert [path.name for path in left if path.stat().st_size] == []


@pytest.mark.parametrize(
    ("question", "documents", "sentence"),
    [("  ", [document(LEASE)], "the question is empty"), ("Which law?", [], "no document was given")],
)
def test_what_cannot_be_asked_is_one_sentence(
    engine: Engine, question: str, documents: list[Document], sentence: str
) -> None:
    with pytest.raises(BadQuestion, match=sentence):
        list(engine.ask(documents, question))


def test_a_question_too_long_for_the_context_is_refused(engine: Engine) -> None:
    with pytest.raises(ContextOverflow, match="shorten it, or lower --max-new-tokens"):
        list(engine.ask([document(LEASE)], "why " * 400, OPTIONS))
