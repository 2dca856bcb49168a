"""Models that keep something else than keys and values of each token: read, asked about, stopped and opened again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    DeepseekV4Config,
    DeepseekV4ForCausalLM,
    DeepseekV32Config,
    DeepseekV32ForCausalLM,
    PreTrainedModel,
)

from app.bench.shapes import TINY
from ingest.document import Document, Kind, Page
from llm.answer import Answered, AskOptions
from llm.engine import Engine
from llm.errors import ModelNotFound
from tests.llm.conftest import write_tiny_checkpoint

TEXT = "The rent is nine hundred crowns. " * 12
CLASSES: dict[str, Callable[[Any], PreTrainedModel]] = {
    "DeepSeek-V3.2": lambda fields: DeepseekV32ForCausalLM(DeepseekV32Config(**fields)),
    "DeepSeek-V4": lambda fields: DeepseekV4ForCausalLM(DeepseekV4Config(**fields)),
}


@pytest.fixture(scope="module", params=CLASSES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bench's tiny shape, over bytes."""
    where = write_tiny_checkpoint(tmp_path_factory.mktemp("family"))
    fields = TINY[request.param]().config.to_dict() | {"vocab_size": 258, "bos_token_id": 0, "eos_token_id": 1}
    torch.manual_seed(0)
    CLASSES[request.param](fields).save_pretrained(where)
    return where


def opened(folder: Path, state: Path) -> Engine:
    return Engine.load(str(folder), state_dir=state, cache_dir=state, dtype="float32", threads=1)


def test_what_was_read_is_not_read_again_by_a_new_process(folder: Path, tmp_path: Path) -> None:
    document = Document("a" * 64, "lease.txt", Kind.TEXT, pages=(Page(1, TEXT),))
    engine = opened(folder, tmp_path)
    list(engine.read([document]))
    told = []
    for question in ("What is the rent?", "Who pays it?"):
        *_, last = engine.ask([document], question, AskOptions(max_new_tokens=3))
        assert isinstance(last, Answered)
        told.append(last.answer.coverage)
    assert {coverage.tokens_read for coverage in told} == {engine.tokens_read([document])}
    again = opened(folder, tmp_path)
    first, *_ = list(again.read([document]))
    assert first.reused == first.done > len(TEXT)
    assert again.forget([document.id]) > 0
    assert again.tokens_read([document]) == 0


def test_it_is_told_that_its_extra_layer_cannot_guess(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"cannot guess tokens ahead: .*; leave --mtp out"):
        Engine.load(str(folder), state_dir=tmp_path, cache_dir=tmp_path, dtype="float32", threads=1, mtp=True)


def test_documents_beyond_the_trained_context_are_read_whole_or_said_not_to_be(folder: Path, tmp_path: Path) -> None:
    """Where tokens are chosen, the window starts anew several times, and each layer then chooses blocks, and tokens of
    them. Entries that pool tokens cannot be numbered anew: passages are read, and coverage says why.
    """
    document = Document("b" * 64, "long.txt", Kind.TEXT, pages=(Page(1, TEXT * 7),))
    engine = opened(folder, tmp_path)
    list(engine.read([document]))
    *_, last = engine.ask([document], "What is the rent?", AskOptions(max_new_tokens=3))
    assert isinstance(last, Answered)
    if engine._backbone.runner.is_position_free:
        assert engine.tokens_read([document]) > 2 * 1280
        assert not engine._desk.session([document]).is_exact
    else:
        assert engine.tokens_read([document]) == 0
        [left_out] = last.answer.coverage.left_out
        assert "more than the 640 that this model can look at in one piece" in left_out.reason
