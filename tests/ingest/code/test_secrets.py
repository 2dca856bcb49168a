"""Likely secrets: planted ones are found, look-alikes are not, and none is ever repeated.

The planted secrets are put together here, so that no scanner takes this file for a leak.
"""

from pathlib import Path

import pytest

from ingest import Document, Kind, Page, Severity
from ingest.code.secrets import MAX_PROBLEMS, secret_problems, secrets_of

PLANTED = {
    "an AWS access key": "AKIA" + "Q3EGRZBLTD7WPXYU",
    "a GitHub token": "ghp_" + "a8Fj2kLmQ9sTuVwXyZ0123456789bCdEfGhI",
    "a private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "a password in an address": "postgres://admin:" + "hunter22x@db.internal/prod",
    "a Slack token": "xoxb-" + "123456789012-abcdefghij4k5l6m7n8o",
    "a Stripe key": "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "a GitLab token": "glpat-" + "zQ9xW3vB7nM2kL5jH8gF",
    "a JSON web token": "eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + "zdWIiOiIxMjM0In0.abcDEF123ghi",
}


def kinds(line: str, name: str = "a.py") -> list[str]:
    return [kind for _, kind in secrets_of(line, name)]


@pytest.mark.parametrize(("kind", "secret"), PLANTED.items())
def test_planted_secrets_are_found_with_their_line_and_never_shown(kind: str, secret: str) -> None:
    text = f"import os\n\nvalue = '{secret}'\n" if "BEGIN" not in secret else f"\n\n{secret}\nabc"
    document = Document("0" * 64, "a.py", Kind.CODE, (Page(1, text),))
    (problem,) = secret_problems(document)
    assert (problem.source, problem.page_no, problem.what) == ("a.py", 1, "likely secret")
    assert problem.why == f"line 3 looks like {kind}"
    assert problem.severity is Severity.NOTICE
    assert secret not in repr(problem)


def test_hard_coded_passwords() -> None:
    password = "kR8vPq2" + "LmZx7"
    expected = ["a hard-coded password or key"]
    assert kinds(f'db_password = "{password}"') == expected
    assert kinds(f"DB_PASSWORD={password}", ".env") == expected
    assert kinds(f"password: {password}", "a.yaml") == expected


@pytest.mark.parametrize(
    "line",
    [
        "key = 'AKIAIOSFODNN7EXAMPLE'",
        "url = 'https://user:pass@example.com/'",
        "url = 'postgres://postgres:postgres@localhost/db'",
        "proxy = 'http://user:${PASSWORD}@host'",
        "password = os.environ['DB_PASSWORD']",
        "password = getpass.getpass('Password: ')",
        "PASSWORD = 'changeme-12345'",
        "secret = 'your-secret-key-1'",
        "api_key = '123e4567-e89b-12d3-a456-426614174000'",
        "password = 'aaaaaaaaaaaa1'",
        "if 'BEGIN RSA PRIVATE KEY' in text:",
        "sha = '3f786850e387550fdab836ed7e6dc881de23001b'",
        "data = 'AAAAAKIAQ3EGRZBLTD7WPXYUAAAA'",
        "def reset_password(secret, api_key): ...",
    ],
)
def test_look_alikes_are_not_reported(line: str) -> None:
    assert kinds(line) == []


def test_very_many_are_told_as_a_number() -> None:
    text = f"{PLANTED['a GitHub token']}\n" * (MAX_PROBLEMS + 5)
    problems = secret_problems(Document("0" * 64, "a.txt", Kind.TEXT, (Page(1, text),)))
    assert len(problems) == MAX_PROBLEMS + 1
    assert problems[-1].why == "5 more lines look like secrets"


def test_pdfs_are_not_searched() -> None:
    page = Page(1, PLANTED["a GitHub token"])
    assert secret_problems(Document("0" * 64, "a.pdf", Kind.PDF, (page,))) == []


def test_this_projects_own_source_has_none() -> None:
    root = Path(__file__).parents[3]
    files = [path for folder in ("ingest", "tests/ingest") for path in (root / folder).rglob("*.py")]
    assert len(files) > 30
    found = {str(path): kinds(path.read_text("utf-8"), path.name) for path in files}
    assert {path: found for path, found in found.items() if found} == {}
