"""Every set is a row, and so is everything together."""

from pathlib import Path

import pytest

from app.bench import quality
from app.bench.corpus import contexts
from app.settings import Settings
from llm.training.sources import part_of


def test_every_set_and_all_together_are_rows(
    data: Path, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_out = [passage for passage in contexts(data) if part_of(passage.kind, passage.context) == "test"]
    kind = held_out[0].kind
    chosen = [passage for passage in held_out if passage.kind == kind]
    monkeypatch.setattr(quality, "load_passages", lambda folder, part: {kind: chosen} if part == "test" else {})
    settings = Settings(cache_dir=tmp_path / "cache", model=str(tiny_checkpoint), dtype="float32", threads=1)
    found = quality.run(settings, data, questions=1)
    assert [row["set"] for row in found.rows] == [kind, "form", "all"]
    assert found.rows[-1]["answered"] == sum(row["answered"] for row in found.rows[:-1]) > 0
    assert all(0 <= row["F1"] <= 1 for row in found.rows)
