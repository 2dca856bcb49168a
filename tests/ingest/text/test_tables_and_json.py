"""CSV rows on their own lines; JSON as it is, or laid out without losing a character."""

import csv
import io
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.document import Role, Severity
from ingest.text.structured import _laid_out
from ingest.text.tables import sniffed_delimiter


def test_rows_are_joined_and_keep_their_lines(read: Callable) -> None:
    document, problems = read("a.csv", 'name,note\nAnn,"two\nlines, quoted"\n\nBob,\n')
    (page,) = document.pages
    assert page.text == "name | note\nAnn | two lines, quoted\n\n\nBob | "
    assert [page.text[span.start : span.end] for span in page.spans] == [
        "name | note",
        "Ann | two lines, quoted",
        "Bob | ",
    ]
    assert {span.role for span in page.spans} == {Role.TABLE}
    assert page.place(page.text.index("Bob"), len(page.text)).lines == (5, 5)
    assert problems == []


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_told_from_the_rows(delimiter: str) -> None:
    rows = [["name", "price", "town"], ["Ann", "1.5", "Ulm"], ["Bob, jr", "2.5", "Bonn; Rhine"]]
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter).writerows(rows)
    assert sniffed_delimiter(stream.getvalue()) == delimiter


def test_unmatched_quotes_are_said(read: Callable) -> None:
    document, problems = read("a.csv", 'a,b\n"broken,2\n3,4\n')
    assert document.pages[0].text.split("\n")[2] == "3 | 4"
    assert [(problem.severity, problem.what) for problem in problems] == [(Severity.DEGRADED, "broken table")]


def test_formatted_json_stays_as_it_is(read: Callable) -> None:
    text = json.dumps({"name": "Ann", "prices": [1.5, 2]}, indent=4)
    document, problems = read("a.json", text)
    assert (document.pages[0].text, problems) == (text, [])


def test_minified_json_is_laid_out(read: Callable) -> None:
    text = json.dumps({"name": "J\u00fcrgen", "items": [{"price": 1.10, "a,b": []}] * 30}, separators=(",", ":"))
    document, problems = read("a.json", text)
    laid_out = document.pages[0].text
    assert laid_out.startswith(
        '{\n  "name": "Jürgen",\n  "items": [\n    {\n      "price": 1.1,\n      "a,b": []\n    },'
    )
    assert json.loads(laid_out) == json.loads(text)
    assert [problem.severity for problem in problems] == [Severity.NOTICE]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
)


@given(values)
def test_laying_out_loses_nothing(value: object) -> None:
    assert json.loads("".join(_laid_out(json.dumps(value)))) == value


def test_doubled_keys_and_digits_survive() -> None:
    assert "".join(_laid_out('{"a":1.10,"a":2}')) == '{\n  "a": 1.10,\n  "a": 2\n}'


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.json", '{"a": 1,}', "line 1); the text was read as it is."),
        ("a.jsonl", '{"a": 1}\n\n{"a"\n', "line 3); the text was read as it is."),
        ("a.json", "[" * 100_000, "Values are nested too deeply to be checked; the text was read as it is."),
    ],
)
def test_broken_json_is_read_as_text_and_said(read: Callable, name: str, text: str, why: str) -> None:
    document, problems = read(name, text)
    assert document.pages[0].text == text
    assert [problem.severity for problem in problems] == [Severity.DEGRADED]
    assert problems[0].why.endswith(why)


def test_json_lines_of_whole_values_are_fine(read: Callable) -> None:
    assert read("a.jsonl", '{"a": 1}\n{"a": 99999999999999999999}\n')[1] == []
