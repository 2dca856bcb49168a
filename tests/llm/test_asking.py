"""The rule that chooses how an answer comes about."""

import pytest

from llm.asking import Way, ways_to_answer


@pytest.mark.parametrize(
    ("num_tokens", "is_read_whole", "is_one_document", "exact", "ways"),
    [
        (300, True, True, False, (Way.STORED,)),  # a short document answers best over its own KV
        (800, True, True, False, (Way.STORED,)),
        (801, True, True, False, (Way.CLOSE, Way.STORED)),
        (300, True, False, False, (Way.CLOSE, Way.STORED)),  # several were read apart: they are put side by side first
        (1_000_000, True, True, False, (Way.CLOSE, Way.STORED)),
        (1_000_000, False, True, False, (Way.CLOSE,)),  # nothing stored to attend to
        (5_000, True, True, True, (Way.STORED,)),
    ],
)
def test_ways_to_answer(
    num_tokens: int, is_read_whole: bool, is_one_document: bool, exact: bool, ways: tuple[Way, ...]
) -> None:
    chosen = ways_to_answer(num_tokens, is_read_whole=is_read_whole, is_one_document=is_one_document, exact=exact)
    assert chosen == ways
