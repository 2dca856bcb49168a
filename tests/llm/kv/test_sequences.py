"""Any sequence of appending, reopening, evicting, forgetting and caching equals plain lists of tensors."""

import shutil
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from llm.errors import SnapshotRefused
from llm.kv.codec import KVDtype
from llm.kv.snapshot import Snapshot
from llm.kv.tiers import BlockCache
from tests.llm.kv.made import CPU, FULL, LATENT, SLIDING, States, assert_holds, cut, states_of, store_of

LAYOUTS = (FULL, SLIDING, LATENT)
NUM_TOKENS = 400
STREAMS = {number: [number * 1000 + token for token in range(NUM_TOKENS)] for number in range(3)}
STATES: dict[int, States] = {number: states_of(LAYOUTS, NUM_TOKENS, seed=number) for number in STREAMS}


class Sequences(RuleBasedStateMachine):
    """Three streams in one folder. `committed` is what a plain list of tensors would hold of each."""

    handles = Bundle("handles")

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.committed = dict.fromkeys(STREAMS, 0)
        self.cache = BlockCache(2 * 64 * FULL.values_per_token * 4, device=CPU, dtype=torch.float32)

    def open(self, stream: int) -> Snapshot:
        return store_of(self.root, LAYOUTS, KVDtype.FLOAT32, budget_bytes=0).open(STREAMS[stream], [f"doc-{stream}"])

    @rule(target=handles, stream=st.sampled_from(sorted(STREAMS)))
    def open_again(self, stream: int) -> tuple[int, Snapshot]:
        snapshot = self.open(stream)
        assert snapshot.num_tokens == self.committed[stream]
        return stream, snapshot

    @rule(handle=handles, num_new=st.integers(1, 200))
    def append(self, handle: tuple[int, Snapshot], num_new: int) -> None:
        stream, snapshot = handle
        start = snapshot.num_tokens
        end = min(start + num_new, NUM_TOKENS)
        if start == end:
            return
        states = cut(STATES[stream], start, end)
        if start == self.committed[stream]:
            snapshot.append(states, end - start)
            self.committed[stream] = end
        else:
            with pytest.raises(SnapshotRefused, match="open it again"):
                snapshot.append(states, end - start)

    @rule(handle=handles, data=st.data())
    def read_through_the_cache(self, handle: tuple[int, Snapshot], data: st.DataObject) -> None:
        stream, snapshot = handle
        if not snapshot.num_blocks or snapshot.num_tokens > self.committed[stream]:
            return
        wanted = torch.tensor(data.draw(st.lists(st.integers(0, snapshot.num_blocks - 1), min_size=1, max_size=6)))
        if data.draw(st.booleans()):
            self.cache.prefetch(snapshot, 2, wanted)
        tokens = (wanted[:, None] * 64 + torch.arange(64)).flatten()
        for layer in (0, 2):
            key, value = self.cache.blocks(snapshot, layer, wanted)
            assert torch.equal(key, STATES[stream][layer][0][:, tokens])
            assert torch.equal(value, STATES[stream][layer][1][:, tokens])

    @rule(handle=handles)
    def discard(self, handle: tuple[int, Snapshot]) -> None:
        stream, snapshot = handle
        snapshot.discard()
        assert snapshot.num_tokens == 0
        self.committed[stream] = 0

    @rule(stream=st.sampled_from(sorted(STREAMS)))
    def forget(self, stream: int) -> None:
        removed = store_of(self.root).forget([f"doc-{stream}"])
        assert (removed > 0) == (self.committed[stream] > 0)
        self.committed[stream] = 0

    @rule(keep=st.sampled_from(sorted(STREAMS)))
    def evict_all_but(self, keep: int) -> None:
        store_of(self.root, budget_bytes=0).evict([self.open(keep).folder])
        self.committed = {stream: count if stream == keep else 0 for stream, count in self.committed.items()}

    @invariant()
    def every_stream_holds_what_was_committed(self) -> None:
        for stream, count in self.committed.items():
            snapshot = self.open(stream)
            assert snapshot.num_tokens == count
            assert_holds(snapshot, STATES[stream])
        self.cache.check_integrity()

    def teardown(self) -> None:
        shutil.rmtree(self.root)


TestSequences = Sequences.TestCase
TestSequences.settings = settings(
    max_examples=30, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
