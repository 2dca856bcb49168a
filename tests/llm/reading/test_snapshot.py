"""Snapshots on disk: restored bit for bit, resumed after a kill, refused when foreign or damaged, forgotten wholly."""

from pathlib import Path

import pytest
import torch

from llm.backbone import Backbone
from llm.errors import SnapshotRefused
from llm.reading import ReadingCache, Snapshot, SnapshotStore, prefill
from llm.reading.prefill import forward, remaining_s

TEXT = "The tenant pays the rent on the third working day of each month. " * 20


def read(tiny: Backbone, store: SnapshotStore, ids: list[int], *, chunks: int | None = None) -> Snapshot:
    """Reads `ids`, or only the first `chunks` chunks, committing each."""
    snapshot, cache = store.open("weights-a", ids, ["doc-1"]), ReadingCache()
    for count, progress in enumerate(prefill(tiny, cache, ids), 1):
        snapshot.append(cache, progress.done)
        if count == chunks:
            break
    return snapshot


def test_a_restored_reading_gives_the_same_logits_to_the_bit(tiny: Backbone, tmp_path: Path) -> None:
    ids, store = tiny.prompt.encode(TEXT), SnapshotStore(tmp_path)
    read(tiny, store, ids)
    reopened = SnapshotStore(tmp_path).open("weights-a", ids, ["doc-1"])
    assert reopened.is_complete
    direct = ReadingCache()
    for _ in prefill(tiny, direct, ids):
        pass
    question = tiny.prompt.suffix("When is the rent paid?")
    restored = forward(tiny, reopened.load(tiny.device), question)
    assert torch.equal(restored, forward(tiny, direct, question))


def test_a_killed_reading_goes_on_where_it_was_committed(tiny: Backbone, tmp_path: Path) -> None:
    ids, store = tiny.prompt.encode(TEXT), SnapshotStore(tmp_path)
    begun = read(tiny, store, ids, chunks=1)
    (begun.folder / "chunk-00001.writing").write_bytes(b"half a chunk")  # what a kill leaves behind
    reopened = store.open("weights-a", ids, ["doc-1"])
    assert (reopened.num_tokens, reopened.is_complete) == (512, False)
    cache = reopened.load(tiny.device)
    reports = list(prefill(tiny, cache, ids))
    assert reports[0].reused == 512
    assert reports[-1].done == len(ids)


def test_other_weights_other_tokens_or_a_broken_manifest_are_never_used(tiny: Backbone, tmp_path: Path) -> None:
    ids, store = tiny.prompt.encode(TEXT), SnapshotStore(tmp_path)
    snapshot = read(tiny, store, ids)
    assert store.open("weights-b", ids, ["doc-1"]).num_tokens == 0
    assert store.open("weights-a", ids[:-1], ["doc-1"]).num_tokens == 0
    (snapshot.folder / "manifest.json").write_text('{"format": 1, "identity": "other"}')
    assert store.open("weights-a", ids, ["doc-1"]).num_tokens == 0


def test_a_flipped_bit_is_refused_with_a_sentence(tiny: Backbone, tmp_path: Path) -> None:
    ids, store = tiny.prompt.encode(TEXT), SnapshotStore(tmp_path)
    snapshot = read(tiny, store, ids)
    path = snapshot.folder / "chunk-00000.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(SnapshotRefused, match=r"damaged in chunk-00000.safetensors; it is read anew"):
        snapshot.load(tiny.device)


def test_forgetting_a_document_removes_its_files_and_no_others(tiny: Backbone, tmp_path: Path) -> None:
    ids, store = tiny.prompt.encode(TEXT), SnapshotStore(tmp_path)
    read(tiny, store, ids)
    kept = store.open("weights-a", ids[:100], ["doc-2"])
    cache = ReadingCache()
    for progress in prefill(tiny, cache, ids[:100]):
        kept.append(cache, progress.done)
    size = store.bytes_of({"doc-1"})
    assert store.forget({"doc-1"}) == size > 0
    assert [path.name for path in tmp_path.iterdir()] == [kept.folder.name]
    assert store.bytes_of({"doc-1"}) == 0


def test_the_eta_grows_with_a_pace_that_slows() -> None:
    steady = remaining_s([(512, 0.001), (1024, 0.001), (1536, 0.001)], 2560)
    slowing = remaining_s([(512, 0.001), (1024, 0.002), (1536, 0.003)], 2560)
    assert steady == pytest.approx(1.024)
    assert slowing == pytest.approx(1024 * 0.004, rel=0.01)
