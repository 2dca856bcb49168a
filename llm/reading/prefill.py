"""Prefill in chunks: tokens go through the model a chunk at a time, so that progress shows and a stop takes effect."""

import statistics
import threading
import time
from collections.abc import Iterator, Sequence

import torch

from llm.answer import ReadingProgress
from llm.backbone import Backbone
from llm.reading.kv_cache import ReadingCache

CHUNK_TOKENS = 512


def prefill(
    backbone: Backbone, cache: ReadingCache, token_ids: Sequence[int], cancel: threading.Event | None = None
) -> Iterator[ReadingProgress]:
    """Reads `token_ids` from `cache.num_tokens` on; yields after every chunk. Modifies the cache.

    Stops between two chunks when `cancel` is set; what was read stays in the cache.
    """
    total, reused = len(token_ids), cache.num_tokens
    pace: list[tuple[int, float]] = []  # where each chunk ended, seconds a token in it
    while (done := cache.num_tokens) < total and not (cancel and cancel.is_set()):
        end = min(done + CHUNK_TOKENS, total)
        started = time.perf_counter()
        forward(backbone, cache, token_ids[done:end])
        pace.append((end, (time.perf_counter() - started) / (end - done)))
        yield ReadingProgress("read", end, total, "tokens", 1 / pace[-1][1], remaining_s(pace, total), reused)


def remaining_s(pace: Sequence[tuple[int, float]], total: int) -> float:
    """Seconds until `total`: full attention costs more for every later token, so the pace is carried on as a line."""
    done, latest = pace[-1]
    if len(pace) < 3:
        return (total - done) * latest
    slope, intercept = statistics.linear_regression(*zip(*pace, strict=True))
    at_half = max(latest, intercept + max(slope, 0.0) * (done + total) / 2)
    return (total - done) * at_half


def forward(backbone: Backbone, cache: ReadingCache, token_ids: Sequence[int]) -> torch.Tensor:
    """Runs tokens that follow those in `cache`, and appends them to it. Logits (V,) of the last token, in float32."""
    inputs = torch.tensor([list(token_ids)], device=backbone.device)  # (1, S)
    positions = torch.arange(cache.num_tokens, cache.num_tokens + inputs.shape[1], device=backbone.device)[None]
    with torch.inference_mode():
        output = backbone.model(
            input_ids=inputs, position_ids=positions, past_key_values=cache, use_cache=True, logits_to_keep=1
        )
    logits: torch.Tensor = output.logits  # (1, 1, V)
    return logits[0, -1].float()
