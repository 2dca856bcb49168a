"""transformers with its own cache: bfloat16, scaled_dot_product_attention, chunks as Longleaf takes them."""

import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, DynamicCache

from app.bench.timing import WARM_UP_DECODED, WARM_UP_TOKENS, Task, Timing, seconds
from llm.packaged import prepare
from llm.reading.prefill import CHUNK_TOKENS


@torch.inference_mode()
def visit(task: Task) -> Timing:
    """Reads in chunks, decodes greedily, and keeps the cache's tensors in a file."""
    torch.set_num_threads(task.threads)
    model: Any = AutoModelForCausalLM.from_pretrained(
        prepare(task.cache_dir), dtype=torch.bfloat16, attn_implementation="sdpa", local_files_only=True
    ).eval()
    tokens = task.tokens()
    _forward(model, DynamicCache(), tokens[:WARM_UP_TOKENS])
    cache = DynamicCache()

    def read() -> None:
        for start in range(0, task.length, CHUNK_TOKENS):
            _forward(model, cache, tokens[start : min(start + CHUNK_TOKENS, task.length)])

    read_s = seconds(read)
    with tempfile.TemporaryDirectory(prefix="longleaf-speed-") as folder:
        path = Path(folder) / "cache.safetensors"
        save_s = seconds(lambda: save_file(_tensors(cache), path))
        _decode(model, cache, WARM_UP_DECODED)
        token_s = seconds(lambda: _decode(model, cache, task.num_decoded)) / task.num_decoded
        restored_s = seconds(lambda: _forward(model, _loaded(path), tokens[task.length :]))
    return Timing(read_s, token_s, save_s, restored_s)


def _forward(model: Any, cache: DynamicCache, token_ids: list[int]) -> int:
    """The likeliest next token."""
    output = model(input_ids=torch.tensor([token_ids]), past_key_values=cache, use_cache=True, logits_to_keep=1)
    return int(output.logits[0, -1].argmax())


def _decode(model: Any, cache: DynamicCache, number: int) -> None:
    token = 1
    for _ in range(number):
        token = _forward(model, cache, [token])


def _tensors(cache: Any) -> dict[str, torch.Tensor]:
    named = {}
    for index, layer in enumerate(cache.layers):
        named[f"key.{index}"], named[f"value.{index}"] = layer.keys.contiguous(), layer.values.contiguous()
    return named


def _loaded(path: Path) -> DynamicCache:
    named = load_file(path)
    cache = DynamicCache()
    for index in range(len(named) // 2):
        cache.update(named[f"key.{index}"], named[f"value.{index}"], index)
    return cache
