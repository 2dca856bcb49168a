"""A tiny random base checkpoint on disk, and LeafMoE over it."""

from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from llm.leafmoe import LeafMoEForCausalLM, upcycle


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=97,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
        pad_token_id=2,
    )
    folder = tmp_path_factory.mktemp("base")
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    return folder


@pytest.fixture
def fresh(base_folder: Path) -> LeafMoEForCausalLM:
    torch.manual_seed(1)
    return upcycle(base_folder, num_experts=4, expert_width=8, attention_rank=2).eval()


@pytest.fixture
def trained(fresh: LeafMoEForCausalLM) -> LeafMoEForCausalLM:
    """As after training: no new part is zero any more."""
    torch.manual_seed(2)
    with torch.no_grad():
        for tensor in fresh.trained_state().values():
            tensor.copy_(torch.randn(tensor.shape) * 0.3)
    return fresh
