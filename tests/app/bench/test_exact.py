"""The report of exactness: one row a checkpoint and way, and a way that is wrong is named."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch

from app.bench import exact
from app.bench.checkpoints import Checkpoint, tiny


@pytest.fixture(autouse=True)
def only_two_small_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    def two(folder: Path) -> Iterator[Checkpoint]:
        return tiny(folder, ["Llama", "Mistral"])

    monkeypatch.setattr(exact, "tiny", two)
    monkeypatch.setattr(exact, "packaged", lambda cache_dir: iter(()))
    monkeypatch.setattr(exact, "NUM_READ", 30)
    monkeypatch.setattr(exact, "NUM_DECODED", 4)
    monkeypatch.setattr(exact, "CHUNKS", (7, 64))


def test_each_checkpoint_has_a_row_for_each_way_that_carries_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    quick = {name: way for name, way in exact.WAYS.items() if "process" not in name and "retrieval" not in name}
    monkeypatch.setattr(exact, "WAYS", quick)
    report = exact.run(tmp_path)
    assert [(row["model"], row["way"]) for row in report.rows[1:]] == [
        ("Llama", "through transformers"),
        ("Llama", "packed Llama"),
        ("Llama", "saved, a device budget of two blocks"),
        ("Mistral", "through transformers"),
        ("Mistral", "saved, a device budget of two blocks"),
    ]
    assert (report.details["passed"], report.details["failed"]) == (True, [])
    assert {(row["chunk"], row["equal_tokens"]) for row in report.details["by_chunk"]} == {(7, 4), (64, 4)}
    assert "| Mistral | through transformers |" in report.as_markdown("bench exact")


@pytest.mark.parametrize(("offset", "equal"), [(0.01, 4), (None, 0)])
def test_a_wrong_way_fails_by_its_logits_or_by_its_tokens(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, offset: float | None, equal: int
) -> None:
    def wrong(checkpoint: Checkpoint) -> exact.Way:
        right = exact.through_transformers(checkpoint)

        def logits(read: Sequence[int], decoded: Sequence[int], chunk: int) -> torch.Tensor:
            true = right(read, decoded, chunk)
            return -true if offset is None else true + offset

        return logits

    monkeypatch.setattr(exact, "WAYS", {"wrong": wrong})
    report = exact.run(tmp_path)
    assert report.details["failed"] == ["Llama, wrong", "Mistral, wrong"]
    assert [row["equal tokens"] for row in report.rows[1:]] == [equal, equal]
