"""Thinking is told apart whatever the pieces are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm.thinking import ThinkingSplitter, Thought


def split(pieces: list[str], *, is_open: bool = False) -> tuple[str, str]:
    splitter = ThinkingSplitter(is_open=is_open)
    found = [item for piece in pieces for item in splitter.take(piece)] + list(splitter.end())
    thoughts = "".join(item.text for item in found if isinstance(item, Thought))
    return thoughts, "".join(item for item in found if isinstance(item, str))


@pytest.mark.parametrize(
    ("text", "thought", "answer"),
    [
        ("Ireland", "", "Ireland"),
        ("<think>a < b</think>\n\nIreland", "a < b", "Ireland"),
        ("\n <think>so</think>x <think>y</think>", "so", "x <think>y</think>"),
        ("<think>never closed", "never closed", ""),
        ("<thin", "", "<thin"),
        ("<thinker>", "", "<thinker>"),
    ],
)
@given(data=st.data())
def test_any_pieces_give_the_same(text: str, thought: str, answer: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    thoughts, answered = split(pieces)
    assert (thoughts, answered.lstrip("\n")) == (thought, answer)


def test_a_prompt_may_have_opened_the_thinking() -> None:
    assert split(["so", "</think>Ireland"], is_open=True) == ("so", "Ireland")
