"""Answers in the words of the document: when they are wanted, and when they are taken. The model is tiny and random."""

from pathlib import Path

import pytest
from platformdirs import user_cache_path

from ingest.document import Document, Kind, Page
from llm import Engine
from llm.answer import Answered, AskOptions
from llm.backbone import Backbone
from llm.copying import copied, is_better, is_to_copy
from llm.generation import Generated
from llm.prompt import NOT_FOUND

SHOWN = "She was ranked eighth\nin Canada, and 95 percent of the votes were hers."


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("eighteenth", True),
        ("45 percent", True),
        ("eight", True),  # part of a word is no word
        ("Eighth in  Canada.", False),
        ("95 percent", False),
        ("", True),
        (NOT_FOUND, True),
    ],
)
def test_only_a_refusal_or_what_does_not_stand_there_is_copied(answer: str, *, expected: bool) -> None:
    assert is_to_copy(answer, SHOWN) is expected


def test_a_copy_is_taken_unless_it_is_far_less_likely_or_refuses() -> None:
    assert is_better("eighth", -8.0, "eighteenth", -3.0)
    assert not is_better("eighth", -12.0, "eighteenth", -3.0)
    assert not is_better(NOT_FOUND, -3.0, "eighteenth", -3.0)
    assert not is_better("", -3.0, "eighteenth", -3.0)
    assert is_better("eighth", -2.5, NOT_FOUND, -1.0)
    assert not is_better("eighth", -4.5, NOT_FOUND, -1.0)


def again(tiny: Backbone, free: Generated) -> Generated:
    kv = tiny.empty_kv()
    *prompt_ids, last = tiny.prompt.prefix + tiny.prompt.encode(SHOWN) + tiny.prompt.suffix("What was she ranked?")
    tiny.runner.forward(prompt_ids, kv)
    return copied(tiny, kv, last, free, SHOWN, max_new_tokens=8)


def test_what_stands_there_stays_and_costs_nothing(tiny: Backbone) -> None:
    free = Generated("eighth", free_logprob=-1e9)
    assert again(tiny, free) is free


def test_the_likelier_of_both_is_given(tiny: Backbone) -> None:
    unlikely = again(tiny, Generated("eighteenth", free_logprob=-1e9))
    assert unlikely.text
    assert unlikely.text in " ".join(SHOWN.split())
    sure = Generated("eighteenth", free_logprob=0.0)
    assert again(tiny, sure) is sure


def test_a_refusal_in_doubt_stays_and_says_what_it_doubts(tiny: Backbone) -> None:
    doubted = Generated(NOT_FOUND, free_logprob=-1e9)
    assert again(tiny, doubted) is doubted
    assert doubted.doubted
    assert doubted.doubted in " ".join(SHOWN.split())
    sure = Generated(NOT_FOUND, free_logprob=0.0)
    assert again(tiny, sure) is sure
    assert not sure.doubted


def test_what_a_person_stopped_stays(tiny: Backbone) -> None:
    stopped = Generated("eighteenth", free_logprob=-1e9, stopped=True)
    assert again(tiny, stopped) is stopped


def test_the_packaged_model_answers_in_the_words_of_a_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm.copying._MOST_LOSS", 1e9)
    engine = Engine.load(None, state_dir=tmp_path, cache_dir=user_cache_path("longleaf"))
    clause = "In the charge of 1761 Benefield was the complainant. The universe was filled evenly."
    filler = [f"{number}. The station of {1900 + number} had sheep and a road." for number in range(1, 90)]
    for text in (clause, "\n\n".join([clause, *filler])):
        document = Document(f"id-of-{len(text)}", "charge.txt", Kind.TEXT, pages=(Page(1, text),))
        for question in (
            "What was Benefield in that charge?",
            "What was filled homogeneously?",
            "When was the charge?",
        ):
            *_, last = engine.ask([document], question, AskOptions())
            assert isinstance(last, Answered)
            assert not last.answer.found or not is_to_copy(last.answer.answer, text)
