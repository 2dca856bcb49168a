"""Finding an answer's words: case, spaces, line breaks, hyphens and number marks do not matter, word borders do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm.evidence.locating import Normal, find, normal_answer

TEXT = "The Inter-\nnational  Co-\nOperation costs $ 1,452.40 (USD), and it’s the eﬃcient kind. 11/02/2019; Größe 9.00"


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("international", ["Inter-\nnational"]),
        ("the co operation", ["Co-\nOperation"]),
        ("$1,452.40.", ["1,452.40"]),
        ("1452.40", ["1,452.40"]),
        ("EFFICIENT", ["eﬃcient"]),
        ("its", ["it’s"]),
        ("11/02/2019", ["11/02/2019"]),
        ("größe", ["Größe"]),
        ("The", ["The", "the"]),
        ("452.40", []),
        ("national", []),
        ("9", []),
        ("", []),
        (" . ", []),
    ],
)
def test_find(answer: str, found: list[str]) -> None:
    assert [TEXT[start:end] for start, end in find(normal_answer(answer), TEXT)] == found


@given(st.text(max_size=200), st.integers(0, 200), st.integers(1, 40))
def test_any_stretch_between_word_borders_is_found(text: str, start: int, length: int) -> None:
    normal = Normal.of(text)
    assert len(normal.sources) >= len(normal.text)
    words = normal.text.split()
    wanted = " ".join(words[start % (len(words) or 1) :][:length])
    for low, high in find(wanted, text):
        assert Normal.of(text[low:high]).text == wanted
    assert not wanted or list(find(wanted, text))
