"""A public demo: what a visitor is told, may do, and what is left when the visit is over."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.errors import BadRequest
from app.people import Sessions
from app.service import Longleaf
from app.service.allowance import Allowance, Caps
from app.settings import Settings
from app.web.host import door, teams
from app.web.host.entrance import Refused
from app.web.host.guard import Guard
from app.web.host.visits import VISITS_A_DAY, Visits
from app.web.samples import Sample
from ingest.errors import SourceTooLarge
from ingest.options import Limits

HERE = "http://demo.example"
FORM = {"origin": HERE}


@pytest.fixture
def demo(
    settings: Settings, engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], TestClient]]:
    """New browsers at one demo server."""
    sample = tmp_path / "sample.txt"
    sample.write_text("The total fee is 7 crowns.\n", encoding="utf-8")
    monkeypatch.setattr(teams, "load_samples", lambda: (Sample(sample, ("What is the total fee?",)),))
    monkeypatch.setattr(door, "SWEEP_S", 0.05)
    guarded = replace(settings, public_demo=True)
    with teams.demo_door(guarded, lambda text: None, lambda settings, on_text: engine) as (opened, _):
        guard = Guard(opened, None)
        with TestClient(guard, base_url=HERE, follow_redirects=False) as first:

            def browser() -> TestClient:
                client = TestClient(guard, base_url=HERE, follow_redirects=False)
                client.portal = first.portal
                return client

            yield browser


def homes(settings: Settings) -> list[Path]:
    return [path for path in (settings.data_dir / "visitors").iterdir() if path.is_dir()]


def test_a_visitor_is_told_the_terms_and_gets_the_samples(demo: Callable[[], TestClient], settings: Settings) -> None:
    client = demo()
    assert client.get("/").headers["location"].startswith("/login")
    assert homes(settings) == []  # who only looks costs nothing
    terms = client.get("/login").text
    assert "3 files" in terms
    assert "deleted 3 hours after" in terms
    assert client.post("/login", headers=FORM).status_code == 303
    page = client.get("/").text
    assert "Public demo: you may add 3 files" in page
    (home,) = homes(settings)
    library = Longleaf(replace(settings, data_dir=home))
    assert [(entry.name, entry.is_read) for entry in library.entries()] == [("sample.txt", True)]
    library.close()


def test_a_visit_that_is_over_leaves_nothing(demo: Callable[[], TestClient], settings: Settings) -> None:
    stays, leaves = demo(), demo()
    for client in (stays, leaves):
        client.post("/login", headers=FORM)
        assert client.get("/config").status_code == 200
    assert len(homes(settings)) == 2
    leaves.post("/logout", headers=FORM)
    deadline = time.monotonic() + 30
    while len(homes(settings)) == 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert leaves.get("/config").status_code == 401
    assert stays.get("/config").status_code == 200
    shelf = Longleaf(replace(settings, data_dir=settings.data_dir / "samples"))
    assert shelf.entries()[0].is_read  # the copies are gone, the samples are not
    shelf.close()


def test_places_and_visits_are_limited(tmp_path: Path) -> None:
    now = [0.0]
    sessions = Sessions(tmp_path / "s.sqlite", 60, lambda: now[0])
    visits = Visits(sessions, Caps(), places=2, clock=lambda: now[0])
    assert isinstance(visits.enter({}, "a"), str)
    assert isinstance(visits.enter({}, "b"), str)
    full = visits.enter({}, "c")
    assert isinstance(full, Refused)
    assert full.sentence == "All places of this demo are taken; come back in an hour."
    for _ in range(VISITS_A_DAY - 1):
        now[0] += 61
        assert isinstance(visits.enter({}, "a"), str)
    now[0] += 61
    again = visits.enter({}, "a")
    assert isinstance(again, Refused)
    assert (again.status, again.wait_s > 0) == (429, True)
    for _ in range(VISITS_A_DAY + 1):  # through a tunnel: who they are cannot be told
        now[0] += 61
        assert isinstance(visits.enter({}, "127.0.0.1"), str)
    now[0] += 25 * 3600
    assert isinstance(visits.enter({}, "a"), str)
    sessions.close()


def test_files_pages_and_questions_are_capped(settings: Settings, engine: Any, tmp_path: Path) -> None:
    sample = tmp_path / "sample.txt"
    sample.write_text("The total fee is 7 crowns.\n")
    plain = Longleaf(settings, load=lambda s, t: engine)
    given = plain.add(sample)
    plain.close()
    caps = Caps(files=2, pages=3, questions=1, limits=Limits(max_file_bytes=1000))
    library = Longleaf(settings, load=lambda s, t: engine, allowance=Allowance(caps, [given.id]))
    many = tmp_path / "many"
    many.mkdir()
    for number in range(4):
        (many / f"{number}.txt").write_text(f"Page {number}.\n")
    # Four files and the map of the folder.
    with pytest.raises(BadRequest, match="would have 5 pages together, and this demo takes 3; choose fewer pages"):
        library.add(many)
    assert [entry.id for entry in library.entries()] == [given.id]  # nothing of it stays
    big = tmp_path / "big.txt"
    big.write_text("x" * 1001)
    with pytest.raises(SourceTooLarge):
        library.add(big)
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(name)
        library.add(tmp_path / f"{name}.txt")
    with pytest.raises(BadRequest, match="you have added 2 files, and this demo takes 2; delete one, or run Longleaf"):
        library.add(many)
    list(library.ask([given.id], "What is the total fee?"))
    with pytest.raises(BadRequest, match="you have asked 1 questions, as many as this demo answers"):
        library.ask([given.id], "What is the total fee?")
    library.close()
