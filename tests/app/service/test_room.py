"""Pages as pictures of another size: what that would cost, that it takes effect, and that nothing is read twice."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pymupdf
import pytest

from app.errors import BadRequest, BadSetting
from app.service import Longleaf
from app.settings import Settings
from tests.llm.test_eyes import write_qwen


@pytest.fixture
def lease(tmp_path: Path) -> Path:
    """A page with a text layer."""
    with pymupdf.open() as pdf:
        pdf.new_page(width=200, height=100).insert_text((10, 30), "The lease begins in March.", fontsize=9)
        pdf.save(tmp_path / "lease.pdf")
    return tmp_path / "lease.pdf"


@pytest.fixture
def seeing(settings: Settings, tmp_path: Path) -> Iterator[Longleaf]:
    """A library whose model, tiny and random, sees every page."""
    model = str(write_qwen(tmp_path / "model"))
    own = replace(settings, model=model, page_images="all", page_px=112, dtype="float32", threads=1)
    opened = Longleaf(own)
    yield opened
    opened.close()


def read(longleaf: Longleaf, entry_id: str) -> list[Any]:
    return [step for step in longleaf.read([entry_id]) if step.stage == "read"]


def test_another_size_takes_other_tokens_and_the_first_reading_is_found_again(seeing: Longleaf, lease: Path) -> None:
    added = seeing.add(lease)
    assert seeing.room([added]) is None  # no tokens are counted yet
    read(seeing, added.id)
    entry = seeing.entry(added.id)
    room = seeing.room([entry])
    assert room is not None
    assert room.pictures is not None
    assert (room.pictures.num_pages, room.pictures.page_px) == (1, 112)
    assert room.pictures.tokens[112] == 2 * 4 + 2  # cells of 28 pixels, and what stands around a picture
    assert room.pictures.tokens[768] == 14 * 27 + 2
    seeing.show_pictures(224, [entry.id])
    larger = seeing.entry(entry.id)
    assert (larger.is_read, larger.tokens) == (False, (entry.tokens or 0) + 4 * 8 - 2 * 4)
    assert read(seeing, entry.id)[0].reused == 0
    assert seeing.entry(entry.id).is_read
    seeing.show_pictures(112, [entry.id])
    assert seeing.entry(entry.id) == replace(entry, kv_bytes=seeing.entry(entry.id).kv_bytes)  # both are on the disk
    assert all(step.reused == step.total for step in read(seeing, entry.id))
    with pytest.raises(BadSetting, match="page_px is 28; it must be between 112 and 4096"):
        seeing.show_pictures(28, [entry.id])
    assert seeing.delete(entry.id).reading_bytes > 0


def test_a_model_that_sees_no_pages_is_not_shown_them_smaller(longleaf: Longleaf, lease: Path) -> None:
    with pytest.raises(BadRequest, match="shown no pages as pictures; start Longleaf with --page-images"):
        longleaf.show_pictures(512, [longleaf.add(lease).id])
