"""Schemas in both forms become the same fields; the question of a field is one that a person would ask."""

import json
from pathlib import Path

import pytest

from app.errors import BadRequest
from app.extraction import Field, FieldKind, load_schema

SHORT = "party, effective_date date, term?, amounts: number[], signed: bool, tone: mild|harsh?"
JSON = {
    "type": "object",
    "required": ["party", "effective_date", "amounts", "signed"],
    "properties": {
        "party": {"type": "string"},
        "effective_date": {"type": "string", "format": "date"},
        "term": {"type": ["string", "null"]},
        "amounts": {"type": "array", "items": {"type": "number"}},
        "signed": {"type": "boolean"},
        "tone": {"enum": ["mild", "harsh", None]},
    },
}


def of(text: str) -> Field:
    (field,) = load_schema(text)
    return field


def test_both_forms_give_the_same_fields(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(JSON), encoding="utf-8")
    short, long = load_schema(SHORT), load_schema(str(path))
    assert short == long
    assert [(field.name, field.kind, field.is_list, field.is_required) for field in short] == [
        ("party", FieldKind.NAME, False, True), ("effective_date", FieldKind.DATE, False, True),
        ("term", FieldKind.TEXT, False, False), ("amounts", FieldKind.NUMBER, True, True),
        ("signed", FieldKind.BOOLEAN, False, True), ("tone", FieldKind.CHOICE, False, False),
    ]  # fmt: skip
    assert [field.choices for field in short[-2:]] == [("yes", "no"), ("mild", "harsh")]


def test_the_short_form_may_stand_in_a_file_with_what_is_meant(tmp_path: Path) -> None:
    path = tmp_path / "fields.txt"
    path.write_text("party # Who are the parties?\n\nsigned date  # the day on which it was signed\n", encoding="utf-8")
    party, signed = load_schema(str(path))
    assert (party.question, signed.question) == ("Who are the parties?", "What is the day on which it was signed?")


@pytest.mark.parametrize(
    ("short", "question"),
    [
        ("effectiveDate date", "What is the effective date?"),
        ("amounts: number[]", "What are the amounts?"),
        ("is_signed bool", "Is it signed?"),
        ("is_signed bool # is it signed?", "is it signed?"),
        ("has_arbitration bool", "Is there arbitration?"),
        ("arbitration bool # an arbitration clause", "Is there an arbitration clause?"),
        ("total number # gross", "What is the total (gross)?"),
    ],
)
def test_questions(short: str, question: str) -> None:
    assert of(short).question == question


def test_a_pattern_of_the_schema_is_the_form() -> None:
    form = of('{"properties": {"iban": {"type": "string", "pattern": "[A-Z]{2}[0-9]{20}"}}}').form
    assert form is not None
    assert form.pattern == "[A-Z]{2}[0-9]{20}"
    assert of("party").form is None


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("schema.json", "the schema 'schema.json' does not exist; name a file, or write fields"),
        ("total: euros", "line 1 of the schema gives total the type 'euros'; known are text, string"),
        ("a, a date", "the schema names the field a twice"),
        ("1st", "line 1 of the schema has '1st', which is no field; write name"),
        (" , ", "the schema has no field; write some"),
        ('{"properties": {"a": {"type": "string"}', "line 1 of the schema is no JSON"),
        ('{"type": "object"}', 'the schema has no "properties"'),
        ('{"properties": {"a": {"type": "text"}}}', "the schema is no JSON Schema: 'text' is not valid under any"),
        ('{"properties": {"a": {"type": "object"}}}', "property a of the schema has the type 'object'; allowed are"),
        ('{"properties": {"a": {"type": "array", "items": {"type": "object"}}}}', "the items of property a of the sch"),
    ],
)
def test_a_mistake_is_one_sentence(given: str, sentence: str) -> None:
    with pytest.raises(BadRequest) as caught:
        load_schema(given)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
