"""A mixture whose experts stay on disk, asked on the command line: how they were fetched is told at the end."""

import json
import re
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

from app.cli import cli
from tests.llm.conftest import write_tiny_checkpoint


@pytest.fixture
def mixture(tmp_path: Path) -> Path:
    """A random one over single bytes."""
    folder = write_tiny_checkpoint(tmp_path / "mixture")
    torch.manual_seed(0)
    config = Qwen3MoeConfig(
        vocab_size=258, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2, head_dim=16,
        num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16, intermediate_size=32,
        max_position_embeddings=2048, bos_token_id=0, eos_token_id=1,
    )  # fmt: skip
    Qwen3MoeForCausalLM(config).save_pretrained(folder)
    return folder


def test_uses_of_fetched_experts_are_told_beside_the_answer(mixture: Path, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("The plumber of the house is called Ada Smith.\n", encoding="utf-8")
    asked = ["ask", str(note), "-q", "Who is the plumber?", "--max-new-tokens", "4", "--json"]
    where = ["--model", str(mixture), "--device", "cpu", "--data-dir", str(tmp_path / "data")]
    result = CliRunner().invoke(cli, [*asked, *where, "--experts-gb", "1"])
    assert result.exit_code == 0, result.stderr
    assert set(json.loads(result.stdout)) == {
        "question", "answer", "found", "citations", "coverage", "timing", "model"
    }  # fmt: skip
    told = re.search(rf"Of ([\d,]+) uses of routed experts in {mixture}, ([\d,]+) \(\d+%\) found theirs", result.stderr)
    assert told, result.stderr
    times, hits = (int(count.replace(",", "")) for count in told.groups())
    assert times - hits == 8  # there is room for all: each of two layers' four experts is fetched once
    assert "routed experts" not in CliRunner().invoke(cli, [*asked, *where]).stderr
