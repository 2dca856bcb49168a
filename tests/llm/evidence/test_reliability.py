"""The figure of reliability: what it says of predictions whose worth is known."""

import random
import xml.etree.ElementTree as ElementTree

import pytest

from llm.evidence.reliability import (
    Tenth,
    balanced_accuracy,
    expected_calibration_error,
    figure,
    tenths,
)

SAID = [0.05, 0.07, 0.5, 0.55, 1.0]
HELD = [False, False, True, False, True]


def test_tenths_hold_the_mean_the_share_and_the_number() -> None:
    found = tenths(SAID, HELD)
    assert [(round(tenth.said, 3), tenth.held, tenth.questions) for tenth in found] == [
        (0.06, 0.0, 2),
        (0.525, 0.5, 2),
        (1.0, 1.0, 1),
    ]
    assert expected_calibration_error(found) == pytest.approx((2 * 0.06 + 2 * 0.025 + 0) / 5)


def test_what_happens_as_often_as_it_is_said_has_no_error_and_the_opposite_has_all() -> None:
    chooser = random.Random(0)
    said = [chooser.random() for _ in range(20_000)]
    assert expected_calibration_error(tenths(said, [chooser.random() < value for value in said])) < 0.02
    assert expected_calibration_error(tenths([0.0, 1.0], [True, False])) == 1


def test_balanced_accuracy_counts_both_kinds_alike() -> None:
    assert balanced_accuracy(SAID, HELD, 0.52) == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert balanced_accuracy([0.9, 0.9, 0.9, 0.1], [True, True, True, False], 0.5) == 1


def test_the_interval_is_wilsons() -> None:
    assert Tenth(0.5, 0.5, 100).interval() == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert Tenth(0.0, 0.0, 10).interval() == pytest.approx((0.0, 0.2775), abs=1e-4)


def test_the_figure_is_an_image_with_a_dot_for_each_tenth() -> None:
    drawn = ElementTree.fromstring(figure([("One", tenths(SAID, HELD)), ("Other", tenths(SAID, HELD))]))
    assert len(drawn.findall("{*}circle")) == 6
    texts = [text.text or "" for text in drawn.findall("{*}text")]
    assert "One" in texts
    assert "5 questions, expected calibration error 0.034" in texts
