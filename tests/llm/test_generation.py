"""Decoding: greedy and seeded, stopped by a limit, a person or a text; the stream is the text."""

import threading
from pathlib import Path

import pytest
import torch

from llm.backbone import Backbone, load_backbone
from llm.generation import Generated, choose_token, generate
from llm.thinking import Thought
from tests.llm.conftest import TEMPLATE, write_tiny_checkpoint


def write(tiny: Backbone, *, max_new_tokens: int = 24, **options: object) -> tuple[Generated, list[Thought | str]]:
    written = Generated()
    prompt_ids = tiny.prompt.prefix + tiny.prompt.suffix("Why?")
    pieces = generate(
        tiny, tiny.empty_kv(), prompt_ids, written, max_new_tokens=max_new_tokens, **options  # type: ignore[arg-type]
    )  # fmt: skip
    return written, list(pieces)


def test_the_pieces_are_the_text_and_the_greedy_choice_is_the_likeliest(tiny: Backbone) -> None:
    written, pieces = write(tiny)
    assert "".join(map(str, pieces)) == written.text
    assert len(written.token_ids) <= 24
    ids = torch.tensor([tiny.prompt.prefix + tiny.prompt.suffix("Why?") + written.token_ids])
    with torch.inference_mode():
        likeliest = tiny.model(input_ids=ids).logits[0].argmax(-1)
    first = ids.shape[1] - len(written.token_ids) - 1
    assert likeliest[first:-1].tolist() == written.token_ids


def test_the_same_seed_gives_the_same_text_and_another_seed_another(tiny: Backbone) -> None:
    first, again, other = (write(tiny, temperature=1.5, seed=seed)[0].token_ids for seed in (7, 7, 8))
    assert first == again != other


def test_a_stop_text_ends_the_answer_and_is_no_part_of_it(tiny: Backbone) -> None:
    whole, _ = write(tiny)
    stop = whole.text[5:8]
    cut, pieces = write(tiny, stop_text=stop)
    assert cut.text == whole.text[: whole.text.index(stop)]
    assert stop not in "".join(map(str, pieces))


def test_what_a_template_opened_as_thinking_is_no_answer(tmp_path: Path) -> None:
    folder = write_tiny_checkpoint(tmp_path / "thinking")
    (folder / "chat_template.jinja").write_text(TEMPLATE + "<think>\n", encoding="utf-8")
    reasoning = load_backbone(str(folder), cache_dir=tmp_path, dtype="float32", threads=1)
    assert reasoning.prompt.opens_thinking
    written, pieces = write(reasoning)
    assert written.text == ""
    assert written.thinking == "".join(piece.text for piece in pieces if isinstance(piece, Thought)) != ""


def test_a_person_stops_it_between_two_tokens(tiny: Backbone) -> None:
    stop = threading.Event()
    stop.set()
    written, pieces = write(tiny, cancel=stop)
    assert (written.stopped, pieces) == (True, [])


def test_the_mean_logprob_is_of_the_tokens_chosen() -> None:
    assert Generated(logprobs=[-1.0, -3.0]).mean_logprob == -2.0
    assert Generated().mean_logprob == 0.0


@pytest.mark.parametrize("temperature", [0.0, 0.01])
def test_a_cold_choice_is_the_likeliest_token(temperature: float) -> None:
    logits = torch.tensor([0.0, 5.0, 1.0])
    assert choose_token(logits, temperature, torch.Generator().manual_seed(0)) == 1
