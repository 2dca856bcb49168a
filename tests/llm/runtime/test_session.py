"""Sessions over snapshots: composed, forked, retrieved from, resumed; and what a reading shows of itself."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch

from llm.backbone import Backbone
from llm.kv import reader
from llm.kv.codec import KVDtype
from llm.kv.layout import BLOCK_TOKENS
from llm.kv.snapshot import Snapshot
from llm.kv.store import SnapshotStore
from llm.runtime.opened import OpenSnapshots
from llm.runtime.policy import ReadingPolicy
from llm.runtime.reading_kv import ReadingKV
from llm.runtime.selection import SelectionOptions
from llm.runtime.session import SessionKV, SessionOptions

CPU, FLOAT = torch.device("cpu"), torch.float32
WINDOWED = ReadingPolicy(exact=256, sinks=64, window=128, epoch=128)
FEW = SessionOptions(exact=0, window=64, selection=SelectionOptions(selected=3, candidates=6, groups=2, from_prior=1))


def text(length: int, seed: int = 0) -> list[int]:
    return torch.randint(2, 200, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


def snapshot_of(tiny: Backbone, folder: Path, ids: list[int], kv_dtype: KVDtype = KVDtype.FLOAT32) -> Snapshot:
    store = SnapshotStore(
        folder, layouts=tiny.runner.layouts, identity="test", kv_dtype=kv_dtype, disk_budget_bytes=None
    )
    return store.open(ids, [f"document-{len(ids)}"])


def reading(snapshot: Snapshot, tiny: Backbone, policy: ReadingPolicy = WINDOWED) -> ReadingKV:
    return ReadingKV(snapshot, policy, tiny.runner.rotation, device=CPU, dtype=FLOAT)


def read(tiny: Backbone, folder: Path, ids: list[int], policy: ReadingPolicy = WINDOWED) -> Snapshot:
    snapshot = snapshot_of(tiny, folder, ids)
    kv = reading(snapshot, tiny, policy)
    for start in range(0, len(ids), 96):
        tiny.runner.forward(ids[start : start + 96], kv)
    return snapshot


def session(tiny: Backbone, snapshots: list[Snapshot], options: SessionOptions) -> SessionKV:
    source = OpenSnapshots(snapshots, device=CPU, dtype=FLOAT)
    return SessionKV(source, tiny.runner.layouts, tiny.runner.rotation, options, device=CPU, dtype=FLOAT)


@pytest.mark.parametrize("kv_dtype", [KVDtype.FLOAT32, KVDtype.INT8])
@pytest.mark.parametrize("stopped_at", [96, 256, 300, 512, 640])
def test_a_reading_goes_on_bit_for_bit_where_it_stopped(
    tiny: Backbone, tmp_path: Path, kv_dtype: KVDtype, stopped_at: int
) -> None:
    ids = text(800)
    borders = [0, 96, 256, 300, 512, 640, 800]
    through = reading(snapshot_of(tiny, tmp_path / "through", ids, kv_dtype), tiny)
    parted = reading(snapshot_of(tiny, tmp_path / "parted", ids, kv_dtype), tiny)
    for start, end in pairwise(borders):
        if start == stopped_at:
            parted = reading(snapshot_of(tiny, tmp_path / "parted", ids, kv_dtype), tiny)
            assert parted.num_tokens == stopped_at
        whole, resumed = (tiny.runner.forward(ids[start:end], kv) for kv in (through, parted))
        assert torch.equal(whole, resumed)


def test_beyond_the_exact_length_a_reading_shows_sinks_and_a_bounded_window(tiny: Backbone, tmp_path: Path) -> None:
    ids = text(1500)
    kv = reading(snapshot_of(tiny, tmp_path, ids), tiny)
    most = 0
    for start in range(0, len(ids), 32):
        tiny.runner.forward(ids[start : start + 32], kv)
        most = max(most, kv.layers[0].num_shown)
    assert most == max(WINDOWED.exact, WINDOWED.sinks + WINDOWED.window + WINDOWED.epoch)
    assert kv.num_tokens == 1500


def test_snapshots_open_together_as_one_text_numbered_compactly(tiny: Backbone, tmp_path: Path) -> None:
    """Three documents, the second shorter than a block: the states of each, side by side, and a pass over them."""
    parts = [text(130, 1), text(20, 2), text(64, 3)]
    snapshots = [read(tiny, tmp_path, ids) for ids in parts]
    together = session(tiny, snapshots, SessionOptions(exact=1000))
    assert together.is_exact
    assert together.num_tokens == 214
    by_hand = tiny.empty_kv()
    for layer, made in enumerate(by_hand.layers):
        for ids in parts:
            alone = tiny.empty_kv()
            states = []
            for start in range(0, len(ids), 96):
                tiny.runner.forward(ids[start : start + 96], alone)
                states.append(alone.layers[layer].latest)
            made.show(torch.cat([key for key, _ in states if key is not None], 1), torch.cat([v for _, v in states], 1))
    by_hand.num_tokens = 214
    question = text(9, 4)
    expected = tiny.runner.forward(question, by_hand)
    torch.testing.assert_close(tiny.runner.forward(question, together.turn()), expected, atol=1e-5, rtol=0)


def test_a_turn_leaves_no_trace_and_turns_branch(tiny: Backbone, tmp_path: Path) -> None:
    base = session(tiny, [read(tiny, tmp_path, text(200))], SessionOptions(exact=1000))
    ask, follow, other = text(12, 5), text(7, 6), text(7, 7)
    first = base.turn()
    alone = tiny.runner.forward(ask, first)
    second, third = first.turn(), first.turn()  # two ways to go on from the same turn
    followed = tiny.runner.forward(follow, second)
    branched = tiny.runner.forward(other, third)
    again = base.turn()
    assert torch.equal(tiny.runner.forward(ask, again), alone)
    assert torch.equal(tiny.runner.forward(follow, again), followed)
    assert torch.equal(tiny.runner.forward(other, first), branched)
    assert base.num_tokens == 200


def test_a_released_turn_lets_the_next_append_in_place(tiny: Backbone, tmp_path: Path) -> None:
    base = session(tiny, [read(tiny, tmp_path, text(200))], SessionOptions(exact=1000))
    buffers = [layer._buffers for layer in base.layers]
    for seed in range(3):
        turn = base.turn()
        tiny.runner.forward(text(5, seed), turn)
        assert [layer._buffers for layer in turn.layers] == buffers
        turn.release()


def test_retrieval_shows_sinks_selection_and_end_and_finds_what_the_question_repeats(
    tiny: Backbone, tmp_path: Path
) -> None:
    ids = text(64 * 40)
    turn = session(tiny, [read(tiny, tmp_path, ids)], FEW).turn(prior=[17])
    tiny.runner.forward(text(10, 8), turn)
    for layer in turn.layers:
        assert layer.num_shown == 64 + 3 * 64 + 64 + 10
        assert layer.selection is not None
        assert 17 in layer.selection.blocks.tolist()
    assert set(turn.votes()) == {0, 1}
    assert turn.num_tokens == 64 * 40 + 10


def test_the_selection_is_kept_while_decoding_and_looked_at_again(tiny: Backbone, tmp_path: Path) -> None:
    turn = session(tiny, [read(tiny, tmp_path, text(64 * 40))], FEW).turn()
    tiny.runner.forward(text(10, 8), turn)
    asked = turn.layers[0].selection
    for step in range(15):
        tiny.runner.forward([step], turn)
        assert turn.layers[0].selection is asked
    calls = []
    chooser = turn.layers[0].chooser
    assert chooser is not None
    choose = chooser.choose
    chooser.choose = lambda *args: calls.append(args) or choose(*args)  # type: ignore[method-assign, func-returns-value]
    tiny.runner.forward([3], turn)
    assert len(calls) == 1
    assert calls[0][0].shape[1] == 16  # the queries of all steps since


def test_only_the_heads_and_tokens_that_ask_vote(tiny: Backbone, tmp_path: Path) -> None:
    source = session(tiny, [read(tiny, tmp_path, text(64 * 40))], FEW)
    question = text(10, 8)
    shares = []
    for asking, heads in ((None, ()), (range(3, 7), ()), (range(3, 7), (2,))):
        turn = source.turn(asking=asking, retrieving={1: heads})
        tiny.runner.forward(question, turn)
        shares.append(turn.votes()[1].shares)
    assert not torch.equal(shares[0], shares[1])
    assert not torch.equal(shares[1], shares[2])


def test_places_and_blocks_agree(tiny: Backbone, tmp_path: Path) -> None:
    source = OpenSnapshots(
        [read(tiny, tmp_path, text(length, length)) for length in (130, 20, 64)], device=CPU, dtype=FLOAT
    )
    assert source.num_blocks == 3 + 1 + 1
    for block in range(source.num_blocks):
        place = source.place(block)
        assert list(source.blocks_of(place.snapshot_index, place.start, place.end)) == [block]
    assert sum(source.place(block).end - source.place(block).start for block in range(5)) == source.num_tokens
    key, _ = source.gather(0, [4, 0, 3])
    assert key.shape[1] == 64 + 64 + 20
    assert source.keys(0, torch.tensor([2, 3])).shape[1:3] == (2, BLOCK_TOKENS)


def test_a_turn_upon_a_turn_asks_with_its_own_question_alone(tiny: Backbone, tmp_path: Path) -> None:
    base = session(tiny, [read(tiny, tmp_path, text(64 * 40))], FEW)
    first = base.turn()
    tiny.runner.forward(text(10, 8), first)
    tiny.runner.forward([5], first)  # a decoded token, whose query waits for the next look
    second = first.turn(asking=range(2, 4))
    assert first.layers[0]._asked
    assert not second.layers[0]._asked
    tiny.runner.forward(text(6, 9), second)
    assert second.votes()[0].shares.isfinite().all()


@pytest.mark.parametrize("lengths", [[3000], [3000, 70, 200, 3010], [40, 3000]])
def test_opened_by_an_overview_a_session_sees_the_same(
    tiny: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lengths: list[int]
) -> None:
    for seed, length in enumerate(lengths):
        read(tiny, tmp_path, text(length, seed))
    few = len(lengths) == 1  # groups do not reach over the ends of snapshots, so the best of several may be others
    options = SessionOptions(
        exact=0, window=64, selection=SelectionOptions(selected=3, candidates=6, groups=2 if few else 99)
    )
    seen = []
    for min_blocks in (10_000, 8):
        monkeypatch.setattr(reader, "_MIN_BLOCKS", min_blocks)
        turn = session(
            tiny, [snapshot_of(tiny, tmp_path, text(n, seed)) for seed, n in enumerate(lengths)], options
        ).turn()
        seen.append((tiny.runner.forward(text(9, 50), turn), turn.votes()))
    assert len(list(tmp_path.glob("*/overview.bin"))) == sum(length > 512 for length in lengths)
    (plain, plain_votes), (fast, fast_votes) = seen
    assert torch.equal(plain, fast)
    assert all(torch.equal(plain_votes[layer].blocks, fast_votes[layer].blocks) for layer in plain_votes)
