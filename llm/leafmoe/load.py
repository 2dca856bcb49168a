"""Which experts serve which tokens: counted from outside, so that the model itself stays free of counters.

Used by training to balance the router, and to show the load by layer and by modality.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from llm.leafmoe.modeling import LeafMoEForCausalLM

TEXT, PATCH, IGNORED = 0, 1, -1  # modality of a token; IGNORED: padding


class ExpertLoad:
    """Tokens sent to each expert, by layer and modality, added up over every forward pass inside `counting`."""

    def __init__(self, model: LeafMoEForCausalLM, num_modalities: int = 2) -> None:
        self._experts = model.experts()
        self._modality: torch.Tensor | None = None
        self.tokens = torch.zeros(len(self._experts), num_modalities, self._experts[0].num_experts, dtype=torch.long)

    @contextmanager
    def counting(self, modality: torch.Tensor) -> Iterator[None]:
        """Count the forward passes made inside. modality (B, S): TEXT, PATCH or IGNORED for each token."""
        self._modality = modality
        hooks = [
            part.router.register_forward_hook(lambda _module, _args, output, index=index: self._add(index, output[1]))
            for index, part in enumerate(self._experts)
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def share(self) -> torch.Tensor:
        """(L, modalities, E): each expert's share of its layer's tokens of that modality; 0 where there were none."""
        total = self.tokens.sum(-1, keepdim=True).clamp(min=1)
        return self.tokens / total

    def clear(self) -> None:
        """Start counting from zero."""
        self.tokens.zero_()

    def _add(self, layer: int, chosen: torch.Tensor) -> None:
        assert self._modality is not None, "the hook lives only inside counting()"
        for number in range(self.tokens.shape[1]):
            self.tokens[layer, number].add_(chosen[self._modality == number].sum(0))


def balance(model: LeafMoEForCausalLM, load: ExpertLoad, rate: float) -> None:
    """Move every selection bias by `rate` towards experts that got less than their share, then clear the load.

    DeepSeek-V3's rule (arXiv:2412.19437, section 2.1.2): b += rate * sign(mean load - load).
    """
    counts = load.tokens.sum(1).float()  # (L, E)
    step = rate * torch.sign(counts.mean(-1, keepdim=True) - counts)
    with torch.no_grad():
        for part, change in zip(model.experts(), step, strict=True):
            part.router.selection_bias.add_(change)
    load.clear()
