"""What an answer may be: one of given choices, a stretch of the text shown that fits a pattern, or JSON of a schema.

Plain values. Of a choice or a pattern, where the model sees nothing that fits, only the refusal is left; so what is
written is a choice, or stands in the document. JSON is only checked against its schema: what is in it is the model's.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

MAX_STRINGS = 400  # of one document; a grammar of more takes longer than the answer


@dataclass(frozen=True)
class Form:
    """Raises ValueError unless there are choices, a pattern that compiles or a JSON Schema, and only one of them."""

    choices: tuple[str, ...] = ()
    pattern: str | None = None  # of `re`; flags stand in it: "(?i)…"
    barred: tuple[str, ...] = ()  # what fits the pattern, and was wrong
    schema: str | None = None  # a JSON Schema, as JSON text

    def __post_init__(self) -> None:
        if bool(self.choices) + (self.pattern is not None) + (self.schema is not None) != 1:
            raise ValueError(
                f"a form has choices, a pattern or a schema; got {self.choices!r}, {self.pattern!r} and {self.schema!r}"
            )
        if self.schema is not None:
            _check_schema(self.schema)
        if not all(choice.strip() for choice in self.choices):
            raise ValueError(f"the choices are {self.choices!r}; each must be text that is not empty")
        if self.pattern is not None:
            re.compile(self.pattern)

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        assert self.pattern is not None, "choices need no pattern"
        return re.compile(self.pattern)

    def is_in(self, text: str) -> bool:
        """Whether an answer of this form may stand in the text: always, where it has no pattern."""
        return self.pattern is None or bool(self.strings([text]))

    def strings(self, shown: Iterable[str]) -> list[str]:
        """What an answer may be, where these texts are shown: each once, at most MAX_STRINGS, in their order."""
        if self.choices:
            return list(dict.fromkeys(self.choices))
        barred = {"", *(" ".join(string.split()) for string in self.barred)}
        found: dict[str, None] = {}
        for text in shown:
            for match in self._compiled.finditer(text):
                string = " ".join(match[0].split())
                if string not in barred:
                    found.setdefault(string)
                if len(found) == MAX_STRINGS:
                    return list(found)
        return list(found)


def misfit(text: str, schema: str) -> str | None:
    """Why a text is not JSON that fits the schema; None if it is. Formats count."""
    from jsonschema import Draft202012Validator  # here, so that `import llm.answer` stays quick
    from jsonschema.exceptions import best_match

    try:
        value = json.loads(text)
    except ValueError as error:
        return f"it is no JSON: {error}"
    validator = Draft202012Validator(json.loads(schema), format_checker=Draft202012Validator.FORMAT_CHECKER)
    found = best_match(validator.iter_errors(value))
    return None if found is None else " ".join(found.message.split())[:200]


def _check_schema(schema: str) -> None:
    """Raises ValueError for what is no JSON Schema."""
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(json.loads(schema))
    except (SchemaError, ValueError) as error:
        reason = error.message if isinstance(error, SchemaError) else str(error)
        raise ValueError(f"the schema {' '.join(schema.split())[:60]!r} is no JSON Schema: {reason}") from error
