"""Layers that lie apart: where they compute, where their keys and values lie, and that the answer stays the same.

There is one device here: a layer on disk is carried by the same hooks that carry one between GPUs, and "meta" stands
for a second device where nothing is computed.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer

from app.bench.checkpoints import Checkpoint, tiny
from app.bench.exact import Way, differences, reference, through_transformers
from llm.backbone import load_backbone
from llm.errors import ModelNotFound
from llm.kv.layout import LayerKind, LayerLayout
from llm.loading.checkpoint import load_checkpoint
from llm.runtime.devices import layer_devices, main_device
from llm.runtime.rotation import NoRotation
from llm.runtime.working import WorkingKV
from tests.llm.conftest import write_tiny_checkpoint

CPU = torch.device("cpu")


class Layer(torch.nn.Module):
    pass


def placed(device_map: dict[str, int | str]) -> Any:
    """A model of three layers, of which only the names and the map matter."""
    decoder = torch.nn.Module()
    decoder.layers = torch.nn.ModuleList(Layer() for _ in range(3))
    model: Any = torch.nn.Module()
    model.model = decoder
    model.get_decoder = lambda: decoder
    model.hf_device_map = device_map
    model.device = CPU
    return model


def test_a_layer_computes_where_it_lies_and_a_carried_one_where_tokens_enter() -> None:
    model = placed({"model.layers.0": 0, "model.layers.1": 1, "model.layers.2": "disk", "lm_head": 1})
    assert main_device(model) == torch.device("cuda:0")
    assert layer_devices(model) == [torch.device("cuda:0"), torch.device("cuda:1"), torch.device("cuda:0")]
    assert layer_devices(placed({"model": "cpu", "lm_head": "disk"})) == [CPU] * 3
    assert layer_devices(placed({"": "cpu"})) == CPU


def test_keys_and_values_lie_where_their_layer_computes() -> None:
    layouts = [LayerLayout(LayerKind.FULL, 1, 4, 1, 4)] * 2
    kv = WorkingKV(layouts, NoRotation(), device=[CPU, torch.device("meta")], dtype=torch.float32)
    for layer in kv.layers:
        layer.show(torch.ones(1, 3, 4), torch.ones(1, 3, 4))
    assert [layer.shown()[0].device.type for layer in kv.layers] == ["cpu", "meta"]
    assert kv.fork().layers[1].shown()[1].device.type == "meta"


def apart(checkpoint: Checkpoint, on_disk: tuple[int, ...]) -> tuple[Way, Any]:
    """The way with some layers on disk, and the model."""
    names = ("model.embed_tokens", "model.norm", "model.rotary_emb", "lm_head")
    device_map: dict[str, int | str] = dict.fromkeys(names, "cpu")
    device_map |= {f"model.layers.{number}": "disk" if number in on_disk else "cpu" for number in range(4)}
    write_tiny_checkpoint(checkpoint.folder / "tokenizer")
    AutoTokenizer.from_pretrained(checkpoint.folder / "tokenizer").save_pretrained(checkpoint.folder)
    model, *_ = load_checkpoint(str(checkpoint.folder), dtype=torch.float32, device=CPU, device_map=device_map)
    model.eval()
    return through_transformers(SimpleNamespace(load=lambda: model)), model  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "on_disk"), [("Llama", (0, 2)), ("DeepSeek-V3", (0,))])
def test_logits_with_layers_on_disk_are_those_of_all_in_memory(
    name: str, on_disk: tuple[int, ...], tmp_path: Path
) -> None:
    [checkpoint] = tiny(tmp_path, [name])
    expected = reference(checkpoint, 40, 4)
    way, model = apart(checkpoint, on_disk)
    assert model.model.layers[0].self_attn.o_proj.weight.is_meta
    assert not model.model.layers[1].self_attn.o_proj.weight.is_meta
    for difference in differences(way, expected, chunks=(7, 64)):
        assert difference.is_exact, difference
        assert difference.logits < 1e-5, difference


def test_what_cannot_be_spread_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="taken as it is; leave --adapter, --experts-gb, --weights-dtype and --mtp"):
        load_backbone("x", cache_dir=tmp_path, device="auto", threads=1, mtp=True)
