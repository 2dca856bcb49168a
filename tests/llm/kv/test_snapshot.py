"""Snapshots: what is committed comes back, in the bytes that the arithmetic says, and nothing else is ever used."""

import json
import stat
from pathlib import Path

import pytest
import torch

from llm.errors import SnapshotRefused
from llm.kv.codec import Codec, KVDtype
from llm.kv.layout import LayerKind, LayerLayout
from tests.llm.kv.made import (
    CHUNKED,
    CPU,
    FULL,
    LATENT,
    MIXED,
    SLIDING,
    SMOLLM2,
    UNROTATED,
    append,
    assert_holds,
    cut,
    readable_blocks,
    states_of,
    store_of,
)

IDS = list(range(777))
CRC_BYTES = 4


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("step", [1, 7, 64, 100, 512, 777])
def test_what_was_appended_comes_back_whatever_the_step(tmp_path: Path, step: int) -> None:
    states = states_of(MIXED, len(IDS))
    snapshot = store_of(tmp_path).open(IDS, ["doc"])
    append(snapshot, states, until=150, step=step)
    assert_holds(snapshot, states)
    append(snapshot, states, until=777, step=max(step, 50))
    assert snapshot.is_complete
    assert_holds(snapshot, states)
    reopened = store_of(tmp_path).open(IDS, ["doc"])
    assert (reopened.num_tokens, reopened.num_blocks, reopened.is_complete) == (777, 12, True)
    assert_holds(reopened, states)
    reopened.check_integrity()


def test_a_stream_shorter_than_a_block_is_all_tail(tmp_path: Path) -> None:
    states = states_of(MIXED, 10)
    snapshot = store_of(tmp_path, MIXED, KVDtype.INT8).open(IDS[:10], ["doc"])
    append(snapshot, states, until=10, step=4)
    assert (snapshot.num_blocks, snapshot.is_complete, len(snapshot.bounds(0))) == (0, True, 0)
    assert_holds(store_of(tmp_path, MIXED, KVDtype.INT8).open(IDS[:10], ["doc"]), states)
    snapshot.check_integrity()


@pytest.mark.parametrize("kv_dtype", list(KVDtype))
def test_the_bytes_do_not_depend_on_the_step(tmp_path: Path, kv_dtype: KVDtype) -> None:
    """A reading that was stopped and went on is the same reading."""
    states = [(key.bfloat16(), value.bfloat16()) for key, value in states_of((FULL, LATENT), len(IDS))]
    written = []
    for step in (777, 64, 50):
        snapshot = store_of(tmp_path / str(step), (FULL, LATENT), kv_dtype).open(IDS, ["doc"])
        append(snapshot, states, until=777, step=step)
        written.append(files_of(snapshot.folder))
    assert written[0] == written[1] == written[2]


def test_the_tail_stays_in_the_dtype_it_came_in(tmp_path: Path) -> None:
    states = [(key.bfloat16(), value.bfloat16()) for key, value in states_of((FULL,), 100)]
    snapshot = store_of(tmp_path, (FULL,), KVDtype.INT8).open(IDS[:100], ["doc"])
    append(snapshot, states, until=100, step=30)
    key, value = (
        store_of(tmp_path, (FULL,), KVDtype.INT8).open(IDS[:100], ["doc"]).tail(0, device=CPU, dtype=torch.bfloat16)
    )
    assert torch.equal(key, states[0][0][:, 64:])
    assert torch.equal(value, states[0][1][:, 64:])


def test_bounds_are_those_of_the_blocks_and_grow_with_them(tmp_path: Path) -> None:
    states = states_of(MIXED, len(IDS))
    snapshot = store_of(tmp_path, MIXED, KVDtype.INT8).open(IDS, ["doc"])
    assert snapshot.bounds(0).shape == (0, 2, 2, 16)
    for until in (200, 777):
        append(snapshot, states, until=until)
        for layer in (0, 3, 4):
            key = states[layer][0][:, : snapshot.num_blocks * 64]
            _, expected = Codec(MIXED[layer], KVDtype.INT8).encode(key, key)
            assert torch.equal(snapshot.bounds(layer), expected)
    assert torch.equal(store_of(tmp_path, MIXED, KVDtype.INT8).open(IDS, ["doc"]).bounds(3), snapshot.bounds(3))


def test_writing_to_bounds_by_mistake_never_reaches_the_file(tmp_path: Path) -> None:
    snapshot = store_of(tmp_path).open(IDS, ["doc"])
    append(snapshot, states_of(MIXED, len(IDS)), until=777)
    before = (snapshot.folder / "bounds.bin").read_bytes()
    snapshot.bounds(0).fill_(7)
    assert (snapshot.folder / "bounds.bin").read_bytes() == before


@pytest.mark.parametrize("layout", [FULL, UNROTATED, LATENT])
@pytest.mark.parametrize("kv_dtype", list(KVDtype))
def test_layers_that_keep_all_cost_what_the_arithmetic_says(
    tmp_path: Path, layout: LayerLayout, kv_dtype: KVDtype
) -> None:
    """12 blocks of numbers at their width, value scales, checksums; bounds of 2 x K x C x 2 bytes; 9 tokens of tail."""
    bits = {KVDtype.FLOAT32: 32, KVDtype.BFLOAT16: 16, KVDtype.INT8: 8, KVDtype.INT4: 4}[kv_dtype]
    snapshot = store_of(tmp_path, (layout,), kv_dtype).open(IDS, ["doc"])
    append(snapshot, states_of((layout,), len(IDS)), until=777)
    sizes = {path.name: path.stat().st_size for path in snapshot.folder.iterdir()}
    scales = 64 * layout.value_heads * 2 if bits < 16 else 0
    assert sizes.pop("manifest.json") < 2000
    assert sizes == {
        "blocks.bin": 12 * (64 * layout.values_per_token * bits // 8 + scales + CRC_BYTES),
        "bounds.bin": 12 * 2 * layout.key_heads * layout.key_width * 2,
        "tail-777.bin": 9 * layout.values_per_token * 4,
    }


@pytest.mark.parametrize("layout", [CHUNKED, SLIDING])
def test_layers_with_a_reach_keep_what_is_seen_and_one_commit(tmp_path: Path, layout: LayerLayout) -> None:
    ids = list(range(2000))
    states = states_of((layout,), len(ids))
    snapshot = store_of(tmp_path, (layout,)).open(ids, ["doc"])
    row_bytes = 64 * layout.values_per_token * 4 + 2 * layout.key_heads * layout.key_width * 2 + CRC_BYTES
    assert layout.reach is not None
    most_blocks = layout.reach // 64 + 2 + 2  # a window may straddle one block more; a commit of 70 tokens closes two
    for until in range(70, 2000, 70):
        append(snapshot, states, until=until, step=70)
        assert_holds(snapshot, states)
        kept = [path.stat().st_size // row_bytes for path in snapshot.folder.glob("last-*.bin")]
        assert len(readable_blocks(snapshot, 0)) <= sum(kept) <= most_blocks


def test_the_blocks_that_a_commit_closed_are_read_back_in_every_layer(tmp_path: Path) -> None:
    states = states_of((FULL, SLIDING), 640)
    snapshot = store_of(tmp_path, (FULL, SLIDING)).open(IDS, ["doc"])
    append(snapshot, states, until=640, step=640)
    key, _ = snapshot.blocks(1, torch.arange(10), device=CPU, dtype=torch.float32)
    assert torch.equal(key, states[1][0])


def test_smollm2_in_8_bits_costs_less_than_12_9_kb_a_token(tmp_path: Path) -> None:
    """A million tokens in less than 14 GB, with bounds and checksums."""
    ids = list(range(1024))
    snapshot = store_of(tmp_path, SMOLLM2, KVDtype.INT8).open(ids, ["doc"])
    append(snapshot, states_of(SMOLLM2, len(ids)), until=len(ids), step=512)
    bytes_a_token = sum(path.stat().st_size for path in snapshot.folder.iterdir()) / len(ids)
    assert 30 * 6 * 64 < bytes_a_token < 12_100
    assert bytes_a_token * 1_048_576 < 14e9
    assert snapshot.bytes_on_disk / len(ids) < 12_900


def test_the_manifest_does_not_grow_with_length(tmp_path: Path) -> None:
    sizes = []
    for num_tokens in (500, 5000):
        ids = list(range(num_tokens))
        snapshot = store_of(tmp_path).open(ids, ["doc"])
        append(snapshot, states_of(MIXED, num_tokens), until=num_tokens, step=500)
        sizes.append((snapshot.folder / "manifest.json").stat().st_size)
    assert abs(sizes[1] - sizes[0]) < 100


def test_files_are_private(tmp_path: Path) -> None:
    snapshot = store_of(tmp_path / "kv").open(IDS, ["doc"])
    append(snapshot, states_of(MIXED, len(IDS)), until=200)
    assert stat.S_IMODE(snapshot.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in snapshot.folder.iterdir()} == {0o600}


def test_anything_made_from_something_else_is_not_used(tmp_path: Path) -> None:
    states = states_of(MIXED, len(IDS))
    append(store_of(tmp_path).open(IDS, ["doc"]), states, until=777)
    assert store_of(tmp_path, identity="weights-b").open(IDS, ["doc"]).num_tokens == 0
    assert store_of(tmp_path, MIXED, KVDtype.BFLOAT16).open(IDS, ["doc"]).num_tokens == 0
    assert store_of(tmp_path, MIXED[:4]).open(IDS, ["doc"]).num_tokens == 0
    other_reach = LayerLayout(LayerKind.CHUNKED, 2, 16, 2, 16, reach=64)
    assert store_of(tmp_path, (FULL, other_reach, *MIXED[2:])).open(IDS, ["doc"]).num_tokens == 0
    assert store_of(tmp_path).open(IDS[:-1], ["doc"]).num_tokens == 0
    assert store_of(tmp_path).open([*IDS[:-1], 5], ["doc"]).num_tokens == 0


@pytest.mark.parametrize(
    ("part", "change"),
    [("identity", "weights-b"), ("format", 1), ("kv_dtype", "int8"), ("tokens_sha256", "0"), ("block_tokens", 128)],
)
def test_a_manifest_at_the_wrong_place_is_not_used(tmp_path: Path, part: str, change: object) -> None:
    states = states_of(MIXED, len(IDS))
    snapshot = store_of(tmp_path).open(IDS, ["doc"])
    append(snapshot, states, until=300)
    path = snapshot.folder / "manifest.json"
    content = json.loads(path.read_text())
    content["origin"][part] = change
    path.write_text(json.dumps(content))
    again = store_of(tmp_path).open(IDS, ["doc"])
    assert again.num_tokens == 0
    append(again, states, until=777)  # and what it left behind is overwritten
    assert_holds(again, states)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"origin": 3}', '{"commit": {}}'])
def test_a_broken_manifest_is_not_used(tmp_path: Path, content: str) -> None:
    snapshot = store_of(tmp_path).open(IDS, ["doc"])
    append(snapshot, states_of(MIXED, len(IDS)), until=300)
    (snapshot.folder / "manifest.json").write_text(content)
    assert store_of(tmp_path).open(IDS, ["doc"]).num_tokens == 0


def test_blocks_that_are_not_committed_are_not_read(tmp_path: Path) -> None:
    snapshot = store_of(tmp_path).open(IDS, ["doc"])
    append(snapshot, states_of(MIXED, len(IDS)), until=300)
    for index in (4, -1):
        with pytest.raises(AssertionError, match="committed"):
            snapshot.blocks(0, torch.tensor([index]), device=CPU, dtype=torch.float32)
    with pytest.raises(AssertionError, match="keeps the blocks asked for"):
        snapshot.blocks(1, torch.tensor([0]), device=CPU, dtype=torch.float32)


def test_more_than_the_stream_is_never_appended(tmp_path: Path) -> None:
    snapshot = store_of(tmp_path).open(IDS, ["doc"])
    states = states_of(MIXED, 800)
    with pytest.raises(AssertionError, match="tokens of the stream"):
        snapshot.append(cut(states, 0, 800), 800)


def test_a_discarded_snapshot_is_empty_and_can_be_written_anew(tmp_path: Path) -> None:
    store, states = store_of(tmp_path), states_of(MIXED, len(IDS))
    snapshot = store.open(IDS, ["doc"])
    append(snapshot, states, until=777)
    assert store.discard(snapshot) > 777 * 4
    assert (snapshot.num_tokens, snapshot.folder.exists()) == (0, False)
    other = states_of(MIXED, len(IDS), seed=1)
    append(snapshot, other, until=500)
    assert_holds(snapshot, other)
    snapshot.check_integrity()


def test_a_reader_keeps_its_commit_while_the_writer_goes_on(tmp_path: Path) -> None:
    states = states_of(MIXED, len(IDS))
    writer = store_of(tmp_path).open(IDS, ["doc"])
    append(writer, states, until=300)
    reader = store_of(tmp_path).open(IDS, ["doc"])
    append(writer, states, until=777)
    assert reader.num_tokens == 300
    key, value = reader.blocks(0, torch.arange(4), device=CPU, dtype=torch.float32)
    assert torch.equal(key, states[0][0][:, :256])
    assert torch.equal(value, states[0][1][:, :256])
    with pytest.raises(SnapshotRefused, match=r"has no tail-300.bin any more.*open it again"):
        reader.tail(0, device=CPU, dtype=torch.float32)


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    states = states_of(MIXED, len(IDS))
    first, second = (store_of(tmp_path).open(IDS, ["doc"]) for _ in range(2))
    append(first, states, until=100)
    with pytest.raises(SnapshotRefused, match=r"has 100 tokens, but 0 when it was opened.*open it again"):
        append(second, states, until=100)
    assert_holds(first, states)
    append(store_of(tmp_path).open(IDS, ["doc"]), states, until=777)
    with pytest.raises(SnapshotRefused, match="has 777 tokens, but 100"):
        append(first, states, until=200)
