"""The store: found again, forgotten by document without a model, evicted by age; space is free at once."""

import json
import os
import sys
from pathlib import Path

import pytest
import torch

from llm.errors import SnapshotRefused
from llm.kv.snapshot import Snapshot
from llm.kv.store import bytes_of, forget
from tests.llm.kv.made import CPU, MIXED, append, assert_holds, states_of, store_of

STATES = states_of(MIXED, 300)


def written(root: Path, first_id: int, documents: list[str]) -> Snapshot:
    snapshot = store_of(root).open(list(range(first_id, first_id + 300)), documents)
    append(snapshot, STATES, until=300)
    return snapshot


def test_forgetting_takes_every_snapshot_of_the_document_and_no_other(tmp_path: Path) -> None:
    gone, shared = written(tmp_path, 0, ["a"]), written(tmp_path, 1, ["b", "a"])
    kept = written(tmp_path, 2, ["c"])
    size = bytes_of(tmp_path, {"a"})
    assert size == gone.bytes_on_disk + shared.bytes_on_disk > 0
    assert forget(tmp_path, {"a"}) == size
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [kept.folder.name]
    assert bytes_of(tmp_path, {"a"}) == forget(tmp_path, {"a"}) == 0
    assert_holds(kept, STATES)


def test_a_store_forgets_as_the_functions_do(tmp_path: Path) -> None:
    written(tmp_path, 0, ["a"])
    store = store_of(tmp_path)
    size = store.bytes_of({"a"})
    assert store.forget({"a"}) == size > 0
    assert store.bytes_of({"a"}) == 0


def test_snapshots_of_any_format_are_forgotten(tmp_path: Path) -> None:
    old = tmp_path / "0123"
    old.mkdir()
    (old / "manifest.json").write_text(json.dumps({"format": 1, "documents": ["a"], "chunks": []}))
    (old / "chunk-00000.safetensors").write_bytes(bytes(9000))
    assert forget(tmp_path, {"a"}) >= 9000
    assert not old.exists()


def test_nothing_is_forgotten_where_nothing_is(tmp_path: Path) -> None:
    assert forget(tmp_path / "none", {"a"}) == bytes_of(tmp_path / "none", {"a"}) == 0
    assert not (tmp_path / "none").exists()
    assert store_of(tmp_path / "none", budget_bytes=1).evict(()) == 0


def test_the_same_tokens_of_another_document_are_found_by_both(tmp_path: Path) -> None:
    written(tmp_path, 0, ["a"])
    again = store_of(tmp_path).open(list(range(300)), ["b"])
    assert again.is_complete
    assert again.document_ids == ("a", "b")
    assert bytes_of(tmp_path, {"b"}) == again.bytes_on_disk
    assert forget(tmp_path, {"b"}) > 0
    assert store_of(tmp_path).open(list(range(300)), ["a"]).num_tokens == 0


def test_a_document_that_joins_while_another_process_reads_is_kept(tmp_path: Path) -> None:
    ids = list(range(300))
    writer = store_of(tmp_path).open(ids, ["a"])
    append(writer, STATES, until=100)
    store_of(tmp_path).open(ids, ["b"])
    append(writer, STATES, until=300)
    assert store_of(tmp_path).open(ids, ["a"]).document_ids == ("a", "b")


def test_the_least_recently_used_go_first_until_under_budget(tmp_path: Path) -> None:
    snapshots = [written(tmp_path, first_id, ["a"]) for first_id in range(4)]
    for age, snapshot in enumerate(snapshots):
        os.utime(snapshot.folder / "manifest.json", ns=(0, 10**9 * (age + 1)))
    store_of(tmp_path).open(list(range(300)), ["a"])  # the oldest is used again
    size = snapshots[0].bytes_on_disk
    store = store_of(tmp_path, budget_bytes=2 * size)
    assert store.evict([snapshots[1].folder]) == 2 * size
    assert [snapshot.folder.exists() for snapshot in snapshots] == [True, True, False, False]
    assert store.evict([]) == 0
    assert store_of(tmp_path, budget_bytes=0).evict([snapshots[0].folder]) == size
    assert store_of(tmp_path, budget_bytes=None).evict([]) == 0
    assert_holds(store_of(tmp_path).open(list(range(300)), ["a"]), STATES)


def test_what_a_kill_left_before_its_first_commit_goes_first(tmp_path: Path) -> None:
    snapshot = written(tmp_path, 0, ["a"])
    leftover = tmp_path / "ff"
    leftover.mkdir()
    (leftover / "blocks.bin").write_bytes(bytes(50_000))
    assert store_of(tmp_path, budget_bytes=snapshot.bytes_on_disk).evict([]) >= 50_000
    assert (leftover.exists(), snapshot.folder.exists()) == (False, True)


def test_a_snapshot_that_was_forgotten_is_refused_not_misread(tmp_path: Path) -> None:
    snapshot = written(tmp_path, 0, ["a"])
    bounds = snapshot.bounds(0)
    forget(tmp_path, {"a"})
    with pytest.raises(SnapshotRefused, match=r"has no blocks.bin any more, because it was deleted"):
        snapshot.blocks(0, torch.tensor([0]), device=CPU, dtype=torch.float32)
    assert bounds.shape == (4, 2, 2, 16)
    bounds.sum()  # still mapped: reading it is harmless


def test_an_append_to_a_snapshot_that_was_forgotten_is_refused(tmp_path: Path) -> None:
    snapshot = store_of(tmp_path).open(list(range(300)), ["a"])
    append(snapshot, STATES, until=100)
    forget(tmp_path, {"a"})
    with pytest.raises(SnapshotRefused, match="has 0 tokens, but 100 when it was opened"):
        append(snapshot, STATES, until=200)
    assert not snapshot.folder.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="holes are punched on Linux")
def test_space_is_free_at_once_while_files_are_open_and_mapped(tmp_path: Path) -> None:
    snapshot = written(tmp_path, 0, ["a"])
    snapshot.bounds(0)  # maps bounds.bin
    with (snapshot.folder / "bounds.bin").open("rb") as bounds, (snapshot.folder / "blocks.bin").open("rb") as blocks:
        assert os.fstat(bounds.fileno()).st_blocks > 0
        forget(tmp_path, {"a"})
        assert os.fstat(bounds.fileno()).st_blocks == os.fstat(blocks.fileno()).st_blocks == 0
