"""Tokens: kept as hashes, with scopes and an end; who is let in where."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.errors import BadRequest, LibraryUnusable
from app.http.tokens import FILE, Tokens
from app.settings import Settings


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def test_a_token_is_never_on_the_disk(tokens: Tokens, settings: Settings) -> None:
    secret, token = tokens.add("report")
    kept = (settings.data_dir / FILE).read_bytes()
    assert secret.encode() not in kept
    assert secret.removeprefix("longleaf_").encode() not in kept
    assert (settings.data_dir / FILE).stat().st_mode & 0o077 == 0
    assert tokens.find(secret) == token


def test_a_server_on_a_network_wants_a_token(far: TestClient, tokens: Tokens) -> None:
    refused = far.get("/api/documents")
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert "there is no token; send the header" in refused.json()["error"]["message"]
    assert far.get("/api/documents", headers=bearer("longleaf_guess")).status_code == 401
    assert far.get("/api/documents", headers={"authorization": "Basic eDp5"}).status_code == 401
    assert far.get("/api/documents", headers=bearer(tokens.add("a")[0])).status_code == 200


def test_every_route_wants_a_token(far: TestClient) -> None:
    paths = far.get("/api/openapi.json").json()["paths"]
    assert len(paths) >= 14
    for path, methods in paths.items():
        for method in methods:
            filled = path.format(document_id="0" * 64, page=1, job_id="0" * 12, batch_id="0" * 16, name="x", number=1)
            answer = far.request(method, filled, params={"name": "x"}, content=b"{}", headers={"idempotency-key": "k"})
            assert answer.status_code == 401, (method, path, answer.text)


def test_a_token_may_ask_so_often_within_a_minute(
    far: TestClient, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("app.http.pacing.time.monotonic", lambda: now)
    slow, quick = (bearer(tokens.add(name, per_minute=limit)[0]) for name, limit in (("slow", 2), ("quick", 600)))
    assert [far.get("/api/jobs", headers=slow).status_code for _ in range(3)] == [200, 200, 429]
    refused = far.get("/api/jobs", headers=slow)
    assert refused.headers["retry-after"]
    assert refused.json()["error"] == {
        "message": "slow has sent 2 requests within a minute, which is its limit; wait 60 s", "type": "TooBusy",
    }  # fmt: skip
    assert far.get("/api/jobs", headers=quick).status_code == 200
    now += 61
    assert far.get("/api/jobs", headers=slow).status_code == 200


def test_tokens_of_an_earlier_version_have_the_usual_limit(settings: Settings) -> None:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(settings.data_dir / FILE) as connection:
        connection.execute(
            "CREATE TABLE tokens (id TEXT PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL UNIQUE, "
            "scopes TEXT NOT NULL, created_at TEXT NOT NULL, expires_at TEXT)"
        )
        connection.execute("INSERT INTO tokens VALUES ('1', 'old', 'x', 'read', '2026', NULL)")
    connection.close()
    (token,) = Tokens(settings.data_dir).tokens()
    assert (token.name, token.per_minute) == ("old", 600)


def test_a_reading_token_cannot_write(far: TestClient, tokens: Tokens) -> None:
    secret, _ = tokens.add("reader", ["read"])
    refused = far.post("/api/documents", params={"name": "a.txt"}, content=b"x", headers=bearer(secret))
    assert refused.status_code == 403
    assert "the token of reader may read, and this takes the scope 'write'" in refused.json()["error"]["message"]
    assert far.delete(f"/api/documents/{'0' * 64}", headers=bearer(secret)).status_code == 403
    assert far.get("/api/jobs", headers=bearer(secret)).status_code == 200


def test_a_token_of_ours_counts_on_this_computer_too_and_a_foreign_key_does_not(
    client: TestClient, tokens: Tokens
) -> None:
    secret, _ = tokens.add("reader", ["read"])
    assert client.get("/api/jobs", headers=bearer("sk-whatever")).status_code == 200
    assert client.delete(f"/api/documents/{'0' * 64}", headers=bearer(secret)).status_code == 403
    assert client.get("/api/jobs", headers=bearer("longleaf_unknown")).status_code == 401


def test_revoked_and_expired_tokens_are_unknown(far: TestClient, tokens: Tokens, settings: Settings) -> None:
    secret, token = tokens.add("a", days=1)
    tokens.add("b")
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat(timespec="seconds")
    connection = sqlite3.connect(settings.data_dir / FILE)
    with connection:
        connection.execute("UPDATE tokens SET expires_at = ? WHERE id = ?", (past, token.id))
    connection.close()
    assert far.get("/api/jobs", headers=bearer(secret)).status_code == 401
    assert [each.name for each in tokens.revoke("a")] == ["a"]
    assert [each.name for each in tokens.tokens()] == ["b"]
    with pytest.raises(BadRequest, match="there is no token 'a'; `tokens list` shows the 1 there are"):
        tokens.revoke("a")


def test_answers_to_one_caller_are_not_replayed_to_another(far: TestClient, tokens: Tokens) -> None:
    send = {"params": {"name": "a.txt"}, "content": b"x\n"}
    mine, theirs = ({**bearer(tokens.add(name)[0]), "idempotency-key": "k"} for name in ("a", "b"))
    first = far.post("/api/documents", headers=mine, **send)
    assert far.post("/api/documents", headers=theirs, **send).json()["id"] != first.json()["id"]


@pytest.mark.parametrize(
    ("name", "scopes", "days", "sentence"),
    [
        (" ", ["read"], None, "the token's name has 0 characters; give it 1 to 64"),
        ("a", ["admin"], None, "the scopes are admin; they must be among read, write"),
        ("a", [], None, "the scopes are none"),
        ("a", ["read"], 0, "to last 0 days; it must be 1 to 3650"),
    ],
)
def test_bad_tokens_are_refused(tokens: Tokens, name: str, scopes: list[str], days: int | None, sentence: str) -> None:
    with pytest.raises(BadRequest, match=sentence):
        tokens.add(name, scopes, days)


def test_a_damaged_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"this is no database " * 100)
    with pytest.raises(LibraryUnusable, match="cannot be used"):
        Tokens(tmp_path).tokens()
