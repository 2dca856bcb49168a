"""Blocks kept on a device: never over budget, accounted for to the byte, and without any effect on what comes back."""

from collections.abc import Callable

import pytest
import torch

from llm.kv.codec import KVDtype
from llm.kv.snapshot import Snapshot
from llm.kv.tiers import BlockCache
from tests.llm.kv.made import CPU, FULL, MIXED, append, states_of, store_of

LAYER_BLOCK_BYTES = 64 * FULL.values_per_token * 4
Reads = list[tuple[int, list[int]]]


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    ids = list(range(640))
    made = store_of(tmp_path_factory.mktemp("kv"), MIXED, KVDtype.INT8).open(ids, ["doc"])
    append(made, states_of(MIXED, len(ids)), until=640)
    return made


@pytest.fixture
def reads(snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch) -> Reads:
    """(layer, blocks) of every read of the snapshot."""
    done: Reads = []
    real = snapshot.slots

    def counted(layer: int, indices: torch.Tensor, out: torch.Tensor | None = None) -> object:
        done.append((layer, indices.tolist()))
        return real(layer, indices, out)

    monkeypatch.setattr(snapshot, "slots", counted)
    return done


def cache_of(num_blocks: int) -> BlockCache:
    return BlockCache(num_blocks * LAYER_BLOCK_BYTES, device=CPU, dtype=torch.float32)


def blocks(*indices: int) -> torch.Tensor:
    return torch.tensor(indices)


@pytest.mark.parametrize("budget_blocks", [0, 1, 2, 5, 1000])
def test_what_comes_back_does_not_depend_on_the_budget(snapshot: Snapshot, budget_blocks: int) -> None:
    cache = cache_of(budget_blocks)
    generator = torch.Generator().manual_seed(0)
    for _ in range(60):
        layer = (0, 3, 4)[int(torch.randint(3, (), generator=generator))]
        wanted = torch.randint(10, (int(torch.randint(1, 8, (), generator=generator)),), generator=generator)
        if torch.rand((), generator=generator) < 0.3:
            cache.prefetch(snapshot, layer, wanted)
        key, value = cache.blocks(snapshot, layer, wanted)
        plain_key, plain_value = snapshot.blocks(layer, wanted, device=CPU, dtype=torch.float32)
        assert torch.equal(key, plain_key)
        assert torch.equal(value, plain_value)
        cache.check_integrity()
    assert (cache.used_bytes > 0) == (budget_blocks > 0)


def test_a_block_that_is_kept_is_not_read_again(snapshot: Snapshot, reads: Reads) -> None:
    cache = cache_of(4)
    cache.blocks(snapshot, 0, blocks(1, 2))
    cache.blocks(snapshot, 0, blocks(2, 3, 2))
    cache.blocks(snapshot, 4, blocks(2))
    assert reads == [(0, [1, 2]), (0, [3]), (4, [2])]
    assert cache.used_bytes == 4 * LAYER_BLOCK_BYTES


def test_the_least_recently_used_goes_first(snapshot: Snapshot, reads: Reads) -> None:
    cache = cache_of(3)
    cache.blocks(snapshot, 0, blocks(1, 2, 3))
    cache.blocks(snapshot, 0, blocks(1))
    cache.blocks(snapshot, 0, blocks(4))  # drops 2
    reads.clear()
    cache.blocks(snapshot, 0, blocks(3, 1, 4))
    assert reads == []
    cache.blocks(snapshot, 0, blocks(2))
    assert reads == [(0, [2])]


def test_a_prefetched_block_is_not_read_again(snapshot: Snapshot, reads: Reads) -> None:
    cache = cache_of(4)
    cache.prefetch(snapshot, 0, blocks(3, 4, 3))
    cache.prefetch(snapshot, 0, blocks(4, 3))
    cache.blocks(snapshot, 0, blocks(4, 3))
    assert reads == [(0, [3, 4])]


def test_without_a_budget_prefetching_asks_the_system_and_keeps_nothing(
    snapshot: Snapshot, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr("os.posix_fadvise", lambda _, offset, length, __: asked.append((offset, length)))
    cache = cache_of(0)
    cache.prefetch(snapshot, 3, blocks(7, 2))
    assert reads == []
    row_bytes = (snapshot.folder / "blocks.bin").stat().st_size // 10
    assert [offset // row_bytes for offset, _ in asked] == [7, 2]
    assert {length for _, length in asked} == {snapshot.slot_bytes(3)}
    assert cache.used_bytes == 0


def test_a_kept_block_does_not_keep_its_neighbours(snapshot: Snapshot) -> None:
    cache = cache_of(1)
    cache.blocks(snapshot, 0, blocks(1, 2, 3, 4, 5))
    (kept,) = cache._kept.values()
    assert kept.key.untyped_storage().nbytes() + kept.value.untyped_storage().nbytes() == LAYER_BLOCK_BYTES


@pytest.mark.parametrize("break_it", [lambda cache: setattr(cache, "used_bytes", 1), lambda cache: cache._kept.clear()])
def test_wrong_accounting_is_seen(snapshot: Snapshot, break_it: Callable[[BlockCache], None]) -> None:
    cache = cache_of(3)
    cache.blocks(snapshot, 0, blocks(1))
    break_it(cache)
    with pytest.raises(AssertionError, match="accounted for"):
        cache.check_integrity()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_cuda_blocks_are_those_of_the_cpu(snapshot: Snapshot) -> None:
    device = torch.device("cuda")
    cache = BlockCache(3 * LAYER_BLOCK_BYTES, device=device, dtype=torch.float32)
    for wanted in (blocks(1, 2), blocks(9, 1, 4, 0), blocks(2, 3), blocks(*range(10))):
        cache.prefetch(snapshot, 4, wanted)
        for layer in (0, 4):
            key, value = cache.blocks(snapshot, layer, wanted)
            plain_key, plain_value = snapshot.blocks(layer, wanted, device=CPU, dtype=torch.float32)
            torch.testing.assert_close(key.cpu(), plain_key, rtol=0, atol=1e-6)
            torch.testing.assert_close(value.cpu(), plain_value, rtol=0, atol=1e-6)
        cache.check_integrity()
