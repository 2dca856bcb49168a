"""Reading in the background, searching and heat on the packaged model and a sample. Slow: `-m slow` runs it."""

import time
from pathlib import Path

import pytest

from app.jobs import Jobs
from app.service import Longleaf
from app.settings import Settings
from app.web.render import sheet
from app.web.state import View

pytestmark = pytest.mark.slow


def test_a_sample_is_read_searched_and_shows_where_the_model_looked(samples: Path, tmp_path: Path) -> None:
    longleaf = Longleaf(Settings(data_dir=tmp_path / "library"))
    jobs = Jobs(longleaf)
    (job_id,) = jobs.submit([(samples / "contract.pdf", "contract.pdf")])
    deadline = time.monotonic() + 300
    while not jobs.job(job_id).is_finished:
        assert time.monotonic() < deadline, jobs.job(job_id)
        time.sleep(0.1)
    entry = longleaf.entry("contract.pdf")
    assert entry.is_read
    assert entry.tokens == entry.tokens_read
    room = longleaf.room([entry])
    assert room is not None
    assert room.window_tokens > entry.tokens > 1000
    assert room.memory is not None
    assert room.memory.held_bytes == entry.tokens * 30 * 2 * 3 * 64 * 2  # layers, key and value, heads, width, bfloat16
    assert room.pictures is None
    assert any("Ireland" in cite.quote for cite in longleaf.search("Which law governs the agreement?"))
    assert longleaf.suggestions(entry.id)
    list(longleaf.ask([entry.id], "Which law governs this agreement?", conversation="c"))
    (kept,) = longleaf.history.answers("c")
    view = View.of(kept.answer.citations, 0, kept.answer.looked_at)
    shown = sheet.sheet(view, longleaf.document(entry.id), [])
    assert 'class="ll-heat"' in shown + sheet.sheet(
        View(leaf=entry.id, looks=view.looks), longleaf.document(entry.id), []
    )
    assert "ll-box-chosen" in shown
    jobs.close()
    longleaf.close()
