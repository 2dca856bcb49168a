"""Ways to the same logits over snapshots on disk: opened again, opened in a new process, streamed, retrieved.

All store in float32, so that nothing but the order of summation may differ from a working set in memory.
"""

import multiprocessing
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from app.bench.checkpoints import Checkpoint
from llm.kv.codec import KVDtype
from llm.kv.layout import BLOCK_TOKENS
from llm.kv.snapshot import Snapshot
from llm.kv.store import SnapshotStore
from llm.kv.tiers import BlockCache
from llm.runtime.opened import OpenSnapshots
from llm.runtime.policy import ReadingPolicy
from llm.runtime.reading_kv import ReadingKV
from llm.runtime.runner import Runner
from llm.runtime.runners import runner_of
from llm.runtime.selection import SelectionOptions
from llm.runtime.session import SessionKV, SessionOptions

_CPU = torch.device("cpu")
_EXACT = 1 << 20
_ALL = SelectionOptions(selected=_EXACT, candidates=_EXACT, groups=_EXACT)


class StoredWay:
    """Reads all but the last token into a snapshot, opens it with other objects, and goes on from there."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        budget_blocks: int | None = None,
        retrieves: bool = False,
        in_child: bool = False,
    ) -> None:
        """`budget_blocks`: of one layer, on the device. `retrieves`: through selection, with every block selected."""
        self._checkpoint = checkpoint
        self._runner = runner_of(checkpoint.load())
        self._budget_blocks, self._retrieves, self._in_child = budget_blocks, retrieves, in_child

    def __call__(self, read: Sequence[int], decoded: Sequence[int], chunk: int) -> torch.Tensor:
        with tempfile.TemporaryDirectory(prefix="longleaf-stored-") as folder:
            snapshot = open_snapshot(self._runner, Path(folder), read)
            kv = ReadingKV(
                snapshot, ReadingPolicy(exact=_EXACT), self._runner.rotation, device=_CPU, dtype=torch.float32
            )
            for start in range(0, len(read) - 1, chunk):
                self._runner.forward(read[start : min(start + chunk, len(read) - 1)], kv)
            if self._in_child:
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    return pool.apply(decode_stored, (self._checkpoint, Path(folder), list(read), list(decoded)))
            return self._go_on(Path(folder), read, decoded)

    def _go_on(self, folder: Path, read: Sequence[int], decoded: Sequence[int]) -> torch.Tensor:
        runner, budget = self._runner, None
        if self._budget_blocks is not None:
            largest = max(layout.values_per_token for layout in runner.layouts)
            budget = self._budget_blocks * BLOCK_TOKENS * largest * torch.float32.itemsize
        options = SessionOptions(exact=0 if self._retrieves else _EXACT, selection=_ALL, device_budget_bytes=budget)
        return decode(runner, open_snapshot(runner, folder, read), read, decoded, options)


def open_snapshot(runner: Runner, folder: Path, read: Sequence[int]) -> Snapshot:
    """The snapshot of all tokens but the last."""
    store = SnapshotStore(
        folder, layouts=runner.layouts, identity="exact", kv_dtype=KVDtype.FLOAT32, disk_budget_bytes=None
    )
    return store.open(list(read[:-1]), ["document"])


def decode(
    runner: Runner, snapshot: Snapshot, read: Sequence[int], decoded: Sequence[int], options: SessionOptions
) -> torch.Tensor:
    """Logits (1 + N, V) of the last token read and of each decoded token, over the snapshot."""
    budget = options.device_budget_bytes
    cache = None if budget is None else BlockCache(budget, device=_CPU, dtype=torch.float32)
    source = OpenSnapshots([snapshot], device=_CPU, dtype=torch.float32, cache=cache)
    session = SessionKV(source, runner.layouts, runner.rotation, options, device=_CPU, dtype=torch.float32)
    turn = session.turn()
    return torch.stack([runner.forward([token], turn) for token in [read[-1], *decoded]])


def decode_stored(checkpoint: Checkpoint, folder: Path, read: list[int], decoded: list[int]) -> torch.Tensor:
    """As `decode`, with a model loaded for it: what a new process does."""
    runner = runner_of(checkpoint.load())
    return decode(runner, open_snapshot(runner, folder, read), read, decoded, SessionOptions(exact=_EXACT))
