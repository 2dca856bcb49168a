"""Tokens: mixtures stay at their places, and enter the model as weighted embeddings."""

import torch

from llm.tokens import Tokens, embedded
from vision import Mixture

MIXED = Mixture((7, 9), (0.75, 0.25))


def test_slices_and_joins_keep_mixtures_in_place() -> None:
    tokens = Tokens([5, 7, 6, 7], [(1, MIXED), (3, MIXED)])
    assert tokens[1:3].mixtures == ((0, MIXED),)
    assert list(tokens[1:3]) == [7, 6]
    assert tokens[2] == 6
    joined = Tokens.joined(([1, 2], tokens, [3]))
    assert list(joined) == [1, 2, 5, 7, 6, 7, 3]
    assert [at for at, _ in joined.mixtures] == [3, 5]


def test_a_mixture_is_the_weighted_embedding() -> None:
    table = torch.randn(10, 4)
    states = embedded(Tokens([7, 2], [(0, MIXED)]), lambda ids: table[ids], torch.device("cpu"))
    assert torch.allclose(states[0], 0.75 * table[7] + 0.25 * table[9])
    assert torch.equal(states[1], table[2])


def test_tokens_without_mixtures_equal_their_list() -> None:
    assert Tokens([1, 2]) == [1, 2]
    assert Tokens([7], [(0, MIXED)]) != [7]
