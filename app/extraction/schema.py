"""Schemas as people write them: JSON Schema, or one line in a short form.

The short form is `party, effective_date date, term?, amounts: number[]`: fields apart by commas or lines, then a type
(text if none), `[]` for several values, `?` where the field may be missing, `a|b|c` for choices, and `# …` for what is
meant, up to the end of the line. Both become the same fields. A mistake is one sentence that names the place.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonschema.exceptions import SchemaError
from jsonschema.validators import validator_for

from app.errors import BadRequest
from app.extraction.field import Field, FieldKind, kind_by_name

_TYPES: Mapping[str, tuple[FieldKind, dict[str, Any]]] = {
    "text": (FieldKind.TEXT, {"type": "string"}), "string": (FieldKind.TEXT, {"type": "string"}),
    "str": (FieldKind.TEXT, {"type": "string"}),
    "name": (FieldKind.NAME, {"type": "string", "format": "name"}),
    "address": (FieldKind.ADDRESS, {"type": "string", "format": "address"}),
    "date": (FieldKind.DATE, {"type": "string", "format": "date"}),
    "duration": (FieldKind.DURATION, {"type": "string", "format": "duration"}),
    "number": (FieldKind.NUMBER, {"type": "number"}), "float": (FieldKind.NUMBER, {"type": "number"}),
    "amount": (FieldKind.NUMBER, {"type": "number"}),
    "integer": (FieldKind.INTEGER, {"type": "integer"}), "int": (FieldKind.INTEGER, {"type": "integer"}),
    "boolean": (FieldKind.BOOLEAN, {"type": "boolean"}), "bool": (FieldKind.BOOLEAN, {"type": "boolean"}),
}  # fmt: skip
_SHORT = re.compile(
    r"(?P<name>[^\W\d][\w-]*)(?P<optional>\?)?(?:\s*:\s*|\s+)?(?P<type>[^\s\[\]?][^\[\]?]*?)?\s*(?P<list>\[\])?(?P<late>\?)?"
)


def load_schema(given: str) -> list[Field]:
    """The fields of a schema: a file with JSON Schema or the short form, or the short form itself.

    Raises BadRequest, OSError.
    """
    path = Path(given).expanduser()
    if _is_file(path):
        where, text = str(path), path.read_text("utf-8-sig")
    elif re.search(r"\.\w+$", given) or ("/" in given and "," not in given):
        raise BadRequest(f"the schema {given!r} does not exist; name a file, or write fields: party, signed date")
    else:
        where, text = "the schema", given
    fields = list(_of_json(text, where) if text.lstrip().startswith("{") else _of_short_form(text, where))
    names = [field.name for field in fields]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadRequest(f"{where} names the field {twice} twice; give each field its own name")
    if not fields:
        raise BadRequest(f"{where} has no field; write some, as: party, effective_date date, amounts: number[]")
    return fields


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a short form that is longer than a file name can be
        return False


def _of_short_form(text: str, where: str) -> Iterator[Field]:
    for number, line in enumerate(text.splitlines(), 1):
        fields, _, about = line.partition("#")
        parts = [part.strip() for part in fields.split(",") if part.strip()]
        for part in parts:
            yield _of_part(part, about.strip() if part == parts[-1] else "", f"line {number} of {where}")


def _of_part(part: str, about: str, where: str) -> Field:
    found = _SHORT.fullmatch(part)
    if found is None:
        raise BadRequest(f"{where} has {part!r}, which is no field; write name, name type, name?, or name: type[]")
    kind_name = (found["type"] or "").strip().lower()
    kind: FieldKind
    schema: dict[str, Any]
    if not kind_name:
        kind, schema = kind_by_name(found["name"]), {"type": "string"}
    elif "|" in kind_name:
        choices = [choice.strip() for choice in str(found["type"]).split("|") if choice.strip()]
        kind, schema = FieldKind.CHOICE, {"enum": choices}
    elif kind_name in _TYPES:
        kind, schema = _TYPES[kind_name]
    else:
        raise BadRequest(
            f"{where} gives {found['name']} the type {kind_name!r}; known are {', '.join(_TYPES)}, and choices as a|b|c"
        )
    is_optional = bool(found["optional"] or found["late"])
    return Field(found["name"], kind, schema, bool(found["list"]), not is_optional, about)


def _of_json(text: str, where: str) -> Iterator[Field]:
    try:
        schema = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadRequest(f"line {error.lineno} of {where} is no JSON ({error.msg} at column {error.colno})") from error
    try:
        validator_for(schema).check_schema(schema)
    except SchemaError as error:
        place = "/".join(map(str, error.absolute_path)) or "its top"
        raise BadRequest(f"{where} is no JSON Schema: {error.message} at {place}") from error
    if not isinstance(schema.get("properties"), dict):
        raise BadRequest(f'{where} has no "properties"; a schema of a document is an object with one for each field')
    required = set(schema.get("required", ()))
    for name, each in schema["properties"].items():
        yield _of_property(name, each, name in required, f"property {name} of {where}")


def _of_property(name: str, schema: Any, is_required: bool, where: str) -> Field:
    if not isinstance(schema, dict):
        raise BadRequest(f"{where} is {json.dumps(schema)}; write an object with a type")
    types = [one for one in _as_list(schema.get("type", "string")) if one != "null"]
    description = str(schema.get("description") or schema.get("title") or "")
    if types == ["array"]:
        item = _of_property(name, schema.get("items", {"type": "string"}), is_required, f"the items of {where}")
        return Field(name, item.kind, item.schema, True, is_required, description or item.description)
    if "enum" in schema or "const" in schema:
        choices = [value for value in schema.get("enum", [schema.get("const")]) if value is not None]
        return Field(name, FieldKind.CHOICE, {"enum": choices}, False, is_required, description)
    kind = {
        "string": FieldKind.TEXT, "number": FieldKind.NUMBER, "integer": FieldKind.INTEGER, "boolean": FieldKind.BOOLEAN
    }.get(types[0] if len(types) == 1 else "")  # fmt: skip
    if kind is None:
        raise BadRequest(
            f"{where} has the type {schema.get('type')!r}; allowed are string, number, integer, boolean, enum, and "
            "arrays of them: give each value a property of its own"
        )
    if kind is FieldKind.TEXT:
        kind = _of_format(name, schema)
    return Field(name, kind, {**schema, "type": types[0]}, False, is_required, description)


def _of_format(name: str, schema: Mapping[str, Any]) -> FieldKind:
    """By the format; by the field's name where that is all there is."""
    if {"format", "pattern", "minLength", "maxLength"}.isdisjoint(schema):
        return kind_by_name(name)
    formats = (FieldKind.DATE, FieldKind.DURATION, FieldKind.NAME, FieldKind.ADDRESS)
    return next((kind for kind in formats if kind == schema.get("format")), FieldKind.TEXT)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
