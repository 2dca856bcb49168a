"""Llama shapes on a CPU at full speed: bfloat16 products for many tokens, packed integer weights for a few."""

from llm.packed.runner import PackedLlama

__all__ = ["PackedLlama"]
