"""The mean of trained weights."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from llm.training.average import average


def saved(path: Path, values: list[float], step: str = "1") -> Path:
    save_file({"gate": torch.tensor(values, dtype=torch.bfloat16)}, path, metadata={"steps": step})
    return path


def test_every_tensor_is_the_mean_of_all(tmp_path: Path) -> None:
    parts = [saved(tmp_path / f"{n}.safetensors", [n, 2.0], str(n)) for n in (1, 2, 6)]
    average(parts, tmp_path / "mean.safetensors")
    mean = load_file(tmp_path / "mean.safetensors")["gate"]
    assert mean.dtype == torch.bfloat16
    assert mean.tolist() == [3.0, 2.0]
    with safe_open(tmp_path / "mean.safetensors", "pt") as held:
        assert held.metadata() == {"steps": "6"}


def test_weights_of_another_shape_have_no_mean(tmp_path: Path) -> None:
    parts = [saved(tmp_path / "a.safetensors", [1.0]), saved(tmp_path / "b.safetensors", [1.0, 2.0])]
    with pytest.raises(ValueError, match=r"b\.safetensors holds other tensors than .*a\.safetensors"):
        average(parts, tmp_path / "mean.safetensors")
    assert not (tmp_path / "mean.safetensors").exists()
