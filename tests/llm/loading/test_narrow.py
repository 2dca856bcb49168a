"""Weights in 8 and 4 bits: how far they are from those they stand for, what they take, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch
from platformdirs import user_cache_dir

from app.bench.checkpoints import tiny as tiny_checkpoints
from llm.backbone import Backbone, load_backbone
from llm.errors import ModelNotFound
from llm.generation import Generated, generate
from llm.loading.narrow import narrow

pytest.importorskip("torchao", reason="torchao is not installed; pip install torchao==0.18.0 runs these")
TEXT = "The supplier delivers the boxes to the client on the first working day of each month."


def logits(backbone: Backbone) -> torch.Tensor:
    ids = [*backbone.prompt.prefix, *backbone.prompt.encode(TEXT)]
    return backbone.runner.forward(ids, backbone.empty_kv())


@pytest.mark.parametrize(("weights", "step"), [("int8", 1 / 127), ("int4", 1 / 7)])
def test_every_weight_is_within_half_a_step(tiny_folder: Path, weights: str, step: float) -> None:
    plain = load_backbone(str(tiny_folder), cache_dir=tiny_folder, dtype="float32", threads=1)
    narrowed = load_backbone(str(tiny_folder), cache_dir=tiny_folder, dtype="float32", threads=1, weights=weights)
    assert narrowed.name.revision == f"{plain.name.revision}+{weights}"
    assert narrowed.snapshot_identity() != plain.snapshot_identity()
    ours, theirs = (dict(one.model.named_parameters()) for one in (narrowed, plain))
    name = "model.layers.0.mlp.down_proj.weight"
    stored: Any = ours[name]
    assert type(stored.data) is not torch.Tensor
    opened, exact = stored.dequantize(), theirs[name]
    largest = exact.unflatten(1, (-1, 32)).abs().amax(-1) if weights == "int4" else exact.abs().amax(-1, keepdim=True)
    allowed = (0.5 * step * largest * 1.1).repeat_interleave(exact.shape[1] // largest.shape[1], 1)
    assert ((opened - exact).abs() <= allowed).all()
    assert (opened - exact).abs().max() > 0
    for kept in ("model.embed_tokens.weight", "lm_head.weight"):
        assert torch.equal(ours[kept], theirs[kept])
    assert 0 < (logits(narrowed) - logits(plain)).abs().max() < 0.1


@pytest.mark.slow
def test_the_packaged_base_writes_the_same_in_8_bits() -> None:
    written = []
    for weights in (None, "int8"):
        backbone = load_backbone(
            "smollm2-135m",
            cache_dir=Path(user_cache_dir("longleaf", appauthor=False)),
            dtype="bfloat16",
            threads=1,
            weights=weights,
        )
        into = Generated()
        prompt = [*backbone.prompt.prefix, *backbone.prompt.encode(TEXT), *backbone.prompt.suffix("When?")]
        for _ in generate(backbone, backbone.empty_kv(), prompt, into, max_new_tokens=8):
            pass
        written.append(into.text)
    assert written[0] == written[1]


def test_a_mixture_is_one_sentence(tmp_path: Path) -> None:
    [checkpoint] = tiny_checkpoints(tmp_path, ["Qwen3-MoE"])
    with pytest.raises(ModelNotFound, match="'qwen3_moe' has routed experts, which cannot be kept in int4; leave"):
        narrow(checkpoint.load(), "int4")
