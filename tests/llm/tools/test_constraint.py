"""Turns in which a call may be made: whatever a model would write, a call that is begun becomes a whole one."""

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from transformers import LlamaConfig

from llm.backbone import Backbone
from llm.prompt import Prompt
from llm.tools.constraint import CallConstraint
from llm.tools.forms import CallSyntax
from tests.llm.tools.templates import FAMILIES

Turn = tuple[CallConstraint, Backbone]
MARKED = [name for name in FAMILIES if name not in ("Hermes", "Llama 3.1")]


def turn_of(
    name: str, *more: str, opens_thinking: bool = False, may_call: bool = True, with_blanks: bool = False
) -> Turn:
    """A turn of a model without layers: the test says what it would write. `more`: tokens that it has, too."""
    family = FAMILIES[name]
    tokenizer = family.tokenizer(more, with_blanks=with_blanks)
    stop_ids = frozenset(tokenizer.convert_tokens_to_ids(list(family.stops)))
    prompt = Prompt(tokenizer)
    model = SimpleNamespace(config=LlamaConfig(vocab_size=len(tokenizer)))
    backbone: Any = SimpleNamespace(tokenizer=tokenizer, prompt=prompt, stop_ids=stop_ids, model=model)
    syntax = CallSyntax.of(tokenizer, prompt, stop_ids, "tiny")
    return CallConstraint(
        syntax, cast(Backbone, backbone), opens_thinking=opens_thinking, may_call=may_call
    ), backbone  # fmt: skip


def write(turn: Turn, text: str) -> None:
    """As the tokens that the tokenizer makes of it, its own among them."""
    constraint, backbone = turn
    for token in backbone.tokenizer(text, add_special_tokens=False).input_ids:
        constraint.take(token)


def finish(turn: Turn, seed: int, limit: int = 60) -> None:
    """By random logits, and beyond the limit as an answer that is too long is ended."""
    constraint, backbone = turn
    drawn = torch.Generator().manual_seed(seed)
    for number in range(400):
        if constraint.is_over:
            return
        logits = torch.randn(len(backbone.tokenizer), generator=drawn) * 3  # type: ignore[arg-type]
        token = int((constraint.masked(logits) if number < limit else constraint.ending(logits)).argmax())
        if token in backbone.stop_ids:
            return
        constraint.take(token)
    raise AssertionError("the turn does not end")


def opened(name: str, *, with_blanks: bool = False) -> Turn:
    turn = turn_of(name, with_blanks=with_blanks)
    opening = turn[0]._syntax.opening
    assert opening is not None
    turn[0].take(opening)
    return turn


@pytest.mark.parametrize("with_blanks", [False, True])
@pytest.mark.parametrize("name", MARKED)
def test_any_call_that_is_begun_is_whole_and_fits_its_schema(name: str, with_blanks: bool) -> None:
    tools = set()
    for seed in range(5):
        turn = opened(name, with_blanks=with_blanks)
        finish(turn, seed)
        call = turn[0].call
        assert call is not None
        arguments = json.loads(call.arguments)
        assert {key: type(value) for key, value in arguments.items()} in (
            {"list_documents": [{}], "search": [{"query": str}]}.get(
                call.name, [{"document": str, "page": int}, {"document": str, "page": int, "first_line": int}]
            )
        )
        assert all(arguments.values())
        tools.add(call.name)
    assert len(tools) > 1


@pytest.mark.parametrize("with_blanks", [False, True])
@pytest.mark.parametrize("name", ["Hermes", "Llama 3.1", "Qwen3", "Llama 4", "Mistral"])
def test_a_turn_that_begins_with_a_call_in_plain_text_is_one(name: str, with_blanks: bool) -> None:
    turn = turn_of(name, with_blanks=with_blanks)
    head = turn[0]._syntax.plain_forms[1].opening
    *begun, last = turn[1].tokenizer(f'{head.partition("search")[0]}search"', add_special_tokens=False).input_ids
    for token in begun:
        turn[0].take(token)
    assert turn[0].masked(torch.zeros(500)).isfinite().all()  # it may be anything yet
    turn[0].take(last)
    finish(turn, 1, limit=0)
    call = turn[0].call
    assert call is not None
    assert call.name == "search"


@pytest.mark.parametrize("name", FAMILIES)
def test_text_that_goes_on_otherwise_is_no_call(name: str) -> None:
    for text in ('{"name": "longleaf", "version": 7}', "The annex.", "search"):
        turn = turn_of(name)
        write(turn, text)
        assert turn[0].call is None
        assert turn[0].masked(torch.zeros(400)).isfinite().all()


@pytest.mark.parametrize(("token", "is_call"), [('"]', False), ('", ', True)])
def test_what_a_token_holds_beyond_the_tools_name_must_go_on_as_a_call_does(token: str, is_call: bool) -> None:
    turn = turn_of("Llama 3.1", token)
    write(turn, f'{{"name": "search{token}')
    assert turn[0].masked(torch.zeros(400)).isfinite().all().item() is not is_call
    write(turn, '"')
    assert not turn[0].is_over


@pytest.mark.parametrize("name", ["Hermes", "Llama 3.1"])
def test_a_call_that_is_quoted_within_an_answer_is_none(name: str) -> None:
    turn = turn_of(name)
    quoted = turn[0]._syntax.forms[0]
    write(turn, f"The page says: {quoted.opening}")
    assert turn[0].call is None
    assert not turn[0].is_over


def test_a_call_within_thinking_is_none_and_one_behind_it_is_one() -> None:
    for thought in ("<think>I could <tool_call>", "<think>\n"):
        turn = turn_of("Qwen3")
        write(turn, thought)
        assert turn[0].call is None
        assert turn[0].masked(torch.zeros(400)).isfinite().all()
        write(turn, "</think>\n\n<tool_call>")
        finish(turn, 0)
        assert turn[0].call is not None
    turn = turn_of("DeepSeek-R1", opens_thinking=True)
    write(turn, "Hm.<｜tool▁calls▁begin｜>")
    assert turn[0].masked(torch.zeros(400)).isfinite().all()


def test_in_the_last_turn_no_call_can_be_begun() -> None:
    turn = turn_of("Llama 4", may_call=False)
    opening = turn[0]._syntax.opening
    logits = torch.zeros(400)
    logits[opening] = 9.0
    masked = turn[0].masked(logits)
    assert masked[opening] == -torch.inf
    assert masked.isfinite().sum() == 399


def test_an_answer_that_is_too_long_ends() -> None:
    turn = turn_of("Qwen3")
    write(turn, "The annex is")
    ending = turn[0].ending(torch.randn(400))
    assert {int(at) for at in ending.isfinite().nonzero()} == turn[1].stop_ids
