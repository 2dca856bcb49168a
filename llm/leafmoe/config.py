"""The shape of a LeafMoE model: a Llama shape plus routed experts and low-rank updates of attention."""

from huggingface_hub.dataclasses import strict
from transformers import LlamaConfig


@strict
class LeafMoEConfig(LlamaConfig):
    """`num_experts` experts of `expert_width` in every layer; each token goes to `experts_per_token` of them.

    `attention_rank` is the rank of the update of the query, key, value and output projections; 0: none.
    """

    model_type = "leafmoe"

    num_experts: int = 4
    expert_width: int = 64
    experts_per_token: int = 1
    attention_rank: int = 0

    def validate_architecture(self) -> None:
        """Refuses a shape that cannot be built; transformers calls it and wraps the ValueError in its own."""
        super().validate_architecture()  # type: ignore[no-untyped-call]
        if not 1 <= self.experts_per_token <= self.num_experts:
            raise ValueError(
                f"experts_per_token is {self.experts_per_token}: "
                f"it must lie between 1 and num_experts, {self.num_experts}"
            )
        if self.expert_width < 1 or self.attention_rank < 0:
            raise ValueError(
                f"expert_width is {self.expert_width} and attention_rank {self.attention_rank}: "
                "the first must be at least 1, the second at least 0"
            )
