"""FP8 blocks against the float matrices that they were made of, and a whole checkpoint in the released layout."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from app.bench.checkpoints import tiny
from llm.errors import ModelNotFound
from llm.loading.checkpoint import load_checkpoint
from llm.loading.fp8 import dequantised
from llm.loading.on_disk import BlockOnDisk
from tests.llm.conftest import write_tiny_checkpoint

BLOCK = (24, 24)
# in plain numbers, as DeepSeek releases them
KEPT = ("embed_tokens", "lm_head", "mlp.gate.weight", "norm", "weights_proj")


def quantised(weight: torch.Tensor, block: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Written out block by block, so that it shares nothing with what is tested."""
    rows, columns = weight.shape
    scales = torch.empty(-(-rows // block[0]), -(-columns // block[1]))
    narrow = torch.empty_like(weight, dtype=torch.float8_e4m3fn)
    for i, top in enumerate(range(0, rows, block[0])):
        for j, left in enumerate(range(0, columns, block[1])):
            part = weight[top : top + block[0], left : left + block[1]]
            scales[i, j] = part.abs().max() / 448
            narrow[top : top + block[0], left : left + block[1]] = (part / scales[i, j]).to(torch.float8_e4m3fn)
    return narrow, scales


def restored(narrow: torch.Tensor, scales: torch.Tensor, block: tuple[int, int]) -> torch.Tensor:
    rows, columns = narrow.shape
    plain = narrow.float()
    for row in range(rows):
        for column in range(columns):
            plain[row, column] *= scales[row // block[0], column // block[1]]
    return plain


@pytest.mark.parametrize("shape", [(48, 48), (40, 64), (36, 24), (7, 50), (192, 24)])
def test_every_block_has_its_own_scale_ragged_ones_too(shape: tuple[int, int]) -> None:
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(1)) * torch.arange(1, shape[0] + 1)[:, None]
    narrow, scales = quantised(weight, BLOCK)
    plain = dequantised(narrow, scales, BLOCK)
    torch.testing.assert_close(plain, restored(narrow, scales, BLOCK), rtol=0, atol=0)
    torch.testing.assert_close(plain, weight, rtol=0.07, atol=float(scales.max()))


def test_scales_of_another_shape_are_refused() -> None:
    narrow = torch.zeros(40, 64).to(torch.float8_e4m3fn)
    with pytest.raises(ValueError, match=r"40 x 64 in blocks of 24 x 24 needs 2 x 3 scales and has 2 x 2"):
        dequantised(narrow, torch.ones(2, 2), BLOCK)


def write_fp8(folder: Path, family: str = "DeepSeek-V3") -> dict[str, torch.Tensor]:
    """A tiny DeepSeek as released: every expert's matrices for themselves, FP8 with scales beside. What it holds."""
    [checkpoint] = tiny(folder, [family])
    where = checkpoint.folder
    plain, stored = {}, {}
    for name, tensor in load_file(where / "model.safetensors").items():
        if tensor.dim() != 2 or any(part in name for part in KEPT):
            stored[name] = plain[name] = tensor
            continue
        narrow, scales = quantised(tensor.float(), BLOCK)
        stored[name], stored[f"{name}_scale_inv"] = narrow, scales
        plain[name] = restored(narrow, scales, BLOCK)
    save_file(stored, where / "model.safetensors", {"format": "pt"})
    config = json.loads((where / "config.json").read_text("utf-8"))
    config["quantization_config"] = {
        "quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": list(BLOCK)
    }  # fmt: skip
    (where / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return plain


@pytest.mark.parametrize("family", ["DeepSeek-V3", "DeepSeek-V3.2"])
def test_a_checkpoint_in_fp8_blocks_is_the_float_model_that_it_stands_for(family: str, tmp_path: Path) -> None:
    plain = write_fp8(tmp_path, family)
    where = tmp_path / family
    tokenizer = write_tiny_checkpoint(tmp_path / "other")
    for path in tokenizer.glob("tokenizer*"):
        path.rename(where / path.name)
    model, _, _ = load_checkpoint(str(where), dtype=torch.float32, device=torch.device("cpu"))
    weights = dict(model.named_parameters())
    assert any(".experts.3.down_proj" in name for name in plain), "experts are stored one by one"
    assert plain["model.layers.1.self_attn.kv_a_proj_with_mqa.weight"].shape[0] % BLOCK[0], "some blocks are ragged"
    of_indexers = ("indexer.wq_b", "indexer.wk", "indexer.weights_proj") if family == "DeepSeek-V3.2" else ()
    for name in ("kv_a_proj_with_mqa", "q_b_proj", "o_proj", *of_indexers):
        full = f"model.layers.1.self_attn.{name}.weight"
        torch.testing.assert_close(weights[full], plain[full], rtol=0, atol=1e-7)
    packed = weights["model.layers.2.mlp.experts.down_proj"]
    for expert in range(len(packed)):
        own = plain[f"model.layers.2.mlp.experts.{expert}.down_proj.weight"]
        torch.testing.assert_close(packed[expert], own, rtol=0, atol=1e-7)


@pytest.mark.parametrize("family", ["DeepSeek-V3", "DeepSeek-V3.2"])
def test_experts_in_fp8_blocks_may_stay_on_disk(family: str, tmp_path: Path) -> None:
    plain = write_fp8(tmp_path, family)
    where = tmp_path / family
    for path in write_tiny_checkpoint(tmp_path / "other").glob("tokenizer*"):
        path.rename(where / path.name)
    ids = torch.randint(3, 128, (1, 20), generator=torch.Generator().manual_seed(0))
    logits = []
    for experts_bytes in (None, 1):
        model, _, _ = load_checkpoint(
            str(where), dtype=torch.float32, device=torch.device("cpu"), experts_bytes=experts_bytes,
            cache_dir=tmp_path / "cache",
        )  # fmt: skip
        with torch.no_grad():
            logits.append(model.eval()(ids).logits)
    torch.testing.assert_close(*logits, rtol=0, atol=1e-5)
    on_disk = dict(model.named_modules())["model.layers.2.mlp.experts"].down_proj
    assert isinstance(on_disk, BlockOnDisk)
    for expert in range(len(on_disk)):
        own = plain[f"model.layers.2.mlp.experts.{expert}.down_proj.weight"]
        torch.testing.assert_close(on_disk[expert], own, rtol=0, atol=1e-7)


def test_damaged_scales_are_one_sentence(tmp_path: Path) -> None:
    write_fp8(tmp_path)
    where = tmp_path / "DeepSeek-V3"
    stored = load_file(where / "model.safetensors")
    name = "model.layers.1.self_attn.o_proj.weight_scale_inv"
    save_file(stored | {name: stored[name][:-1].clone()}, where / "model.safetensors", {"format": "pt"})
    for path in write_tiny_checkpoint(tmp_path / "other").glob("tokenizer*"):
        path.rename(where / path.name)
    with pytest.raises(ModelNotFound, match="no model could be loaded from"):
        load_checkpoint(str(where), dtype=torch.float32, device=torch.device("cpu"))
