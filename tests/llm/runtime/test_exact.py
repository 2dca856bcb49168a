"""Every family that the runtime knows against transformers' own eager attention: logits and greedy tokens."""

from pathlib import Path

import pytest
import torch

from app.bench.checkpoints import Checkpoint, tiny
from app.bench.exact import absorbed_against_expanded, differences, reference, through_transformers
from app.bench.shapes import TINY
from app.bench.stored import StoredWay
from llm.runtime.rotation import rotation_of

AT_TRUE_POSITIONS = ("DeepSeek-V4",)
LARGE_LOGITS = ("Gemma 4", "Gemma 4 MoE", "Gemma 4 E2B")  # by an order
NUM_READ, NUM_DECODED = 72, 8  # four chunks and nine temperature floors of the Llama 4 shapes


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tiny")


@pytest.mark.parametrize("name", TINY)
def test_logits_and_greedy_tokens_are_transformers_own(name: str, folder: Path) -> None:
    checkpoint = next(tiny(folder, [name]))
    assert (rotation_of(checkpoint.load()) is None) == (name in AT_TRUE_POSITIONS)
    expected = reference(checkpoint, NUM_READ, NUM_DECODED)
    for difference in differences(through_transformers(checkpoint), expected, chunks=(1, 7, 64, 512)):
        assert difference.is_exact, difference
        limit = 1e-4 if name in LARGE_LOGITS else 1e-5  # far better than promised, so that a slip shows
        assert difference.logits < limit, difference


@pytest.mark.parametrize(
    "name",
    ["Llama", "Llama 4 Scout", "Llama 4 Maverick", "DeepSeek-V3", "DeepSeek-V3.2", "Mistral", "GLM-4.5V", "Gemma 4"],
)
@pytest.mark.parametrize(
    "options", [{}, {"budget_blocks": 2}, {"retrieves": True}], ids=["whole", "budget", "retrieval"]
)
def test_logits_over_a_snapshot_are_transformers_own(name: str, options: dict[str, bool], folder: Path) -> None:
    checkpoint = next(tiny(folder, [name]))
    expected = reference(checkpoint, 200, NUM_DECODED)
    for difference in differences(StoredWay(checkpoint, **options), expected, chunks=(7, 64)):
        assert difference.is_exact, difference
        assert difference.logits < 1e-4, difference


@pytest.mark.parametrize("num_read", [1, 15, 64, 81, 200])
def test_what_a_model_keeps_in_its_own_form_is_stored_and_restored(num_read: int, folder: Path) -> None:
    """Stopped before, at and behind the ends of pools of 4 and 16 tokens and of blocks of 64."""
    checkpoint = next(tiny(folder, ["DeepSeek-V4"]))
    expected = reference(checkpoint, num_read + 1, 24)
    for difference in differences(StoredWay(checkpoint), expected, chunks=(1, 7, 64)):
        assert difference.is_exact, difference
        assert difference.logits < 1e-5, difference


def test_absorbed_equals_expanded_at_released_widths() -> None:
    assert absorbed_against_expanded() < 1e-5


def test_the_reference_itself_looks_no_further_than_its_chunk(folder: Path) -> None:
    """transformers' masks for a chunk of 16, against masks written out."""
    checkpoint: Checkpoint = next(tiny(folder, ["Llama 4 Maverick"]))
    model = checkpoint.load()
    at = torch.arange(NUM_READ)
    causal = at[:, None] >= at[None]  # (T, T): True at (i, j) means that i sees j
    same_chunk = at[:, None] // 16 == at[None] // 16
    masks = {
        kind: torch.zeros(1, 1, NUM_READ, NUM_READ).masked_fill(~seen, -torch.inf)
        for kind, seen in (("full_attention", causal), ("chunked_attention", causal & same_chunk))
    }
    ids = torch.tensor([checkpoint.prompt(NUM_READ)])
    with torch.no_grad():
        own = model(input_ids=ids, use_cache=False).logits
        written_out = model(input_ids=ids, use_cache=False, attention_mask=masks).logits
    torch.testing.assert_close(own, written_out, atol=1e-6, rtol=0)
