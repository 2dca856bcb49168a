"""`tokens`: made once, listed without what they are, revoked; and `mcp` before it serves."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from click.testing import Result

from app.http.tokens import Tokens
from app.settings import Settings


def test_a_token_is_shown_once_and_revoked(run: Callable[..., Result], settings: Settings) -> None:
    added = run("tokens", "add", "report", "--scopes", "read", "--days", "2")
    assert added.exit_code == 0
    secret = added.stdout.strip()
    assert secret.startswith("longleaf_")
    assert "Keep it: it is not shown again." in added.stderr
    token = Tokens(settings.data_dir).find(secret)
    assert token is not None
    assert token.scopes == ("read",)
    ends = datetime.fromisoformat(token.expires_at or "")
    assert timedelta(days=2, minutes=-1) < ends - datetime.now(UTC) < timedelta(days=2, seconds=1)
    listed = run("tokens", "list")
    assert f"{token.id}  report  (read; 600 a minute; expires {token.expires_at})" in listed.stdout
    assert secret not in listed.output
    assert "Revoked" in run("tokens", "revoke", token.id).stdout
    assert Tokens(settings.data_dir).find(secret) is None
    assert "There are no tokens; make one" in run("tokens", "list").stderr


def test_tokens_as_json(run: Callable[..., Result]) -> None:
    added = json.loads(run("tokens", "add", "report", "--json").stdout)
    assert added["scopes"] == ["read", "write"]
    listed = json.loads(run("tokens", "list", "--json").stdout)["tokens"]
    assert listed == [{key: value for key, value in added.items() if key != "token"}]


def test_what_cannot_be_a_token_is_one_line(run: Callable[..., Result]) -> None:
    for words, sentence in (
        (("add", "a", "--scopes", "admin"), "the scopes are admin; they must be among read, write"),
        (("add", "a", "--days", "0"), "0 is not in the range"),
        (("revoke", "nobody"), "there is no token 'nobody'; `tokens list` shows the 0 there are"),
    ):
        refused = run("tokens", *words)
        assert refused.exit_code == 2
        assert sentence in refused.stderr
        assert refused.stderr.count("\n") == 1


def test_an_assistant_needs_something_to_be_allowed(run: Callable[..., Result], settings: Settings) -> None:
    nothing = run("mcp")
    assert (nothing.exit_code, nothing.stdout) == (2, "")
    assert "nothing was allowed; give --allow FOLDER, or --library" in nothing.stderr
    wrong = run("mcp", "--allow", str(settings.data_dir / "none"))
    assert (wrong.exit_code, "is no folder; allow folders that exist" in wrong.stderr) == (2, True)
