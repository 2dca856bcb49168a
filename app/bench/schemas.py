"""Whether JSON that a model must write fits its schema: schemas of real interfaces, checked by the jsonschema library.

The schemas are those of the objects that installed packages exchange with the world: OpenAI's protocol, the Model
Context Protocol and OpenAPI, with nested objects, enums, arrays, alternatives and formats. What a small model puts into
them is not judged.
"""

import importlib
import json
import pkgutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError

from app.bench.journal import Journal
from app.bench.report import Report
from app.bench.subject import code_digest
from app.settings import Settings
from llm.backbone import Backbone, load_backbone
from llm.errors import BadQuestion
from llm.generation import Generated, generate
from llm.structured.constraint import SchemaConstraint
from llm.structured.form import misfit

PACKAGES = ("openai.types", "mcp.types", "fastapi.openapi.models")
_MAX_NEW_TOKENS = 48  # then only what the schema still demands
_MIN_PROPERTIES = 2
_FEATURES = ("$ref", "enum", "array", "anyOf", "format", "const")
_NOTE = (
    "Schemas drawn evenly from those of the installed packages {packages}, of objects with two properties or more; "
    "{refused} of those that were drawn use what the constraint does not know, were refused by a sentence, and others "
    "took their place. Valid: parsed and accepted by the jsonschema library, formats included. Greedy, "
    f"brought to an end after {_MAX_NEW_TOKENS} tokens."
)


def run(settings: Settings, number: int, work_dir: Path, on_text: Callable[[str], None]) -> Report:
    """One object for each of `number` schemas; what a killed run has written is not written again.

    Raises ModelNotFound.
    """
    backbone = load_backbone(
        settings.model, cache_dir=settings.cache_dir, device=settings.device, dtype=settings.dtype,
        threads=settings.threads,
    )  # fmt: skip
    depends_on = {"model": backbone.snapshot_identity(), "code": code_digest(), "tokens": _MAX_NEW_TOKENS}
    journal = Journal(work_dir, "schemas", depends_on)
    known = dict(real_schemas())
    features: Counter[str] = Counter()
    valid: Counter[str] = Counter()
    wrong: dict[str, str] = {}
    num_done = num_refused = 0
    began = time.monotonic()
    for name in spread(list(known)):
        schema = json.dumps(known[name])
        key = f"{name} {sha256(schema.encode()).hexdigest()[:12]}"
        found = journal.get(key) or journal.put(key, outcome(backbone, name, schema))
        if "refused" in found:
            num_refused += 1
            on_text(f"{name}: {found['refused']}")
            continue
        text = found["text"]
        why = misfit(text, schema)
        if why is not None:
            wrong[name] = why
            on_text(f"{name}: {why}: {text[:200]}")
        for feature in ("all", *(feature for feature in _FEATURES if f'"{feature}"' in schema)):
            features[feature] += 1
            valid[feature] += why is None
        num_done += 1
        if num_done % 20 == 0:
            on_text(f"{num_done} of {number} schemas after {time.monotonic() - began:.0f} s")
        if num_done == number:
            break
    rows = [{"schemas with": name, "number": features[name], "valid": valid[name]} for name in ("all", *_FEATURES)]
    note = _NOTE.format(packages=", ".join(PACKAGES), refused=num_refused)
    return Report("JSON of a schema", backbone.name, rows, note, {"wrong": wrong})


def outcome(backbone: Backbone, name: str, schema: str) -> dict[str, str]:
    """What the model writes as "text", or why the schema cannot be kept to as "refused"."""
    try:
        return {"text": written(backbone, name, schema)}
    except BadQuestion as error:
        return {"refused": str(error)}


def written(backbone: Backbone, name: str, schema: str) -> str:
    """What the model writes under the schema. Raises BadQuestion for a schema that cannot be kept to."""
    into = Generated()
    constraint = SchemaConstraint(schema, backbone)
    prompt = [*backbone.prompt.prefix, *backbone.prompt.suffix(f"Give an example of a {name.rpartition('.')[2]}.")]
    for _ in generate(
        backbone, backbone.empty_kv(), prompt, into, max_new_tokens=_MAX_NEW_TOKENS, constraint=constraint
    ):
        pass
    return into.text


def real_schemas() -> Iterator[tuple[str, dict[str, Any]]]:
    """Of every model class of the packages, by its full name, each once; deterministic."""
    seen = set()
    for package in PACKAGES:
        for module in _modules(package):
            for one in vars(module).values():
                if not (isinstance(one, type) and issubclass(one, BaseModel)) or one.__module__ != module.__name__:
                    continue
                try:
                    schema = one.model_json_schema()
                except (PydanticInvalidForJsonSchema, PydanticUserError):
                    continue  # it holds what JSON cannot say
                text = json.dumps(schema, sort_keys=True)
                if len(schema.get("properties", ())) >= _MIN_PROPERTIES and text not in seen:
                    seen.add(text)
                    yield f"{module.__name__}.{one.__name__}", schema


def _modules(package: str) -> Iterator[Any]:
    root = importlib.import_module(package)
    yield root
    for found in sorted(pkgutil.walk_packages(getattr(root, "__path__", ()), f"{package}."), key=lambda one: one.name):
        yield importlib.import_module(found.name)


def spread(names: list[str]) -> Iterator[str]:
    """All of them, those of the first round spread over the whole list."""
    step = max(1, len(names) // 200)
    for start in range(step):
        yield from names[start::step]
