"""Answers in doubt: when they are weighed, and what is taken. The model is tiny and random."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from platformdirs import user_cache_path

from ingest.document import Document, Doubt, Glyphs, Kind, Page, Span
from llm import Engine
from llm.answer import Answered, AskOptions
from llm.backbone import Backbone
from llm.close_reading import Excerpt, compose
from llm.cost import Cost
from llm.desk import Desk
from llm.generation import Generated
from llm.patches import token_texts
from llm.prompt import NOT_FOUND, Prompt
from llm.weighing import nearest, stands_in, weighed
from llm.writing import Writer
from vision import Projector, Seen, Vocabulary

SHOWN = "She was ranked eighth\nin Canada, and 95 percent of the votes were hers."


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("eighteenth", False),
        ("45 percent", False),
        ("eight", False),  # part of a word is no word
        ("Eighth in  Canada.", True),
        ("95 percent", True),
        ("", False),
        (NOT_FOUND, False),
    ],
)
def test_what_stands_in_a_text_may_differ_in_case_and_spacing(answer: str, *, expected: bool) -> None:
    assert stands_in(answer, SHOWN) is expected


def again(
    tiny: Backbone,
    free: Generated,
    cancel: threading.Event | None = None,
    question: str = "What was she ranked?",
    shown: str | Seen = SHOWN,
) -> Generated:
    kv = tiny.empty_kv()
    seen = Seen(shown) if isinstance(shown, str) else shown
    *prompt_ids, last = tiny.prompt.prefix + tiny.prompt.encode(seen.text) + tiny.prompt.suffix(question)
    tiny.runner.forward(prompt_ids, kv)
    return weighed(tiny, kv, last, free, question, seen, max_new_tokens=8, cancel=cancel)


def test_a_sure_answer_of_the_text_stays(tiny: Backbone) -> None:
    free = Generated("eighth", logprobs=[-0.1, -0.2])
    assert again(tiny, free) is free


def test_where_a_date_is_asked_for_only_dates_are_weighed(tiny: Backbone) -> None:
    address = Generated("7 Mill Lane", logprobs=[-0.1])
    shown = "7 Mill Lane\n25/12/2018\nThank you"
    assert again(tiny, address, shown=shown) is address
    unlikely = again(tiny, Generated("7 Mill Lane", logprobs=[-60.0]), question="What is the date?", shown=shown)
    assert "25/12" in unlikely.text
    assert again(tiny, address, question="What is the date?", shown="7 Mill Lane").text == "7 Mill Lane"


def test_the_likelier_of_both_is_given(tiny: Backbone) -> None:
    unlikely = again(tiny, Generated("eighteenth", logprobs=[-1e9]))
    assert unlikely.text
    assert unlikely.text in " ".join(SHOWN.split())
    assert unlikely.token_ids
    sure = Generated("eighteenth", logprobs=[0.0])
    assert again(tiny, sure) is sure


def test_an_answer_of_the_text_is_weighed_with_the_others(tiny: Backbone) -> None:
    likely = Generated("eighth", logprobs=[-0.8])  # all that a random model says beside it is far less likely
    assert again(tiny, likely) is likely
    assert again(tiny, Generated("eighth", logprobs=[-60.0])).text != "eighth"


@pytest.mark.parametrize(
    ("answer", "least", "expected"),
    [
        ("Eighth, in  canada", 1.0, "eighth in Canada"),
        ("95 % of the votes", 1.0, None),
        ("ninety", 0.8, None),
        ("95 percemt", 0.8, "95 percent"),
        ("ranked eighth in Canadu and", 0.8, "ranked eighth in Canada, and"),
        ("...", 0.8, None),
        ("", 1.0, None),
    ],
)
def test_the_nearest_words_have_most_letters_of_an_answer(answer: str, least: float, expected: str | None) -> None:
    assert nearest(answer, SHOWN, least) == expected


def test_an_answer_takes_the_spelling_of_the_text_and_of_doubtful_pixels_nearly_the_same_letters(
    tiny: Backbone,
) -> None:
    sure = [-0.1]
    assert again(tiny, Generated("eighth, in Canada", logprobs=sure)).text == "eighth in Canada"
    misread = Generated("eighth in Canadu", logprobs=sure)
    assert again(tiny, misread) is misread
    doubtful = Seen(SHOWN, {0: {"S": -0.4, "5": -1.1}}, None, SHOWN.replace("gh", "gb"))
    best = again(tiny, misread, shown=doubtful)
    assert (best.text, best.as_recognised) == ("eighth in Canada", "eigbth in Canada")
    refusal = Generated(NOT_FOUND, logprobs=sure)
    assert again(tiny, refusal, shown=doubtful) is refusal
    doubted = again(tiny, Generated(NOT_FOUND, logprobs=[-1e9]), shown=doubtful)
    assert doubted.as_recognised == doubtful.as_recognised(doubted.doubted) != ""


def test_a_refusal_in_doubt_stays_and_says_what_it_doubts(tiny: Backbone) -> None:
    doubted = Generated(NOT_FOUND, logprobs=[-1e9])
    assert again(tiny, doubted) is doubted
    assert doubted.doubted
    assert doubted.doubted in " ".join(SHOWN.split())
    sure = Generated(NOT_FOUND, logprobs=[0.0])
    assert again(tiny, sure) is sure
    assert not sure.doubted


def test_what_a_person_stopped_stays(tiny: Backbone) -> None:
    stopped = Generated("eighteenth", logprobs=[-1e9], stopped=True)
    assert again(tiny, stopped) is stopped
    cancel = threading.Event()
    cancel.set()
    unlikely = Generated("eighteenth", logprobs=[-1e9])
    assert again(tiny, unlikely, cancel) is unlikely


def test_the_writer_weighs_what_pixels_read_best(
    tiny: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Backbone, "reads_one_by_one", True)
    uniform = np.zeros(len(tiny.tokenizer))
    projector = Projector(Vocabulary(token_texts(tiny.tokenizer), uniform), sharpness=1.0, prior=0.0)
    seeing = replace(tiny, prompt=Prompt(tiny.tokenizer))
    monkeypatch.setattr(seeing.prompt, "_projector", projector)
    told: list[Seen] = []

    def note(*arguments: object, **_options: object) -> Generated:
        told.extend(argument for argument in arguments if isinstance(argument, Seen))
        return Generated("weighed")

    monkeypatch.setattr("llm.writing.weighed", note)
    for glyphs in (None, Glyphs(doubts=(Doubt(0, (("5", 0.7), ("S", 0.3))),))):
        assert written_and_weighed(seeing, Desk(seeing, tmp_path), glyphs) == "weighed"
    sure, doubtful = told
    (token,) = tiny.tokenizer("5").input_ids
    assert sure.text.strip() == SHOWN
    assert sure.mixture(0, 1, token) is None
    assert doubtful.text.strip() == "5" + SHOWN[1:]
    assert doubtful.mixture(0, 1, token) is not None


def written_and_weighed(tiny: Backbone, desk: Desk, glyphs: Glyphs | None) -> str:
    page = Page(1, SHOWN, spans=(Span(0, len(SHOWN), glyphs=glyphs),))
    document = Document("id", "a.png", Kind.TEXT, pages=(page,))
    close = compose([Excerpt(document, 0, 0, 0, len(SHOWN))], tiny.prompt, 500)
    writer = Writer(tiny, desk, [document], "Who?", AskOptions(max_new_tokens=4), Cost(), threading.Event())
    written = Generated()
    for _ in writer.write(close, None, written):
        pass
    return writer.weighed(close, written).text


def test_the_packaged_model_answers_in_the_words_of_a_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm.weighing._MOST_LOSS", 1e9)
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
            assert not last.answer.found or stands_in(last.answer.answer, text)


def test_words_read_in_doubtful_pixels_are_cited_as_they_were_recognised(tmp_path: Path) -> None:
    text = "In the charge of 1761 Benefield was the complainamt. The universe was filled evenly."
    at = text.index("mt.")
    doubts = (Doubt(at, (("m", 0.6), ("n", 0.4))),)
    page = Page(1, text, spans=(Span(0, len(text), glyphs=Glyphs(doubts=doubts)),))
    document = Document("id-of-scan", "charge.png", Kind.IMAGE, (page,))
    engine = Engine.load(None, state_dir=tmp_path, cache_dir=user_cache_path("longleaf"))
    *_, last = engine.ask([document], "What was Benefield in that charge?", AskOptions())
    assert isinstance(last, Answered)
    assert "complainant" in last.answer.answer
    assert last.answer.citations[0].quote.endswith("the complainamt.")
