"""Attention to the tokens that an indexer chooses, against its formula written out query by query."""

import pytest
import torch

from llm.kv.layout import LayerKind, LayerLayout
from llm.runtime import indexed
from llm.runtime.attention import merge, visible
from llm.runtime.indexed import IndexQuery, attend_indexed, chosen
from llm.runtime.latent import LatentExpansion
from llm.runtime.rotation import HalfRotation, rotated

HEADS, WIDTH, KEY, ROTARY, VALUE = 6, 32, 16, 8, 12
INDEX_HEADS, INDEX_WIDTH, CHOSEN = 5, 16, 9
SCALING = 0.2


def drawn(num_new: int, num_shown: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, LatentExpansion, IndexQuery]:
    draw = torch.Generator().manual_seed(num_new)
    index = IndexQuery(
        torch.randn(INDEX_HEADS, num_new, INDEX_WIDTH, generator=draw),
        torch.randn(num_new, INDEX_HEADS, generator=draw),  # a head may count against a token
        CHOSEN,
    )
    return (
        torch.randn(HEADS, num_new, KEY + ROTARY, generator=draw),
        torch.randn(1, num_shown, INDEX_WIDTH + WIDTH, generator=draw),
        torch.randn(1, num_shown, ROTARY, generator=draw),
        LatentExpansion.from_weight(
            torch.randn(HEADS * (KEY + VALUE), WIDTH, generator=draw) / 5, key_width=KEY, value_width=VALUE
        ),
        index,
    )


def plainly(
    query: torch.Tensor, keys: torch.Tensor, rotary: torch.Tensor, expansion: LatentExpansion, index: IndexQuery
) -> torch.Tensor:
    num_new, num_shown = query.shape[1], keys.shape[1]
    index_keys, latents = keys[0, :, :INDEX_WIDTH], keys[0, :, INDEX_WIDTH:]
    output = torch.empty(num_new, HEADS, VALUE)
    for step in range(num_new):
        seen = num_shown - num_new + step + 1
        scores = torch.zeros(seen)
        for head in range(INDEX_HEADS):
            scores += index.weights[step, head] * (index_keys[:seen] @ index.heads[head, step]).clamp(min=0)
        best = scores.argsort(descending=True)[:CHOSEN]
        for head in range(HEADS):
            own = torch.cat((latents[best] @ expansion.keys[head].T, rotary[0, best]), -1)
            weights = (own @ query[head, step] * SCALING).softmax(0)
            output[step, head] = weights @ (latents[best] @ expansion.values[head].T)
    return output


@pytest.mark.parametrize(("num_new", "num_shown"), [(1, 1), (1, 9), (1, 50), (7, 9), (7, 50), (50, 50)])
def test_only_the_best_tokens_are_attended_to(num_new: int, num_shown: int) -> None:
    given = drawn(num_new, num_shown)
    torch.testing.assert_close(attend_indexed(*given, scaling=SCALING), plainly(*given), atol=2e-6, rtol=0)


def test_scores_in_groups_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    _, keys, _, _, index = drawn(7, 50)
    whole = index.scores(keys[0, :, :INDEX_WIDTH])
    assert whole.shape == (7, 50)
    monkeypatch.setattr(indexed, "_GROUP_NUMBERS", 3 * 50 * INDEX_HEADS)  # three queries, three, one
    torch.testing.assert_close(index.scores(keys[0, :, :INDEX_WIDTH]), whole)


def test_no_token_is_chosen_that_may_not_be_seen() -> None:
    scores = torch.tensor([[1.0, 5.0, 9.0], [1.0, 5.0, 9.0], [1.0, 5.0, 9.0]])
    found = chosen(scores, 2, visible(3, 3, None, scores.device))
    assert found.tolist() == [[True, False, False], [True, True, False], [False, True, True]]


def test_of_an_index_key_the_first_channels_turn_and_the_latent_does_not() -> None:
    layout = LayerLayout(LayerKind.INDEXED, 1, INDEX_WIDTH + WIDTH, 1, ROTARY)
    rotation = HalfRotation(torch.tensor([1.0, 0.5, 0.1, 0.02]))
    key, value = torch.randn(1, 5, INDEX_WIDTH + WIDTH), torch.randn(1, 5, ROTARY)
    turned, rotary = rotated(layout, rotation, key, value, 3)
    torch.testing.assert_close(turned[..., :ROTARY], rotation.rotate(key[..., :ROTARY], 3))
    assert torch.equal(turned[..., ROTARY:], key[..., ROTARY:])
    torch.testing.assert_close(rotary, rotation.rotate(value, 3))


def test_a_part_of_which_a_query_sees_nothing_adds_nothing() -> None:
    empty = torch.zeros(1, 2, 3), torch.tensor([[-torch.inf, -torch.inf]])
    some = torch.ones(1, 2, 3), torch.tensor([[0.5, -torch.inf]])
    output, log_sum = merge(merge(empty, empty), some)
    assert output.tolist() == [[[1.0] * 3, [0.0] * 3]]
    assert log_sum.tolist() == [[0.5, -torch.inf]]
