"""`ask` and `read`: what goes to standard output, what to standard error, and that JSON keeps its schema."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
from click.testing import Result

from llm.attribution import Influence

SCHEMA = json.loads((Path(__file__).resolve().parents[3] / "app" / "cli" / "answer.schema.json").read_text("utf-8"))
Run = Callable[..., Result]


def check(answer: Any) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(answer)


def test_standard_output_is_the_answer_and_its_places(run: Run, texts: SimpleNamespace) -> None:
    result = run("ask", texts.lease, "-q", "What are the crowns for?")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [
        "The rent is 900 crowns.",
        "",
        "[1] lease.txt, line 2: “The rent is 900 crowns.”",
        "Read all 1 page (10 tokens).",
    ]
    assert "0.3 s in all, 0.2 s to the first word" in result.stderr


def test_json_is_one_object_and_nothing_else(run: Run, texts: SimpleNamespace) -> None:
    result = run("ask", texts.lease, texts.project, "-q", "What are the crowns for?", "--json")
    answer = json.loads(result.stdout)
    check(answer)
    assert answer["found"] is True
    assert answer["citations"][0]["lines"] == [2, 2]
    assert answer["coverage"]["sources"] == 4  # lease, and in the folder: lease copy, main.py, the map


def test_several_questions_are_one_object_a_line_over_one_reading(
    run: Run, texts: SimpleNamespace, engine: Any
) -> None:
    result = run("ask", texts.notes, "-q", "Who is the plumber.", "-q", "What is the weather?", "--json")
    first, second = map(json.loads, result.stdout.splitlines())
    check(first)
    check(second)
    assert (first["found"], second["found"], result.exit_code) == (True, False, 0)
    assert engine.calls.count("read notes.txt") == 1
    shown = run("ask", texts.notes, "-q", "Who is the plumber.", "-q", "What is the weather?")
    assert "\n> What is the weather?\nThe documents do not say.\n\nRead all" in shown.stdout


def test_influence_is_told_on_request_only(run: Run, texts: SimpleNamespace, engine: Any) -> None:
    asked = ("ask", texts.lease, "-q", "What are the crowns for?", "--influence")
    engine.influences = lambda documents, answer: (
        Influence("lease.txt", answer.citations[0].document, 0, 38, 42, 0.75),
        Influence("lease.txt", answer.citations[0].document, 0, 42, 49, -0.25),
    )
    answer = json.loads(run(*asked, "--json").stdout)
    check(answer)
    assert [(one["text"], one["share"]) for one in answer["influence"]] == [(" 900", 0.75), (" crowns", -0.25)]
    assert "What weighed most, for (+) or against (-) it: '900' +75%, 'crowns' -25%." in run(*asked).stdout
    assert "Nothing is cited" in run("ask", texts.lease, "-q", "Why?", "--influence").stdout


def test_an_answer_the_schema_does_not_know_fails() -> None:
    with pytest.raises(jsonschema.ValidationError):
        check({"question": "q"})


def test_a_document_of_the_library_is_named_by_id_or_name(run: Run, texts: SimpleNamespace) -> None:
    read = json.loads(run("read", texts.lease, "--json").stdout)
    (document,) = read["documents"]
    assert (document["is_read"], document["tokens"], read["model"]) == (True, 10, {"name": "fake", "revision": "r1"})
    for key in (document["id"], document["id"][:8], "lease.txt"):
        result = run("ask", key, "-q", "What are the crowns for?", "--json")
        assert json.loads(result.stdout)["citations"][0]["document"] == document["id"]


def test_read_says_what_it_holds_now(run: Run, texts: SimpleNamespace) -> None:
    result = run("read", texts.lease)
    assert "lease.txt  (text, 1 page, 51 bytes; read, 10 tokens)" in result.stdout
    assert result.stdout.endswith("Read all 1 page (10 tokens).\n")
    assert "Reading took 0 s." in result.stderr


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["nowhere.pdf", "-q", "x"], "Error: 'nowhere.pdf' does not exist, and nothing in the library has that id or"),
        (["{lease}"], "Error: Missing option '-q' / '--question'. See: python app.py ask --help"),
        (["{lease}", "-q", " "], "Error: Invalid value for '-q' / '--question': it is empty; write what you want"),
        (["{lease}", "-q", "x", "--top-k", "0"], "Error: Invalid value for '--top-k': 0 is not in the range x>=1."),
        (["{lease}", "-q", "x", "--pages", "7-3"], "page range '7-3' runs from 7 to 3; it must start at 1 or later"),
        (["{lease}", "-q", "x", "--temperature", "nan"], "Error: Invalid value for '--temperature': nan is not a fini"),
        (["{lease}", "-q", "x", "--frobnicate"], "Error: No such option '--frobnicate'."),
        (["{broken}", "-q", "x"], "broken.pdf"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    run: Run, texts: SimpleNamespace, tmp_path: Path, args: list[str], sentence: str
) -> None:
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"%PDF-1.7 nothing else")
    result = run("ask", *[arg.format(lease=texts.lease, broken=broken) for arg in args])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1


def test_pages_of_something_in_the_library_are_refused(run: Run, texts: SimpleNamespace) -> None:
    run("read", texts.lease)
    result = run("ask", "lease.txt", "-q", "x", "--pages", "1")
    assert result.exit_code == 2
    assert "lease.txt is in the library already, so --pages 1 cannot apply; give its path" in result.stderr


def test_ctrl_c_is_130_without_a_traceback(run: Run, texts: SimpleNamespace, engine: Any) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    engine.during_reading = stop
    result = run("ask", texts.lease, "-q", "x")
    assert (result.exit_code, result.stdout, result.stderr.strip()) == (130, "", "")


def test_problems_are_told_on_standard_error(run: Run, texts: SimpleNamespace) -> None:
    (texts.project / "data.bin").write_bytes(bytes(range(256)) * 8)
    result = run("ask", texts.project, "-q", "What are the crowns for?", "--json")
    check(json.loads(result.stdout))
    assert "Note: data.bin: " in result.stderr
