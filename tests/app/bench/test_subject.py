"""The stopwatch around the engine, and what an answer looked at."""

import random
from pathlib import Path

from app.bench.corpus import document
from app.bench.subject import Stretch, Subject, looked_at
from llm.answer import Answer, AskOptions, Coverage, Look, ModelName, ReadingProgress, Timing
from llm.backbone import Backbone
from tests.app.bench.conftest import prose

OPTIONS = AskOptions(max_new_tokens=6)


def test_stretches_touch_where_they_share_a_character() -> None:
    stretch = Stretch(3, 10, 20)
    assert stretch.touches(Stretch(3, 19, 30))
    assert not stretch.touches(Stretch(3, 20, 30))
    assert not stretch.touches(Stretch(3, 0, 10))
    assert not stretch.touches(Stretch(4, 10, 20))


def test_what_the_layers_selected_is_what_was_looked_at() -> None:
    look = Look("a.txt", "id", 2, 5, 9, 0.5, (0, 1))
    answer = Answer(
        "q", "a", True, (), Coverage(1, 1, 1, 1, 1), Timing(0, 0, 0, 0, 0, 0, 0), ModelName("m", "r"), looked_at=(look,)
    )
    assert looked_at(answer) == (Stretch(2, 5, 9),)


def test_pieces_of_an_answer_are_timed_within_its_whole(subject: Subject) -> None:
    asked = subject.ask(document("a.txt", [prose(random.Random(1), 9)]), "What is it?", OPTIONS)
    assert asked.first_token_s is not None
    assert 0 < asked.first_token_s < asked.total_s
    assert 0 < len(asked.token_s) < 6
    assert asked.first_token_s + sum(asked.token_s) <= asked.total_s
    assert asked.evidence


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
