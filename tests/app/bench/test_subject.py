"""The stopwatch around the engine, and what an answer looked at."""

import random
from itertools import islice
from pathlib import Path

from app.bench.corpus import document
from app.bench.subject import Stretch, Subject
from llm.answer import AskOptions, ReadingProgress
from llm.backbone import Backbone
from tests.app.bench.conftest import prose

OPTIONS = AskOptions(max_new_tokens=6)


def test_stretches_touch_where_they_share_a_character() -> None:
    stretch = Stretch(3, 10, 20)
    assert stretch.touches(Stretch(3, 19, 30))
    assert not stretch.touches(Stretch(3, 20, 30))
    assert not stretch.touches(Stretch(3, 0, 10))
    assert not stretch.touches(Stretch(4, 10, 20))


def test_an_answer_comes_with_what_was_shown_and_what_layers_selected(subject: Subject) -> None:
    text = document("a.txt", [prose(random.Random(page), 12) for page in range(9)])
    subject.read(text)
    asked = subject.ask(text, "What is it?", OPTIONS)
    assert asked.first_token_s is not None
    assert asked.first_token_s > 0
    for stretches in (asked.evidence, asked.looked_at):
        assert stretches
        assert all(0 <= one.start < one.end <= len(text.pages[one.page_index].text) for one in stretches)


def test_decoding_goes_on_over_what_was_read(subject: Subject) -> None:
    text = document("a.txt", [prose(random.Random(page), 12) for page in range(9)])
    subject.read(text)
    seconds = list(islice(subject.decoder(text, "What is it?"), 20))
    assert len(seconds) == 20
    assert min(seconds) > 0


def test_reading_is_shown_once(tiny_backbone: Backbone, tmp_path: Path) -> None:
    shown: list[ReadingProgress] = []
    watched = Subject(tiny_backbone, tmp_path, shown.append)
    text = document("a.txt", [prose(random.Random(1), 9)])
    watched.read(text)
    first = len(shown)
    assert shown[-1].done == shown[-1].total
    watched.read(text)
    watched.ask(text, "What is it?", OPTIONS)
    assert len(shown) == first
