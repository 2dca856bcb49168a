"""Single sign-on: a proxy on this machine says who somebody is, and nobody reaches the server past it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.errors import BadSetting
from app.people import Accounts
from app.settings import Settings
from app.web.host.guard import Guard
from app.web.host.serving import check_reach
from app.web.host.teams import people_door

HERE = "http://team.example"


@pytest.fixture
def client(settings: Settings, engine: Any, tmp_path: Path) -> Iterator[TestClient]:
    guarded = replace(settings, auth_file=tmp_path / "team.json", auth_header="X-Forwarded-User")
    with (
        people_door(guarded, lambda text: None, lambda settings, on_text: engine) as (door, _),
        TestClient(Guard(door, None), base_url=HERE, follow_redirects=False) as opened,
    ):
        yield opened


def test_whom_the_proxy_names_has_a_library_of_their_own(client: TestClient, tmp_path: Path) -> None:
    ada, bert = {"x-forwarded-user": "Ada@example.org"}, {"x-forwarded-user": "bert"}
    assert client.get("/config").status_code == 401
    assert "ada@example.org" in client.get("/", headers=ada).text
    assert "bert" in client.get("/", headers=bert).text
    assert client.get("/login", headers=ada).headers["location"] == "/"
    accounts = Accounts(tmp_path / "team.json")
    assert [account.name for account in accounts.all()] == ["ada@example.org", "bert"]
    assert accounts.verified("bert", "") is None  # there is no password to guess
    client.get("/", headers=ada)
    assert len(accounts.all()) == 2


def test_a_name_that_no_account_can_have_is_refused(client: TestClient) -> None:
    refused = client.get("/", headers={"x-forwarded-user": "../ada"})
    assert (refused.status_code, "the name is '../ada'" in refused.text) == (403, True)


@pytest.mark.parametrize("more", [{"host": "0.0.0.0", "auth_file": Path("team.json")}, {}])
def test_nobody_may_name_themselves(settings: Settings, more: dict[str, Any]) -> None:
    with pytest.raises(BadSetting, match="takes a proxy's word"):
        check_reach(replace(settings, auth_header="X-Forwarded-User", **more))
