"""The rule that chooses what is put before the model, and the attempts that follow from it."""

from collections.abc import Sequence

import pytest

from ingest.document import Document, Kind, Page
from llm.attempts import Way, attempts, excerpts_of, is_refusal, ways_to_answer
from llm.backbone import Backbone
from llm.evidence.passages import Passage
from llm.evidence.ranking import Ranked
from llm.prompt import NOT_FOUND


@pytest.mark.parametrize(
    ("num_tokens", "is_read_whole", "is_one_document", "exact", "ways"),
    [
        (300, True, True, False, (Way.STORED,)),  # a short document answers best over its own KV
        (800, True, True, False, (Way.STORED,)),
        (801, True, True, False, (Way.ONE_BY_ONE, Way.STORED)),
        (300, True, False, False, (Way.ONE_BY_ONE, Way.STORED)),  # several were read apart: passages come first
        (1_000_000, True, True, False, (Way.ONE_BY_ONE, Way.STORED)),
        (1_000_000, False, True, False, (Way.ONE_BY_ONE,)),  # nothing stored to attend to
        (5_000, True, True, True, (Way.STORED,)),
    ],
)
def test_ways_to_answer(
    num_tokens: int, is_read_whole: bool, is_one_document: bool, exact: bool, ways: tuple[Way, ...]
) -> None:
    found = {
        one_by_one: ways_to_answer(
            num_tokens, is_read_whole=is_read_whole, is_one_document=is_one_document, exact=exact, one_by_one=one_by_one
        )
        for one_by_one in (True, False)
    }
    assert found[True] == ways
    assert found[False] == tuple(Way.TOGETHER if way is Way.ONE_BY_ONE else way for way in ways)


def ranked_pages(texts: Sequence[str]) -> tuple[list[Ranked], Document]:
    document = Document("d", "a.txt", Kind.TEXT, pages=tuple(Page(n, text) for n, text in enumerate(texts, 1)))
    ranked = [
        Ranked(Passage(at, 0, len(text), "", ((0, len(text)),)), document, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, (), {}, 1)
        for at, text in enumerate(texts)
    ]
    return ranked, document


def test_passages_are_shown_one_by_one_or_together(tiny: Backbone) -> None:
    ranked, document = ranked_pages([f"Box number {n}." for n in range(8)])
    excerpts = excerpts_of(ranked, [document])
    alone = list(attempts((Way.ONE_BY_ONE, Way.STORED), ranked, excerpts, tiny.prompt, 2_000))
    assert [attempt.place for attempt in alone] == [0, 1, 2, 3, 4, 5, 0]
    assert [attempt.rests_on for attempt in alone[:2]] == [(ranked[0],), (ranked[1],)]
    assert all(attempt.close and attempt.close.shown == (excerpts[at],) for at, attempt in enumerate(alone[:6]))
    assert alone[6].close is None
    (together,) = attempts((Way.TOGETHER,), ranked, excerpts, tiny.prompt, 2_000)
    assert together.close is not None
    assert together.close.shown == tuple(excerpts)
    assert together.rests_on == tuple(ranked)


def test_what_counts_as_a_refusal() -> None:
    assert is_refusal(NOT_FOUND)
    assert is_refusal(" \n")
    assert not is_refusal("Not found guilty")
