"""The measurement of extraction: what counts as right, the regular expressions, and a whole run on a tiny model."""

import json
from pathlib import Path

import pytest

from app.bench.fields.rivals import by_regex
from app.bench.fields.run import FieldsBench
from app.bench.fields.truth import CONTRACT_FIELDS, RECEIPT_FIELDS, is_right, tasks
from app.errors import BadRequest
from app.extraction import Field, load_schema
from app.settings import Settings

FIELDS = {field.name: field for field in load_schema(CONTRACT_FIELDS + RECEIPT_FIELDS)}
CONTRACT = (
    "This Agreement is made the 4th day of June, 2005 between NEON SYSTEMS, INC., a Delaware corporation, and others.\n"
    "It is governed by the laws of the State of New York, for a period of two (2) years.\n"
)
RECEIPT = "ABC HO TRADING\nNO.2&4, JALAN HARMONI\n81100 JOHOR\nTEL 07-1\n09/01/2019\nSUB TOTAL 30.00\nTOTAL RM 31.00\n"


@pytest.mark.parametrize(
    ("name", "value", "truth", "right"),
    [
        ("jurisdiction", "the State of New York", "New York", True),
        ("jurisdiction", "York", "New York", False),
        ("jurisdiction", None, "New York", False),
        ("party", "NEON SYSTEMS, INC., a Delaware corporation", "Neon Systems Inc.", True),
        ("effective_date", "2005-06-04", "2005-06-04", True),
        ("effective_date", "2005-04-06", "2005-06-04", False),
        ("term", "P2Y", "2 years", True),
        ("date", "2018-12-25", "25/12/2018", True),
        ("total", 9, "9.00", True),
        ("total", 9.5, "9.00", False),
        ("address", "NO.2&4 JALAN HARMONI 3/2 TAMAN DESA JOHOR", "NO.2&4, JALAN HARMONI 3/2, TAMAN DESA. JOHOR", True),
        ("address", "JOHOR", "NO.2&4, JALAN HARMONI 3/2, TAMAN DESA. JOHOR", False),
    ],
)
def test_what_is_right(name: str, value: object, truth: str, right: bool) -> None:
    assert is_right(value, FIELDS[name], [truth]) is right


def test_the_regular_expressions_fill_every_field() -> None:
    truth = {
        "jurisdiction": "New York", "effective_date": "2005-06-04", "party": "Neon Systems Inc.", "term": "2 years",
        "company": "ABC HO TRADING", "date": "09/01/2019", "address": "NO.2&4, JALAN HARMONI 81100 JOHOR",
        "total": "31.00",
    }  # fmt: skip
    for name, true in truth.items():
        field: Field = FIELDS[name]
        text = CONTRACT if name in ("jurisdiction", "effective_date", "party", "term") else RECEIPT
        assert is_right(by_regex(field, text), field, [true]), (name, by_regex(field, text))


def test_a_run_scores_every_field_and_a_second_one_asks_nothing(
    tmp_path: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = tmp_path / "data" / "documents"
    (documents / "contracts").mkdir(parents=True)
    (documents / "receipts").mkdir()
    (documents / "contracts" / "a.txt").write_text(CONTRACT, encoding="utf-8")
    expected = {"file": "a.txt", "expected": {"jurisdiction": ["New York"], "party": ["Neon Systems Inc."]}}
    (documents / "contracts" / "expected.jsonl").write_text(json.dumps(expected), encoding="utf-8")
    (task,) = tasks(tmp_path / "data", 40, 30)
    settings = Settings(model=str(tiny_checkpoint), cache_dir=tmp_path / "cache", threads=1, dtype="float32")
    said: list[str] = []
    report = FieldsBench(settings, tmp_path, said.append).run([task])
    assert [(row["field"], row["there"], row["not there"]) for row in report.rows] == [
        ("contract: jurisdiction", 1, 0), ("contract: effective_date", 0, 1), ("contract: party", 1, 0),
        ("contract: term", 0, 1),
    ]  # fmt: skip
    assert [row["regex"] for row in report.rows] == ["1 / 0", "0 / 1", "1 / 0", "0 / 1"]
    monkeypatch.setattr("app.bench.fields.run.by_retrieval", None)
    again = FieldsBench(settings, tmp_path, said.append).run([task])
    assert again.rows == report.rows
    assert sum(line.startswith("a.txt ") for line in said) == 4


def test_a_folder_without_the_documents_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="has no folder contracts"):
        tasks(tmp_path, 1, 1)
