"""Tokens as a model takes them in: ids, and for every patch token what it is instead.

That is a mixture of embeddings, where the pixels of text were recognised, or a patch of a picture, where the model has
eyes of its own. The id at a mixture's place is its likeliest one, for whatever counts, compares or shows tokens.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import overload

import torch

from llm.pictures import PatchRun, cut_runs
from vision import Mixture

Placed = tuple[int, Mixture]  # a mixture behind the index of its token


class Tokens(Sequence[int]):
    """Immutable. Slices keep their mixtures; a plain list of ids is as good where there are none."""

    __slots__ = ("_ids", "mixtures", "runs")

    def __init__(self, ids: Sequence[int], mixtures: Iterable[Placed] = (), runs: Iterable[PatchRun] = ()) -> None:
        """`mixtures`, and `runs` of patches, in the order of their places."""
        self._ids = ids
        self.mixtures: tuple[Placed, ...] = tuple(mixtures)
        self.runs: tuple[PatchRun, ...] = tuple(runs)

    @classmethod
    def joined(cls, parts: Iterable[Sequence[int]]) -> "Tokens":
        """One behind the other."""
        ids: list[int] = []
        mixtures: list[Placed] = []
        runs: list[PatchRun] = []
        for part in parts:
            if isinstance(part, Tokens):
                mixtures += [(len(ids) + at, mixture) for at, mixture in part.mixtures]
                runs += [replace(run, at=len(ids) + run.at) for run in part.runs]
            ids += part
        return cls(ids, mixtures, runs)

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> "Tokens": ...
    def __getitem__(self, index: int | slice) -> "int | Tokens":
        if isinstance(index, int):
            return self._ids[index]
        start, stop, step = index.indices(len(self._ids))
        assert step == 1, "tokens are cut, not thinned"
        first, last = (bisect_left(self.mixtures, place, key=lambda placed: placed[0]) for place in (start, stop))
        mixtures = ((at - start, mixture) for at, mixture in self.mixtures[first:last])
        return Tokens(self._ids[start:stop], mixtures, cut_runs(self.runs, start, stop))

    def __repr__(self) -> str:
        return f"Tokens({list(self._ids)}, {self.mixtures}, {self.runs})"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Tokens):
            parts = list(self._ids), self.mixtures, self.runs
            return parts == (list(other._ids), other.mixtures, other.runs)
        return isinstance(other, list) and not self.mixtures and not self.runs and list(self._ids) == other

    __hash__ = None  # type: ignore[assignment]  # as of a list


def embedded(
    tokens: Sequence[int], embed: Callable[[torch.Tensor], torch.Tensor], device: torch.device
) -> torch.Tensor:
    """What enters the first layer: states (S, D). `embed`: ids (N,) -> embeddings (N, D)."""
    ids = torch.tensor(list(tokens), device=device)
    states = embed(ids)
    if isinstance(tokens, Tokens):
        for at, mixture in tokens.mixtures:
            parts = embed(torch.tensor(mixture.token_ids, device=device))  # (M, D)
            weights = torch.tensor(mixture.weights, device=device, dtype=torch.float32)
            states[at] = (weights @ parts.float()).to(states.dtype)
    return states
