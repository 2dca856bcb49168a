"""The auth file: what it holds, what it refuses, and that a change counts at once."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli import cli
from app.errors import BadRequest, BadSetting
from app.people import Accounts

PASSWORD = "correct horse battery"


@pytest.fixture
def accounts(tmp_path: Path) -> Accounts:
    return Accounts(tmp_path / "team.json")


def test_a_password_is_checked_and_never_written(accounts: Accounts) -> None:
    ada = accounts.add("Ada", PASSWORD)
    assert accounts.verified("ADA ", PASSWORD) == ada
    assert accounts.verified("ada", "wrong horse battery") is None
    assert accounts.verified("nobody", PASSWORD) is None
    text = accounts.path.read_text()
    assert PASSWORD not in text
    assert json.loads(text)["people"][0]["password"].startswith("$argon2id$")
    assert accounts.path.stat().st_mode & 0o777 == 0o600
    assert PASSWORD not in repr(ada)
    assert "$argon2id$" not in repr(ada)


def test_a_change_by_another_process_counts_at_once(accounts: Accounts) -> None:
    accounts.add("ada", PASSWORD)
    other = Accounts(accounts.path)
    assert accounts.find("bert") is None
    other.add("bert", PASSWORD)
    assert accounts.find("bert") is not None
    other.remove("ada")
    assert [account.name for account in accounts.all()] == ["bert"]


def test_a_name_that_was_free_again_gets_another_library(accounts: Accounts) -> None:
    first = accounts.add("ada", PASSWORD)
    accounts.remove("ada")
    assert accounts.add("ada", PASSWORD).id != first.id


@pytest.mark.parametrize("name", ["", "../ada", "a b", "<b>", "-ada", "a" * 65, "ada\x00", "ädä"])
def test_a_name_that_could_be_something_else_is_refused(accounts: Accounts, name: str) -> None:
    with pytest.raises(BadRequest, match=r"the name is .*; it may have a-z, 0-9"):
        accounts.add(name, PASSWORD)
    assert not accounts.path.exists()


def test_what_cannot_be_done_says_so(accounts: Accounts) -> None:
    with pytest.raises(BadRequest, match="the password has 5 characters; it must have 10 to 200"):
        accounts.add("ada", "short")
    accounts.add("ada", PASSWORD)
    with pytest.raises(BadRequest, match="ada is there already; use `users password ada`"):
        accounts.add("ada", PASSWORD)
    with pytest.raises(BadRequest, match="nobody called 'bert'; `users list` shows who there is"):
        accounts.remove("bert")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"version": 2, "people": []}', '{"version": 1, "people": [{}]}'])
def test_a_damaged_file_lets_nobody_in(accounts: Accounts, text: str) -> None:
    accounts.path.write_text(text)
    with pytest.raises(BadSetting, match=r"the auth file .* cannot be read .*; it is made by"):
        accounts.verified("ada", PASSWORD)


def test_users_from_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "team.json"

    def run(*words: str, typed: str = "") -> tuple[int, str]:
        result = CliRunner().invoke(cli, ["users", *words, "--auth-file", str(file)], input=typed)
        return result.exit_code, result.output

    assert run("add", "ada", typed=f"{PASSWORD}\n") == (0, "ada may sign in.\n")
    assert run("add", "bert", typed="\n")[0] != 0
    assert run("list")[1].startswith(f"ada  people/{Accounts(file).all()[0].id}")
    assert run("password", "ada", typed="another long one\n")[0] == 0
    assert Accounts(file).verified("ada", "another long one") is not None
    assert run("remove", "ada")[0] == 0
    assert Accounts(file).all() == []


def test_the_password_is_no_argument() -> None:
    help_text = CliRunner().invoke(cli, ["users", "add", "--help"]).output
    assert "--password" not in help_text
    assert "Usage: cli users add [OPTIONS] NAME\n" in help_text
