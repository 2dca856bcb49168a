"""The administration of a team's server: who gets in, what it shows and does, and what is deleted on time."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.people import Accounts
from app.service import Longleaf
from app.service.audit import AuditLog
from app.settings import Settings
from app.web.host import operations
from app.web.host.guard import Guard
from app.web.host.teams import people_door
from tests.app.web.test_people import ADA, BERT, FORM, accounts, add, home_of, sign_in, visit

__all__ = ["accounts", "visit"]  # fixtures


@pytest.fixture
def team(settings: Settings, accounts: Accounts, engine: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Guard]:
    monkeypatch.setattr(operations, "SWEEP_EVERY_S", 0.05)
    accounts.set_admin("ada", is_admin=True)
    guarded = replace(settings, auth_file=accounts.path, host="0.0.0.0", audit=True)
    with people_door(guarded, lambda text: None, lambda settings, on_text: engine) as (door, metrics):
        yield Guard(door, None, metrics)


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 30
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def test_only_administrators_get_in(visit: Callable[..., TestClient]) -> None:
    stranger, ada, bert = visit(), visit(ADA), visit(BERT)
    assert stranger.get("/admin").headers["location"] == "/login?to=/admin"
    assert sign_in(visit(), *ADA, to="/admin").headers["location"] == "/admin"
    for path in ("/admin", "/admin/audit.jsonl"):
        assert bert.get(path).status_code == 403
    assert bert.post("/admin", data={"act": "sign-out", "name": "ada"}, headers=FORM).status_code == 403
    evil = {"origin": "https://evil.example"}
    assert ada.post("/admin", data={"act": "sign-out", "name": "bert"}, headers=evil).status_code == 403
    assert "Administration" in ada.get("/").text
    assert "/admin" not in bert.get("/").text


def test_it_shows_how_much_and_never_what(
    visit: Callable[..., TestClient], settings: Settings, accounts: Accounts
) -> None:
    ada, bert = visit(ADA), visit(BERT)
    add(bert, "secret plan.txt", "The lease begins in March.\n")
    home = home_of(settings, accounts, "bert")
    until(lambda: (home / "catalogue.sqlite").is_file() and ">1<" in ada.get("/admin").text)
    shown = ada.get("/admin").text
    assert "bert" in shown
    assert "secret plan" not in shown
    assert "1 session" in shown
    assert "<script" not in shown


def test_what_its_forms_do(visit: Callable[..., TestClient], settings: Settings, accounts: Accounts) -> None:
    ada, bert = visit(ADA), visit(BERT)
    assert bert.get("/config").status_code == 200
    refused = ada.post("/admin", data={"act": "keep", "name": "bert", "hours": "soon"}, headers=FORM)
    assert "is no number of hours" in refused.text
    assert ada.post("/admin", data={"act": "keep", "name": "bert", "hours": "720"}, headers=FORM).status_code == 303
    account = accounts.find("bert")
    assert account is not None
    assert account.keep_hours == 720
    assert ada.post("/admin", data={"act": "sign-out", "name": "bert"}, headers=FORM).status_code == 303
    assert bert.get("/config").status_code == 401
    mine = accounts.find("ada")
    assert mine is not None
    kept = ada.post("/admin", data={"act": "delete-home", "home": mine.id}, headers=FORM)
    assert "only the library of somebody who was removed" in kept.text
    accounts.remove("bert")
    assert "removed" in ada.get("/admin").text
    ada.post("/admin", data={"act": "delete-home", "home": account.id}, headers=FORM)
    assert not (settings.data_dir / "people" / account.id).exists()


def test_what_is_older_than_a_person_keeps_it_goes(
    visit: Callable[..., TestClient], settings: Settings, accounts: Accounts, engine: Any, texts: SimpleNamespace
) -> None:
    """In a home that is not open, too."""
    bert = accounts.find("bert")
    assert bert is not None
    home = settings.data_dir / "people" / bert.id
    with closing(Longleaf(replace(settings, data_dir=home), load=lambda s, t: engine)) as library:
        library.add(texts.lease)
        with library._library.catalogue.transaction() as rows:
            rows.execute("UPDATE entries SET added_at = '2020-01-01T00:00:00.000+00:00'")
        accounts.set_keep_hours("bert", 24)
        visit(ADA)
        until(lambda: library.entries() == [])


def test_the_audit_log_names_people_and_outlives_what_they_delete(
    visit: Callable[..., TestClient], settings: Settings, accounts: Accounts
) -> None:
    ada, bert = visit(ADA), visit(BERT)
    add(bert, "lease.txt", "The lease begins in March.\n")
    exported = until(lambda: ada.get("/admin/audit.jsonl").text)
    assert '"who": "bert", "act": "added"' in exported
    with closing(AuditLog(settings.data_dir)) as log:
        assert log.flaw() is None
