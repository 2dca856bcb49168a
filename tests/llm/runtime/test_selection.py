"""Block scores: the bound bounds, the two stages keep what matters, the prior always gets its place."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from llm.kv.overview import united
from llm.runtime.selection import BlockIndex, BoundedBlocks, SelectionOptions, best_token_scores, select, upper_bounds

HEADS, KV_HEADS, WIDTH = 6, 2, 8


def blocks_of_keys(num_blocks: int, seed: int) -> torch.Tensor:
    return torch.randn(KV_HEADS, num_blocks, 64, WIDTH, generator=torch.Generator().manual_seed(seed))


def bounds_of(keys: torch.Tensor) -> torch.Tensor:
    return torch.stack((keys.amin(2), keys.amax(2)), 0).permute(2, 0, 1, 3).contiguous()  # (G, 2, K, C)


@given(st.integers(1, 40), st.integers(0, 1000))
def test_no_token_of_a_block_scores_above_its_bound(num_blocks: int, seed: int) -> None:
    keys = blocks_of_keys(num_blocks, seed)
    query = torch.randn(KV_HEADS, 5, WIDTH, generator=torch.Generator().manual_seed(seed + 1))
    best = best_token_scores(query, keys)
    assert (best <= upper_bounds(query, bounds_of(keys)) + 1e-4).all()
    above = upper_bounds(query, united(bounds_of(keys))).repeat_interleave(16, -1)[..., :num_blocks]
    assert (best <= above + 1e-4).all()


def chosen(
    keys: torch.Tensor, query: torch.Tensor, options: SelectionOptions, parts: int = 1000, **more: object
) -> list[int]:
    given = {"allowed": range(keys.shape[1]), "prior": (), "weights": torch.ones(query.shape[:2]), **more}
    selection = select(
        query,
        BlockIndex([BoundedBlocks.of(part) for part in bounds_of(keys).split(parts)]),
        lambda blocks: keys[:, blocks],
        scaling=1.0,
        options=options,
        **given,  # type: ignore[arg-type]
    )
    assert len(selection.shares) == len(selection.blocks)
    return selection.blocks.tolist()


def test_the_block_with_the_sought_token_is_found_through_both_stages() -> None:
    keys = blocks_of_keys(400, 3)
    needle = torch.randn(WIDTH, generator=torch.Generator().manual_seed(9)) * 3
    keys[:, 237, 41] = needle
    query = needle.expand(HEADS, 4, WIDTH)
    few = SelectionOptions(selected=2, candidates=16, groups=8)
    for parts in (1000, 100, 7):  # blocks that lie together: groups end with them
        assert 237 in chosen(keys, query, few, parts)
    assert 237 not in chosen(keys, query, few, allowed=range(237))


def test_the_prior_has_its_places_and_no_more() -> None:
    keys, query = blocks_of_keys(100, 4), torch.zeros(HEADS, 1, WIDTH)
    options = SelectionOptions(selected=4, candidates=8, groups=4, from_prior=2)
    blocks = chosen(keys, query, options, prior=[91, 55, 300], allowed=range(1, 99))
    assert {91, 55} <= set(blocks)
    assert len(blocks) == 4
    assert blocks == sorted(blocks)


def test_heads_without_weight_say_nothing() -> None:
    keys = blocks_of_keys(60, 5)
    query = torch.randn(HEADS, 3, WIDTH, generator=torch.Generator().manual_seed(6))
    options = SelectionOptions(selected=5, candidates=60, groups=4)
    weights = torch.zeros(HEADS, 3)
    weights[1, 2] = 1
    louder = query.clone()
    louder[[0, 2, 3, 4, 5]] *= 10
    assert chosen(keys, query, options, weights=weights) == chosen(keys, louder, options, weights=weights)
    assert chosen(keys, query, options) != chosen(keys, louder, options)


def test_nothing_allowed_selects_nothing() -> None:
    keys = blocks_of_keys(5, 7)
    assert chosen(keys, torch.zeros(HEADS, 1, WIDTH), SelectionOptions(), allowed=range(2, 2)) == []


def test_weights_that_lie_before_the_last_tokens_count_as_none() -> None:
    keys, query = blocks_of_keys(60, 5), torch.randn(HEADS, 9, WIDTH)
    weights = torch.zeros(HEADS, 9)
    weights[:, 0] = 1
    few = SelectionOptions(selected=5, candidates=60, groups=4, query_tokens=3)
    assert chosen(keys, query, few, weights=weights) == chosen(keys, query, few)
