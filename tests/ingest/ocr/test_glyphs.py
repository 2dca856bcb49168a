"""Glyphs: probabilities of patches to a line's text, its doubts, and where its characters stand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.document import Box, Glyphs, Page, Span
from ingest.glyphs import Decoder

CHARACTERS = ["blank", "a", "b", "，", ",", " "]
NONE, A, B, WIDE_COMMA, COMMA, SPACE = range(6)


def patches(*seen: dict[int, float]) -> NDArray[np.float32]:
    """(T, C): the rest of each patch's probability is for none."""
    found = np.zeros((len(seen), len(CHARACTERS)), np.float32)
    for row, probabilities in zip(found, seen, strict=True):
        for index, probability in probabilities.items():
            row[index] = probability
        row[NONE] += 1 - row.sum()
    return found


@pytest.fixture
def decoder() -> Decoder:
    return Decoder(CHARACTERS)


def test_runs_of_patches_are_glyphs_and_none_parts_equal_ones(decoder: Decoder) -> None:
    reading = decoder.read(patches({A: 0.99}, {A: 0.99}, {}, {A: 0.99}, {B: 0.99}), 1.0)
    assert reading.text == "aab"
    assert reading.doubts == ()
    assert reading.centres == (0.2, 0.7, 0.9)
    assert reading.confidence == pytest.approx(0.99)


def test_what_else_a_glyph_may_be_is_told_by_its_clearest_patch(decoder: Decoder) -> None:
    reading = decoder.read(patches({A: 0.5, B: 0.4}, {A: 0.8, B: 0.15}, {}), 1.0)
    ((at, readings),) = reading.doubts
    assert at == 0
    assert dict(readings) == pytest.approx({"a": 0.8, "b": 0.15}, abs=1e-3)


def test_forms_of_one_character_are_one_reading(decoder: Decoder) -> None:
    reading = decoder.read(patches({A: 0.99}, {COMMA: 0.5, WIDE_COMMA: 0.3, B: 0.1}), 1.0)
    assert dict(reading.doubts[0].readings) == pytest.approx({",": 0.8, "b": 0.1}, abs=1e-3)


def test_blanks_are_single_and_never_outside(decoder: Decoder) -> None:
    blank = {SPACE: 0.9, B: 0.05}
    reading = decoder.read(patches(blank, {A: 0.99}, blank, {}, blank, {B: 0.99}, blank), 1.0)
    assert reading.text == "a b"
    assert len(reading.centres) == 3
    assert [doubt.at for doubt in reading.doubts] == [1]


def test_padding_moves_no_character(decoder: Decoder) -> None:
    reading = decoder.read(patches({}, {A: 0.99}, {}, {}), 0.5)
    assert reading.centres == (0.75,)


def test_a_citation_boxes_the_characters_it_quotes() -> None:
    span = Span(0, 4, Box(10, 0, 50, 8), glyphs=Glyphs(centres=(15.0, 25.0, 35.0, 45.0)))
    page = Page(1, "abcd", (span,), width_pt=100, height_pt=100)
    assert page.place(0, 4).box == Box(10, 0, 50, 8)
    assert page.place(1, 3).box == Box(20, 0, 40, 8)
    assert page.place(3, 4).box == Box(40, 0, 50, 8)


def test_characters_out_of_order_give_the_whole_line() -> None:
    span = Span(0, 3, Box(10, 0, 50, 8), glyphs=Glyphs(centres=(45.0, 25.0, 15.0)))
    assert span.box_of(1, 2) == span.box
