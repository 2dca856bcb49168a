"""Constrained decoding over a tiny random model: whatever it would say, it says one of the strings."""

import math

import pytest
import torch

from llm.backbone import Backbone
from llm.generation import Generated, generate
from llm.structured.constraint import Constraint

STRINGS = ["8 February 1999", "8 February 2001", 'a "quoted" one\\', "Zürich", "No"]


def write(tiny: Backbone, strings: list[str], seed: int, max_new_tokens: int = 64) -> Generated:
    written = Generated()
    prompt_ids = tiny.prompt.prefix + tiny.prompt.suffix("Why?")
    pieces = generate(
        tiny, tiny.empty_kv(), prompt_ids, written, max_new_tokens=max_new_tokens, temperature=3.0, seed=seed,
        constraint=Constraint(strings, tiny),
    )  # fmt: skip
    assert "".join(pieces) == written.text
    return written


def test_every_draw_is_one_of_the_strings_and_each_is_drawn(tiny: Backbone) -> None:
    written = [write(tiny, STRINGS, seed) for seed in range(30)]
    assert {each.text for each in written} == set(STRINGS)
    for each in written:
        assert -200 < sum(each.logprobs) <= 0


def test_without_a_choice_the_answer_is_certain(tiny: Backbone) -> None:
    only = write(tiny, ["the one"], 0)
    assert only.text == "the one"
    assert math.isclose(sum(only.logprobs), 0.0, abs_tol=1e-6)


def test_a_string_that_begins_another_can_be_chosen(tiny: Backbone) -> None:
    assert {write(tiny, ["No", "Not at all"], seed).text for seed in range(20)} == {"No", "Not at all"}


def test_what_may_not_come_is_barred_and_the_rest_untouched(tiny: Backbone) -> None:
    logits = torch.arange(300.0)[: tiny.model.config.vocab_size]
    masked = Constraint(["ab", "cd"], tiny).masked(logits)
    allowed = [index for index, value in enumerate(masked.tolist()) if value != -math.inf]
    assert sorted(tiny.tokenizer.decode([index]) for index in allowed) == ["a", "c"]
    assert torch.equal(masked[allowed], logits[allowed])


def test_a_constraint_needs_strings(tiny: Backbone) -> None:
    with pytest.raises(AssertionError, match="would allow nothing"):
        Constraint([], tiny)
