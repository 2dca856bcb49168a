"""`library list|show|delete`."""

import json
from collections.abc import Callable
from types import SimpleNamespace

from click.testing import Result

from app.settings import Settings

Run = Callable[..., Result]


def test_list_and_show(run: Run, texts: SimpleNamespace) -> None:
    assert "is empty; add something with: python app.py read FILE" in run("library", "list").stderr
    run("ask", texts.lease, "-q", "What are the crowns for?")
    (entry,) = json.loads(run("library", "list", "--json").stdout)["documents"]
    assert (entry["name"], entry["kind"], entry["is_read"], entry["problems"]) == ("lease.txt", "text", True, [])
    listed = run("library", "list").stdout
    assert listed == f"{entry['id'][:12]}  lease.txt  (text, 1 page, 51 bytes; read, 10 tokens)\n"
    shown = json.loads(run("library", "show", "lease.txt", "--json").stdout)
    assert shown["answers"][0]["answer"] == "The rent is 900 crowns."
    assert shown["files"] == [{"id": entry["id"], "name": "lease.txt", "kind": "text", "pages": 1}]
    assert "> What are the crowns for?\nThe rent is 900 crowns." in run("library", "show", entry["id"][:6]).stdout


def test_delete_asks_first_and_says_what_went(run: Run, texts: SimpleNamespace, settings: Settings) -> None:
    run("ask", texts.lease, "-q", "What are the crowns for?")
    refused = run("library", "delete", "lease.txt")
    assert refused.exit_code == 2
    assert "there is no terminal to confirm lease.txt on; add --yes to delete" in refused.stderr
    receipt = json.loads(run("library", "delete", "lease.txt", "--yes", "--json").stdout)["deleted"][0]
    assert (receipt["originals"], receipt["original_bytes"], receipt["answers"]) == (1, 51, 1)
    assert receipt["total_bytes"] == receipt["original_bytes"] + receipt["parsed_bytes"] + receipt["reading_bytes"]
    assert texts.lease.exists()
    assert not list((settings.data_dir / "originals").iterdir())
    missing = run("library", "delete", "lease.txt", "--yes")
    assert "the library has no document 'lease.txt'; `library list` shows the 0 it has" in missing.stderr


def test_delete_takes_several_and_checks_them_all_first(run: Run, texts: SimpleNamespace) -> None:
    run("read", texts.lease, texts.notes)
    assert run("library", "delete", "lease.txt", "nothing", "--yes").exit_code == 2
    result = run("library", "delete", "lease.txt", "notes.txt", "--yes")
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == ["Deleted lease.txt", "Deleted notes.txt"]


def test_find_and_tag(run: Run, texts: SimpleNamespace) -> None:
    run("read", texts.lease, texts.notes)
    assert run("library", "find", "plumber").stdout == "notes.txt, line 1: “Call the plumber.”\n"
    (passage,) = json.loads(run("library", "find", "plumber", "--json").stdout)["passages"]
    assert (passage["source"], passage["lines"], passage["verified"]) == ("notes.txt", [1, 1], True)
    assert run("library", "tag", "lease.txt", "Home", "2026").stdout.endswith(" #2026 #home\n")
    assert json.loads(run("library", "list", "--json").stdout)["documents"][0]["tags"] == ["2026", "home"]
    assert "is one word of at most 40 characters" in run("library", "tag", "lease.txt", "two words").stderr
