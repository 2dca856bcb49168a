"""What a killed run has found is there again, and another run's results are not."""

from pathlib import Path

from app.bench.journal import Journal


def test_results_come_back_as_json_has_them(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "needle", {"seed": 1})
    assert journal.get("a") is None
    assert journal.put("a", {"answers": ("x", "ü")}) == {"answers": ["x", "ü"]}
    journal.put("a", {"answers": ["y"]})
    assert Journal(tmp_path, "needle", {"seed": 1}).get("a") == {"answers": ["y"]}


def test_other_options_meet_nothing_of_it(tmp_path: Path) -> None:
    Journal(tmp_path, "needle", {"seed": 1}).put("a", 1)
    assert Journal(tmp_path, "needle", {"seed": 2}).get("a") is None


def test_a_line_that_a_kill_cut_short_is_dropped(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "needle", {})
    journal.put("a", 1)
    with journal.path.open("ab") as file:
        file.write(b'{"key": "b", "resu')
    again = Journal(tmp_path, "needle", {})
    assert (again.get("a"), again.get("b")) == (1, None)
    again.put("c", 3)
    assert Journal(tmp_path, "needle", {}).get("c") == 3
