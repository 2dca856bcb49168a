"""A server for a team: who is let in, and that nobody reaches what is another's, address by address."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.http.tokens import Tokens
from app.people import Accounts
from app.service import Longleaf
from app.settings import Settings
from app.web.host.door import COOKIE
from app.web.host.guard import Guard
from app.web.host.teams import people_door

HERE = "http://team.example"
ADA, BERT = ("ada", "the password of ada"), ("bert", "the password of bert")
FORM = {"origin": HERE}


@pytest.fixture
def accounts(tmp_path: Path) -> Accounts:
    opened = Accounts(tmp_path / "team.json")
    for name, password in (ADA, BERT):
        opened.add(name, password)
    return opened


@pytest.fixture
def team(settings: Settings, accounts: Accounts, engine: Any) -> Iterator[Guard]:
    guarded = replace(settings, auth_file=accounts.path, host="0.0.0.0")
    with people_door(guarded, lambda text: None, lambda settings, on_text: engine) as (door, _):
        yield Guard(door, None)


@pytest.fixture
def visit(team: Guard) -> Iterator[Callable[..., TestClient]]:
    """Browsers of one server: they share its life, never their cookies."""
    with TestClient(team, base_url=HERE, follow_redirects=False) as first:

        def opened(who: tuple[str, str] | None = None) -> TestClient:
            client = TestClient(team, base_url=HERE, follow_redirects=False)
            client.portal = first.portal  # the same event loop
            if who is not None:
                assert sign_in(client, *who).status_code == 303
            return client

        yield opened


def sign_in(client: TestClient, name: str, password: str, **more: str) -> Any:
    return client.post("/login", data={"name": name, "password": password, **more}, headers=FORM)


def add(client: TestClient, name: str, text: str) -> None:
    """Uploads and adds a file as the page does: by events of Gradio."""
    batch = client.post("/uploads").json()["batch"]
    assert client.put(f"/uploads/{batch}", params={"path": name}, content=text.encode()).status_code == 200
    config = client.get("/config").json()
    drop = next(part["id"] for part in config["components"] if part["props"].get("elem_id") == "ll-drop")
    event = next(e for e in config["dependencies"] if [drop, "select"] in e["targets"])
    body = {
        "data": [None, "", "", True], "event_data": {"act": "upload", "arg": batch}, "fn_index": event["id"],
        "session_hash": "s1", "trigger_id": drop,
    }  # fmt: skip
    assert client.post("/gradio_api/queue/join", json=body).status_code == 200


def home_of(settings: Settings, accounts: Accounts, name: str) -> Path:
    account = accounts.find(name)
    assert account is not None
    return settings.data_dir / "people" / account.id


def test_a_stranger_reaches_nothing_but_the_entrance(visit: Callable[..., TestClient]) -> None:
    client = visit()
    for path in (
        "/config", "/page/abc/0.png", "/export/feedback.json", "/table/x.csv", "/gradio_api/info", "/theme.css",
        "/gradio_api/file=/etc/passwd", "/api/documents", "/v1/models", "/openapi.json",
    ):  # fmt: skip
        assert client.get(path).status_code in (401, 403), path
    for path in ("/uploads", "/gradio_api/queue/join", "/gradio_api/upload"):
        assert client.post(path).status_code in (401, 403), path
    assert client.get("/favicon.ico").status_code == 200
    assert client.get("/manifest.json").json() == {"name": "Longleaf"}
    led = client.get("/?answer=3")
    assert (led.status_code, led.headers["location"]) == (303, "/login?to=/%3Fanswer%3D3")
    page = client.get(led.headers["location"])
    assert page.status_code == 200
    assert 'name="to" value="/?answer=3"' in page.text
    assert "<script" not in page.text


def test_signing_in_and_out(visit: Callable[..., TestClient]) -> None:
    client = visit()
    entered = sign_in(client, *ADA, to="/?answer=3")
    assert (entered.status_code, entered.headers["location"]) == (303, "/?answer=3")
    cookie = entered.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie  # not behind https here
    assert "ada" in client.get("/").text
    token = client.cookies[COOKIE]
    assert client.post("/logout", headers=FORM).status_code == 303
    client.cookies.set(COOKIE, token)
    assert client.get("/config").status_code == 401
    for elsewhere in ("https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        assert sign_in(visit(), *ADA, to=elsewhere).headers["location"] == "/"


def test_behind_https_the_cookie_is_for_https_alone(team: Guard) -> None:
    with TestClient(team, base_url="https://team.example", follow_redirects=False) as client:
        entered = client.post("/login", data=dict(zip(("name", "password"), ADA, strict=True)))
        assert "secure" in entered.headers["set-cookie"].lower()


def test_guessing_is_slowed_down_and_says_nothing_about_names(visit: Callable[..., TestClient]) -> None:
    client = visit()
    unknown = sign_in(client, "nobody", "some password")
    for _ in range(5):
        wrong = sign_in(client, "ada", "wrong password")
        assert (wrong.status_code, COOKIE in client.cookies) == (401, False)
    assert wrong.text == unknown.text.replace("nobody", "ada")
    assert 'value="ada"' in wrong.text  # to be tried again
    slowed = sign_in(client, *ADA)
    assert slowed.status_code == 429
    assert re.search(r"Too many tries; wait \d+ s", slowed.text)
    assert int(slowed.headers["retry-after"]) >= 1
    assert 'value="&lt;b&gt;"' in sign_in(client, "<b>", "some password").text


def test_another_site_cannot_sign_anybody_in_or_out(visit: Callable[..., TestClient]) -> None:
    client = visit(ADA)
    evil = {"origin": "https://evil.example"}
    assert client.post("/logout", headers=evil).status_code == 403
    assert client.post("/login", data={"name": "bert"}, headers=evil).status_code == 403
    assert client.post("/uploads", headers=evil).status_code == 403
    assert client.get("/config").status_code == 200


def test_a_removed_person_and_an_old_password_open_nothing(
    visit: Callable[..., TestClient], accounts: Accounts
) -> None:
    ada, bert = visit(ADA), visit(BERT)
    accounts.set_password("ada", "another long password")
    accounts.remove("bert")
    assert ada.get("/config").status_code == 401
    assert bert.get("/config").status_code == 401
    assert sign_in(visit(), *BERT).status_code == 401


def test_nobody_reaches_what_is_anothers_address_by_address(
    visit: Callable[..., TestClient], settings: Settings, accounts: Accounts, engine: Any, texts: SimpleNamespace
) -> None:
    """Ada's addresses, asked for by Bert, are answered as if there were no such thing."""
    ada, bert = visit(ADA), visit(BERT)
    assert ada.get("/config").status_code == bert.get("/config").status_code == 200  # opens both homes
    home = home_of(settings, accounts, "ada")
    hers = Longleaf(replace(settings, data_dir=home), load=lambda s, t: engine.beside(home / "state"))
    picture = Path(__file__).parents[3] / "assets" / "samples" / "contract.pdf"
    entry, scan = hers.add(texts.lease), hers.add(picture)
    list(hers.ask([entry.id], "When does the lease begin?", conversation="c1"))
    hers.history.judge(hers.history.answers("c1")[0].number, "right")
    batch = ada.post("/uploads").json()["batch"]
    addresses = [f"/page/{scan.id}/0.png", "/export/c1.md", "/export/c1.html", "/export/c1.json"]
    for address in addresses:
        assert ada.get(address).status_code == 200, address
        assert bert.get(address).status_code == 404, address
    assert len(ada.get("/export/feedback.json").json()) == 1
    assert bert.get("/export/feedback.json").json() == []
    assert ada.put(f"/uploads/{batch}", params={"path": "a"}, content=b"x").status_code == 200
    assert bert.put(f"/uploads/{batch}", params={"path": "b"}, content=b"x").status_code == 400
    assert bert.delete(f"/uploads/{batch}").status_code == 204
    assert ada.put(f"/uploads/{batch}", params={"path": "c"}, content=b"x").status_code == 200  # it is still hers
    hers.close()


def test_a_program_reaches_the_library_of_whose_token_it_sends(
    visit: Callable[..., TestClient], settings: Settings, accounts: Accounts, texts: SimpleNamespace
) -> None:
    ada, bert, program = visit(ADA), visit(BERT), visit()
    assert ada.get("/api/documents").status_code == 200  # who is signed in needs no token
    home = home_of(settings, accounts, "ada")
    hers = Longleaf(replace(settings, data_dir=home))
    entry = hers.add(texts.lease)
    hers.close()
    secret, _ = Tokens(home).add("script", ["read"])
    sent = {"authorization": f"Bearer {secret}"}
    assert program.get(f"/api/documents/{entry.id}", headers=sent).status_code == 200
    assert bert.get(f"/api/documents/{entry.id}").status_code == 404
    assert program.delete(f"/api/documents/{entry.id}", headers=sent).status_code == 403  # it may only read
    assert program.get("/config", headers=sent).status_code == 401  # the page takes no tokens
    assert program.get("/api/documents", headers={"authorization": "Bearer longleaf_wrong"}).status_code == 401
    accounts.remove("ada")
    assert program.get("/api/documents", headers=sent).status_code == 401


def test_the_same_file_of_two_people_is_two_documents(
    visit: Callable[..., TestClient], settings: Settings, accounts: Accounts, engine: Any
) -> None:
    text = "The lease begins in March.\n"
    libraries = []
    for who in (ADA, BERT):
        add(visit(who), "lease.txt", text)
        home = home_of(settings, accounts, who[0])
        library = Longleaf(replace(settings, data_dir=home), load=lambda s, t: engine)
        deadline = time.monotonic() + 60
        while not (library.entries() and library.entries()[0].is_read):
            assert time.monotonic() < deadline, who
            time.sleep(0.05)
        libraries.append(library)
    hers, his = libraries
    assert hers.entries()[0].id == his.entries()[0].id
    his.delete(his.entries()[0].id)
    assert his.entries() == []
    assert [entry.is_read for entry in hers.entries()] == [True]
    hers.document(hers.entries()[0].id)
    for library in libraries:
        library.close()
