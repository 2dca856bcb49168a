"""Longleaf's own runtime, as readings and sessions use it."""

import tempfile
from pathlib import Path

import torch

from app.bench.timing import WARM_UP_DECODED, WARM_UP_TOKENS, Task, Timing, seconds
from llm.backbone import Backbone, load_backbone
from llm.kv.codec import KVDtype
from llm.kv.snapshot import Snapshot
from llm.kv.store import SnapshotStore
from llm.packaged import PACKAGED_NAME
from llm.reading.prefill import prefill
from llm.runtime.opened import OpenSnapshots
from llm.runtime.policy import ReadingPolicy
from llm.runtime.reading_kv import ReadingKV
from llm.runtime.session import SessionKV, SessionOptions


def visit(task: Task) -> Timing:
    """Reads into a snapshot, goes on decoding over it, and opens it again with other objects."""
    backbone = load_backbone(PACKAGED_NAME, cache_dir=task.cache_dir, threads=task.threads)
    tokens = task.tokens()
    backbone.runner.forward(tokens[:WARM_UP_TOKENS], backbone.empty_kv())
    with tempfile.TemporaryDirectory(prefix="longleaf-speed-") as folder:
        snapshot = _snapshot(backbone, Path(folder), tokens[: task.length], task.kv_type)
        policy = ReadingPolicy(exact=backbone.context_tokens)
        kv = ReadingKV(snapshot, policy, backbone.runner.rotation, device=backbone.device, dtype=backbone.dtype)
        read_s = seconds(lambda: list(prefill(backbone.runner, kv, tokens[: task.length], policy, None)))
        turn = _session(backbone, snapshot).turn()
        _decode(backbone, turn, WARM_UP_DECODED)
        token_s = seconds(lambda: _decode(backbone, turn, task.num_decoded)) / task.num_decoded

        def restore() -> None:
            reopened = _snapshot(backbone, Path(folder), tokens[: task.length], task.kv_type)
            backbone.runner.forward(tokens[task.length :], _session(backbone, reopened).turn())

        return Timing(read_s, token_s, 0.0, seconds(restore))


def _snapshot(backbone: Backbone, folder: Path, tokens: list[int], kv_type: str) -> Snapshot:
    store = SnapshotStore(
        folder,
        layouts=backbone.runner.layouts,
        identity=backbone.snapshot_identity(),
        kv_dtype=KVDtype(kv_type),
        disk_budget_bytes=None,
    )
    return store.open(tokens, ["document"])


def _session(backbone: Backbone, snapshot: Snapshot) -> SessionKV:
    source = OpenSnapshots([snapshot], device=backbone.device, dtype=backbone.dtype, cache=None)
    runner = backbone.runner
    return SessionKV(
        source,
        runner.layouts,
        runner.rotation,
        SessionOptions(exact=backbone.context_tokens),
        device=backbone.device,
        dtype=backbone.dtype,
    )


def _decode(backbone: Backbone, turn: SessionKV, number: int) -> None:
    token = 1
    for _ in range(number):
        logits: torch.Tensor = backbone.runner.forward([token], turn)
        token = int(logits.argmax())
