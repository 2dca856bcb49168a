"""Real text by tokens: nothing lost, nothing twice, exactly as long as asked for."""

from pathlib import Path

import pytest

from app.bench.corpus import (
    PAGE_CHARS,
    check_data,
    contexts,
    count_repeated_blocks,
    document,
    page_tokens,
    pages_of,
    real_texts,
    take,
)  # fmt: skip
from app.errors import BadRequest
from tests.app.bench.conftest import texts_of


def count_words(text: str) -> int:
    return len(text.split())


def test_pages_hold_every_word_once_and_end_where_a_sentence_ends(data: Path) -> None:
    texts = list(real_texts(data))
    pages = list(pages_of(texts))
    assert texts_of(pages) == texts_of(texts)
    assert max(map(len, pages)) <= PAGE_CHARS
    assert all(page.endswith(".") for page in pages)


def test_a_text_without_spaces_is_cut_all_the_same() -> None:
    assert list(pages_of(["x" * (2 * PAGE_CHARS + 1)])) == ["x" * PAGE_CHARS, "x" * PAGE_CHARS, "x"]


@pytest.mark.parametrize("num_tokens", [5, 100, 777, 2000])
def test_so_many_tokens_are_taken_and_a_smaller_document_begins_a_larger_one(data: Path, num_tokens: int) -> None:
    pages = list(pages_of(real_texts(data)))
    taken = take(pages, "a.txt", num_tokens, count_words)
    costs = [page_tokens("a.txt", page_no, page, count_words) for page_no, page in enumerate(taken, 1)]
    assert sum(costs) == num_tokens
    assert taken[:-1] == pages[: len(taken) - 1]
    assert pages[len(taken) - 1].startswith(taken[-1])


def test_texts_that_are_too_short_are_refused_with_both_numbers() -> None:
    with pytest.raises(BadRequest, match="the texts have 5 tokens, and 9 were asked for; choose a smaller size"):
        take(["one two"], "a.txt", 9, count_words)


def test_a_document_is_named_by_its_text() -> None:
    first, same, other = document("a", ["x", "y"]), document("a", ["x", "y"]), document("a", ["xy"])
    assert first == same
    assert first.id != other.id
    assert [page.page_no for page in first.pages] == [1, 2]


def test_a_repeated_block_is_counted() -> None:
    unlike, same = list(range(64)), [7] * 64
    assert count_repeated_blocks([*unlike, *same]) == 0
    assert count_repeated_blocks([*same, *unlike, *same, *same, 7]) == 2


def test_a_context_that_stands_in_two_sets_is_one_with_the_questions_of_both(data: Path) -> None:
    passages = contexts(data)
    assert len({passage.context for passage in passages}) == len(passages) == 120


def test_what_a_data_folder_lacks_is_named(data: Path, tmp_path: Path) -> None:
    check_data(data, texts=True)
    with pytest.raises(BadRequest, match=r"has no qa/squadshifts-new_wiki\.jsonl\.gz and 4 more; name with --data a"):
        check_data(tmp_path, texts=True)
