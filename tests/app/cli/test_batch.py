"""`batch` on the small engine: rows of the contract, resumed, with nothing repeated and nothing twice."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
from click.testing import Result
from openpyxl import load_workbook

SCHEMA = json.loads((Path(__file__).resolve().parents[3] / "app" / "cli" / "answer.schema.json").read_text("utf-8"))
Run = Callable[..., Result]
OWN = ("id", "source", "document", "question_id", "status", "error")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "rows.jsonl"


@pytest.fixture
def folder(texts: SimpleNamespace) -> Path:
    """lease.txt and notes.txt, and below project/ a copy of the lease and a code file."""
    return Path(texts.lease).parent


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text("utf-8").splitlines()]


def asked(engine: Any) -> int:
    return sum(call.startswith("ask ") for call in engine.calls)


def test_rows_are_answers_with_their_own_keys(run: Run, folder: Path, out: Path) -> None:
    result = run("batch", folder, "-q", "What are the crowns for?", "--out", out)
    assert (result.exit_code, result.stdout) == (0, f"4 rows in {out}: 4 ok, 0 partial, 0 failed.\n"), result.stderr
    found = rows(out)
    for row in found:
        jsonschema.Draft202012Validator(SCHEMA).validate({key: row[key] for key in row if key not in OWN})
        assert (row["status"], row["error"]) == ("ok", None)
    assert [(row["source"], row["found"]) for row in found] == [
        ("lease.txt", True), ("notes.txt", False), ("project/lease copy.txt", True), ("project/main.py", False),
    ]  # fmt: skip
    assert len({row["id"] for row in found}) == 4


def test_equal_files_are_asked_once_and_each_has_its_row(run: Run, folder: Path, out: Path, engine: Any) -> None:
    run("batch", folder, "-q", "What are the crowns for?", "--out", out)
    first, _, copy, _ = rows(out)
    assert (asked(engine), sum(call == "read lease.txt" for call in engine.calls)) == (3, 1)
    assert copy["answer"] == first["answer"]
    assert (first["citations"][0]["source"], copy["citations"][0]["source"]) == ("lease.txt", "project/lease copy.txt")


def test_a_second_run_repeats_nothing_and_new_questions_only_add(
    run: Run, folder: Path, out: Path, engine: Any
) -> None:
    run("batch", folder, "-q", "What are the crowns for?", "--out", out)
    before = out.read_bytes()
    assert run("batch", folder, "-q", "What are the crowns for?", "--out", out).exit_code == 0
    assert (out.read_bytes(), asked(engine)) == (before, 3)
    run("batch", folder, "-q", "Who is the plumber.", "-q", "What are the crowns for?", "--out", out)
    assert out.read_bytes().startswith(before)
    assert (len(rows(out)), asked(engine)) == (8, 6)
    assert sum(call.startswith("read ") for call in engine.calls) == 3


def test_a_changed_file_alone_is_asked_again(run: Run, folder: Path, out: Path, engine: Any) -> None:
    run("batch", folder, "-q", "What are the crowns for?", "--out", out)
    (folder / "notes.txt").write_text("The crowns are for the plumber.\n", encoding="utf-8")
    run("batch", folder, "-q", "What are the crowns for?", "--out", out)
    assert asked(engine) == 4
    found = {row["source"]: row["answer"] for row in rows(out)}
    assert (len(rows(out)), found["notes.txt"]) == (4, "The crowns are for the plumber.")


def test_a_moved_file_has_a_row_without_being_asked(run: Run, folder: Path, out: Path, engine: Any) -> None:
    run("batch", folder, "-q", "Who is the plumber.", "--out", out)
    (folder / "notes.txt").rename(folder / "memo.txt")
    run("batch", folder, "-q", "Who is the plumber.", "--out", out)
    assert asked(engine) == 3
    assert rows(out)[-1]["citations"][0]["source"] == "memo.txt"


def test_other_options_make_other_rows(run: Run, folder: Path, out: Path) -> None:
    run("batch", folder / "lease.txt", "-q", "What are the crowns for?", "--out", out)
    (first,) = rows(out)
    run("batch", folder / "lease.txt", "-q", "What are the crowns for?", "--out", out, "--max-new-tokens", "7")
    (second,) = rows(out)
    assert first["id"] != second["id"]


def test_failures_have_rows_a_list_and_an_exit_code(run: Run, folder: Path, out: Path, engine: Any) -> None:
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 nothing else")
    (folder / "empty.md").touch()
    result = run("batch", folder, "-q", "What are the crowns for?", "-q", "Who is the plumber.", "--out", out)
    assert result.exit_code == 1
    failures = out.with_name("rows.failures.csv")
    assert result.stdout == f"12 rows in {out}: 8 ok, 0 partial, 4 failed; see {failures}.\n"
    assert result.stderr.count("Failed: broken.pdf") == result.stderr.count("Failed: empty.md") == 1
    listed = list(csv.DictReader(failures.read_text("utf-8-sig").splitlines()))
    assert [(row["source"], row["question"]) for row in listed][:2] == [
        ("broken.pdf", "What are the crowns for?"), ("broken.pdf", "Who is the plumber."),
    ]  # fmt: skip
    for row in rows(out):
        jsonschema.Draft202012Validator(SCHEMA).validate({key: row[key] for key in row if key not in OWN})
    (folder / "empty.md").write_text("The plumber came.\n", encoding="utf-8")
    (folder / "broken.pdf").unlink()
    again = run("batch", folder, "-q", "What are the crowns for?", "-q", "Who is the plumber.", "--out", out)
    assert again.exit_code == 0
    assert not failures.exists()


def test_failed_rows_stay_until_they_are_to_be_tried_again(
    run: Run, folder: Path, out: Path, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = type(engine).ask

    def fail(self: Any, documents: Any, question: str, *rest: Any) -> Any:
        if documents[0].name == "notes.txt":
            raise RuntimeError("the model fell over")
        return real(self, documents, question, *rest)

    monkeypatch.setattr(type(engine), "ask", fail)
    assert run("batch", folder, "-q", "Who is the plumber.", "--out", out).exit_code == 1
    assert "notes.txt could not be asked: an unexpected RuntimeError; see the log" in rows(out)[1]["error"]
    monkeypatch.setattr(type(engine), "ask", real)
    assert run("batch", folder, "-q", "Who is the plumber.", "--out", out).exit_code == 1
    assert run("batch", folder, "-q", "Who is the plumber.", "--out", out, "--retry-failed").exit_code == 0
    assert [row["status"] for row in rows(out)] == ["ok"] * 4


def test_nothing_but_failures_is_exit_code_2(run: Run, tmp_path: Path, out: Path) -> None:
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7 nothing else")
    assert run("batch", tmp_path / "broken.pdf", "-q", "x", "--out", out).exit_code == 2
    assert rows(out)[0]["status"] == "failed"


def test_tables_guard_against_formulas(run: Run, tmp_path: Path, out: Path) -> None:
    text = tmp_path / "evil.txt"
    text.write_text("=HYPERLINK(crowns)\n", encoding="utf-8")
    (tmp_path / "sum.txt").write_text("-12.50 crowns\n", encoding="utf-8")
    tables = ["--csv", tmp_path / "t.csv", "--xlsx", tmp_path / "t.xlsx"]
    run("batch", text, tmp_path / "sum.txt", "-q", "Which =hyperlink(crowns) crowns", "--out", out, *tables)
    evil, amount = csv.DictReader((tmp_path / "t.csv").read_text("utf-8-sig").splitlines())
    assert (evil["answer"], amount["answer"]) == ("'=HYPERLINK(crowns)", "'-12.50 crowns")
    assert rows(out)[0]["answer"] == "=HYPERLINK(crowns)"
    cells = list(load_workbook(tmp_path / "t.xlsx").active.iter_rows())
    formulas = [cell for cell in cells[1] if cell.value == "=HYPERLINK(crowns)"]
    assert [cell.data_type for cell in formulas] == ["s", "s"]  # the answer and its quote


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["{folder}", "--out", "{out}"], "no question was given; add --question TEXT, --questions FILE or --schema"),
        (["{folder}", "-q", "x", "--out", "{folder}/no/rows.jsonl"], "does not exist; make it, or name another file"),
        (["{folder}/nowhere", "-q", "x", "--out", "{out}"], "does not exist, and nothing in the library"),
        (["{folder}/project/../lease.txt", "-q", "x", "--out", "{folder}/lease.txt"], "is no row of a batch"),
        (["{folder}", "--questions", "{questions}", "--out", "{out}"], "line 2 of {questions} is no JSON"),
        (["{folder}", "--questions", "{nothing}", "--out", "{out}"], "no question fits the name of any source"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    run: Run, folder: Path, tmp_path: Path, out: Path, args: list[str], sentence: str
) -> None:
    questions, nothing = tmp_path / "questions.jsonl", tmp_path / "nothing.jsonl"
    questions.write_text('{"question": "a"}\n{"question"\n', encoding="utf-8")
    nothing.write_text('{"question": "a", "source": "*.docx"}\n', encoding="utf-8")
    named = {"folder": folder, "out": out, "questions": questions, "nothing": nothing}
    result = run("batch", *[arg.format(**named) for arg in args])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert sentence.format(**named) in result.stderr
    assert result.stderr.count("\n") == 1


def test_ctrl_c_keeps_the_rows_and_their_tables(run: Run, folder: Path, out: Path, engine: Any) -> None:
    def stop() -> None:
        if "read lease.txt" in engine.calls:
            raise KeyboardInterrupt

    engine.during_reading = stop
    result = run("batch", folder, "-q", "What are the crowns for?", "--out", out, "--csv", out.with_suffix(".csv"))
    assert result.exit_code == 130
    assert len(rows(out)) == 1
    assert len(out.with_suffix(".csv").read_text("utf-8-sig").splitlines()) == 2


def test_a_dry_run_says_what_it_would_take_and_writes_no_row(run: Run, folder: Path, out: Path) -> None:
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 nothing else")
    result = run("batch", folder, "-q", "What are the crowns for?", "--out", out, "--dry-run")
    assert result.exit_code == 0, result.stderr
    first, second, third, fourth, fifth = result.stdout.splitlines()
    assert first == "4 documents with 4 pages and 34 tokens; 4 rows to make, 0 are there."
    assert second == "1 cannot be read, and their rows will fail:"
    assert third.startswith("  broken.pdf")
    assert fourth == "About 0 s from here, as measured on project/main.py."
    assert " on disk for what is read, where " in fifth
    assert not out.exists()


def test_a_schema_gives_values_and_a_line_for_each_document(run: Run, tmp_path: Path, out: Path, engine: Any) -> None:
    given = tmp_path / "given"
    given.mkdir()
    (given / "a.txt").write_text("signed on 4th June 2005\nthe crowns are 1,250.50\n", encoding="utf-8")
    (given / "b.txt").write_text("signed in summer\n", encoding="utf-8")
    args = ["batch", given, "--schema", "signed date, crowns number, plumber?", "--out", out]
    assert run(*args, "--csv", tmp_path / "t.csv").exit_code == 0
    found = {(row["source"], row["field"]): row for row in rows(out)}
    assert found["a.txt", "signed"]["value"] == "2005-06-04"
    assert found["a.txt", "crowns"]["value"] == 1250.5
    assert found["a.txt", "crowns"]["citations"][0]["lines"] == [2, 2]
    absent = found["a.txt", "plumber"]
    assert (absent["value"], absent["found"], absent["status"]) == (None, False, "ok")
    no_date = found["b.txt", "signed"]
    assert (no_date["value"], no_date["status"]) == (None, "partial")
    assert "'signed in summer', and the schema asks for a date" in no_date["error"]
    table = list(csv.DictReader((tmp_path / "t.csv").read_text("utf-8-sig").splitlines()))
    assert [(line["source"], line["status"], line["signed"], line["crowns"]) for line in table] == [
        ("a.txt", "ok", "2005-06-04", "1250.5"), ("b.txt", "partial", "", ""),
    ]  # fmt: skip
    before = asked(engine)
    run(*args)
    assert asked(engine) == before


def test_another_kind_of_a_field_is_another_row(run: Run, tmp_path: Path, out: Path) -> None:
    (tmp_path / "a.txt").write_text("the total is 12 crowns\n", encoding="utf-8")
    for schema, value in (("total", "the total is 12 crowns"), ("total number", 12)):
        run("batch", tmp_path / "a.txt", "--schema", schema, "--out", out)
        assert [row["value"] for row in rows(out)] == [value]


def test_a_parquet_table_keeps_kinds(run: Run, tmp_path: Path, out: Path) -> None:
    from arro3.io import read_parquet

    (tmp_path / "a.txt").write_text("the crowns are 1,250.50\n\npaid by Ann\n", encoding="utf-8")
    (tmp_path / "b.txt").write_text("nothing\n", encoding="utf-8")
    table = tmp_path / "t.parquet"
    sources = [tmp_path / "a.txt", tmp_path / "b.txt"]
    assert (
        run("batch", *sources, "--schema", "crowns number?, payer? text", "--out", out, "--parquet", table).exit_code
        == 0
    )
    read = read_parquet(table).read_all()
    columns = {name: read.column(name).to_pylist() for name in read.schema.names}
    assert columns["source"] == ["a.txt", "b.txt"]
    assert columns["crowns"] == [1250.5, None]
    assert columns["crowns page"] == [None, None]
    assert "Float64" in str(read.schema.field("crowns").type)


def test_ray_takes_files_alone_and_says_what_it_needs(run: Run, folder: Path, out: Path) -> None:
    result = run("batch", folder, "-q", "x", "--out", out, "--ray", "127.0.0.1:1")
    assert result.exit_code == 2
    assert "no Ray cluster answers at '127.0.0.1:1'" in result.stderr or "--ray needs the package ray" in result.stderr
