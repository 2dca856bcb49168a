"""The contract of a runner: the one thing that carries tokens through a model's layers over a working set."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch

from llm.kv.layout import LayerLayout
from llm.runtime.rotation import Rotations
from llm.runtime.working import WorkingKV


class Runner(Protocol):
    """One model. Implementations: any transformers model, and the packed Llama shapes on a CPU."""

    layouts: Sequence[LayerLayout]
    rotation: Rotations
    is_position_free: bool  # keys may be numbered anew: longer streams than trained, several snapshots together

    def forward(self, token_ids: Sequence[int], kv: WorkingKV) -> torch.Tensor:
        """Carries the tokens through the model in as many passes as `kv.room` asks for; they are appended to `kv`.

        Logits (V,) of the last token, in float32.
        """
        ...


@runtime_checkable
class Carrier(Protocol):
    """A runner that tells more of what it carries."""

    def carry(self, token_ids: Sequence[int], kv: WorkingKV, num_logits: int) -> tuple[torch.Tensor, torch.Tensor]:
        """As `Runner.forward`: logits (num_logits, V) of the last tokens in float32, and last states (S, D) of all.

        The tokens whose logits are wanted are of one pass.
        """
        ...

    def carry_apart(self, sequences: Sequence[Sequence[int]], kv: WorkingKV) -> list[torch.Tensor]:
        """Logits (S, V) of all tokens of each sequence, in float32, as if it alone followed what `kv` shows.

        `kv` shows the same afterwards.
        """
        ...
