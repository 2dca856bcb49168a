"""Reports carry what is needed to repeat them."""

import json
import re

import pytest

from app.bench.report import Report, machine, origin, table
from llm.answer import ModelName

ROWS = [
    {"tokens": 8192, "answered": 0.9, "selected": None, "exact": True},
    {"tokens": 1048576, "answered": 12345.6, "selected": 1.0, "exact": False},
]
REPORT = Report("Needles", ModelName("tiny", "r1"), ROWS, "What it is.", {"answers": [1]})


def test_a_table_is_markdown() -> None:
    assert table(ROWS).splitlines() == [
        "| tokens | answered | selected | exact |",
        "| --- | --- | --- | --- |",
        "| 8,192 | 0.9 | - | yes |",
        "| 1,048,576 | 12,346 | 1 | no |",
    ]
    assert table([]) == ""


def test_rows_of_different_columns_are_a_fault() -> None:
    with pytest.raises(AssertionError, match="same columns"):
        table([{"a": 1}, {"b": 1}])


def test_markdown_says_what_made_it() -> None:
    title, made, note, rows = REPORT.as_markdown("python app.py bench needle").split("\n\n")
    assert (title, note) == ("## Needles", "What it is.")
    assert made.startswith("`python app.py bench needle`, tiny, commit ")
    assert re.search(r", 20\d\d-\d\d-\d\d\. .+ cores, \d+ GiB, load \d+\.\d, .+torch \d", made)
    assert rows.startswith("| tokens |")


def test_json_holds_the_rows_and_the_details() -> None:
    found = json.loads(json.dumps(REPORT.as_json("c")))
    assert found["rows"] == ROWS
    assert (found["title"], found["command"], found["answers"]) == ("Needles", "c", [1])
    assert found["model"] == {"name": "tiny", "revision": "r1"}
    assert {"machine", "commit", "date"} <= set(found)


def test_the_machine_is_one_line() -> None:
    assert "\n" not in machine()
    assert origin()["machine"].startswith(machine().split(",")[0])
