"""The page's services over the small engine, and values to show."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.jobs import Jobs
from app.service import Longleaf
from app.web.host.uploads import Uploads
from app.web.samples import Sample
from app.web.services import Services
from ingest.document import Box
from llm.answer import Answer, Citation, Coverage, ModelName, Timing


@pytest.fixture(autouse=True)
def _close_loops(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`gr.Blocks` opens an event loop for its locks and leaves it open; warnings are errors here."""
    opened: list[asyncio.AbstractEventLoop] = []
    original = asyncio.new_event_loop

    def remembered() -> asyncio.AbstractEventLoop:
        opened.append(original())
        return opened[-1]

    monkeypatch.setattr(asyncio, "new_event_loop", remembered)
    yield
    for loop in opened:
        loop.close()
    if opened:
        asyncio.set_event_loop(None)


@pytest.fixture
def uploads(tmp_path: Path) -> Iterator[Uploads]:
    opened = Uploads(tmp_path / "uploads")
    yield opened
    opened.close()


@pytest.fixture
def services(longleaf: Longleaf, uploads: Uploads, texts: object, tmp_path: Path) -> Iterator[Services]:
    sample = tmp_path / "sample.txt"
    sample.write_text("The total fee is 7 crowns.\n", encoding="utf-8")
    jobs = Jobs(longleaf)
    yield Services(longleaf, jobs, uploads, (Sample(sample, ("What is the total fee?",)),), paths_allowed=True)
    jobs.close()


@pytest.fixture
def cite() -> Citation:
    return Citation(
        "lease.pdf", "d" * 64, 3, None, Box(10, 20, 110, 40), "The rent is 900 crowns.", True, 2, 0, 23,
        (Box(10, 20, 110, 30), Box(10, 30, 60, 40)),
    )  # fmt: skip


@pytest.fixture
def answer(cite: Citation) -> Answer:
    return Answer(
        "How much is the rent?", "It is 900 crowns [1].", True, (cite,), Coverage(1, 12, 12, 38_211, 38_211),
        Timing(0.0, 38_211, 0, 0.84, 5.13, 0.0, 12.44), ModelName("LeafMoE-135M", "r1"), 0.9,
    )  # fmt: skip
