"""The overview of a long snapshot: what it says is so, it is made once, and nothing damaged is believed."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from llm.errors import SnapshotRefused
from llm.kv import files, overview, reader
from llm.kv.overview import Overview, united
from llm.kv.snapshot import Snapshot
from tests.llm.kv.made import FULL, MIXED, append, states_of, store_of

IDS = list(range(64 * 35 + 10))
LASTING = (0, 3, 4)  # layers of MIXED that keep all tokens


@pytest.fixture(autouse=True)
def _every_snapshot_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_MIN_BLOCKS", 1)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each overview that is made."""
    done: list[int] = []
    real = Overview.of

    def of(bounds: dict[int, torch.Tensor]) -> Overview:
        done.append(len(bounds))
        return real(bounds)

    monkeypatch.setattr(Overview, "of", of)
    return done


def written(folder: Path, until: int = len(IDS)) -> Snapshot:
    snapshot = store_of(folder).open(IDS, ["doc"])
    append(snapshot, states_of(MIXED, len(IDS)), until=until, step=700)
    return snapshot


def reopened(folder: Path) -> Snapshot:
    return store_of(folder).open(IDS, ["doc"])


def test_it_says_what_the_bounds_say_and_is_made_once(tmp_path: Path, made: list[int]) -> None:
    written(tmp_path)
    for _ in range(2):
        snapshot = reopened(tmp_path)
        for layer in LASTING:
            groups, bounds = snapshot.group_bounds(layer), snapshot.bounds(layer)
            assert groups is not None
            assert groups.shape == (3, *bounds.shape[1:])
            for group in range(3):
                part = bounds[16 * group : 16 * (group + 1)]
                assert torch.equal(groups[group, 0], part[:, 0].amin(0))
                assert torch.equal(groups[group, 1], part[:, 1].amax(0))
            blocks = torch.tensor([34, 0, 17])
            assert torch.equal(snapshot.bounds_at(layer, blocks), bounds[blocks])
    assert made == [3]


def test_after_more_was_read_it_is_made_anew(tmp_path: Path, made: list[int]) -> None:
    snapshot = written(tmp_path, until=1400)
    first = snapshot.group_bounds(0)
    append(snapshot, states_of(MIXED, len(IDS)), until=len(IDS))
    second = snapshot.group_bounds(0)
    assert first is not None
    assert second is not None
    assert (len(first), len(second)) == (2, 3)
    assert torch.equal(second, united(reopened(tmp_path).bounds(0)))
    assert len(made) == 2


def spoilt(path: Path, where: int) -> None:
    content = bytearray(path.read_bytes())
    content[where] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [lambda path: spoilt(path, -1), lambda path: spoilt(path, 2), lambda path: path.write_bytes(b"half"), Path.unlink],
    ids=["content", "head", "cut short", "gone"],
)
def test_a_damaged_one_is_made_anew(tmp_path: Path, made: list[int], damage: Callable[[Path], None]) -> None:
    expected = written(tmp_path).group_bounds(0)
    damage(next(tmp_path.glob("*/overview.bin")))
    found = reopened(tmp_path).group_bounds(0)
    assert expected is not None
    assert found is not None
    assert torch.equal(found, expected)
    assert len(made) == 2


def test_bounds_that_are_damaged_behind_it_are_refused_where_they_are_used(tmp_path: Path) -> None:
    written(tmp_path).group_bounds(0)
    group_bytes = 16 * 2 * FULL.key_heads * FULL.key_width * 2
    spoilt(next(tmp_path.glob("*/bounds.bin")), group_bytes + 5)  # layer 0, the second group
    snapshot = reopened(tmp_path)
    snapshot.group_bounds(0)
    snapshot.bounds_at(0, torch.tensor([3, 33]))
    with pytest.raises(SnapshotRefused, match="damaged in the bounds of layer 0"):
        snapshot.bounds_at(0, torch.tensor([3, 16]))
    with pytest.raises(SnapshotRefused, match="damaged in the bounds of layer 0"):
        snapshot.blocks(0, torch.tensor([20]), device=torch.device("cpu"), dtype=torch.float32)
    with pytest.raises(SnapshotRefused, match="damaged in the bounds of layer 0"):
        snapshot.check_integrity()


def test_a_full_disk_harms_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    snapshot = written(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(overview.files, "replace", full)
    assert snapshot.group_bounds(3) is not None
    assert "is not kept: [Errno 28]" in caplog.text
    assert not list(tmp_path.glob("*/overview*"))


def test_a_short_snapshot_has_none_and_a_forgotten_one_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = written(tmp_path)
    before = snapshot.bytes_on_disk
    snapshot.group_bounds(0)
    assert snapshot.bytes_on_disk > before
    assert store_of(tmp_path).forget(["doc"]) > before
    assert not list(tmp_path.glob("*/*"))
    monkeypatch.setattr(reader, "_MIN_BLOCKS", 36)
    assert written(tmp_path).group_bounds(0) is None
    assert files.bytes_below(tmp_path) > 0
    assert not list(tmp_path.glob("*/overview*"))
