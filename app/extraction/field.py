"""One field of a schema: what it is called, what its values are, and the question that asks for it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from llm.named.patterns import DATE, DURATION, NUMBER
from llm.structured import Form


class FieldKind(StrEnum):
    """What a value is. In a JSON Schema: a type, and a format for dates, durations, names and addresses."""

    TEXT = "text"
    NAME = "name"  # of an organisation or a person, whole
    ADDRESS = "address"  # postal, whole, on one line
    DATE = "date"  # ISO 8601: 2005-06-04
    DURATION = "duration"  # ISO 8601: P2Y
    NUMBER = "number"  # amounts, too; without currency
    INTEGER = "integer"
    BOOLEAN = "boolean"
    CHOICE = "choice"  # one of `Field.choices`


_PATTERNS: Mapping[FieldKind, str] = {
    FieldKind.DATE: DATE, FieldKind.DURATION: DURATION, FieldKind.NUMBER: NUMBER, FieldKind.INTEGER: NUMBER,
}  # fmt: skip
_NAMED = re.compile(  # what is called so has the name of an organisation or a person as its value
    r"(?:company|firm|organi[sz]ation|corporation|business|merchant|vendor|supplier|seller|buyer|purchaser|customer|client|"
    r"employer|employee|landlord|tenant|lessor|lessee|licensor|licensee|lender|borrower|issuer|payer|payee|contractor|"
    r"consultant|shareholder|part(?:y|ie)|signatory|person)s?"
)
_ASKS_ITSELF = re.compile(r"\?\s*$")
_NAMES_IT = re.compile(r"(?:the|a|an|its|their)\s", re.I)
_IS, _HAS = re.compile(r"(?:is|was)\s", re.I), re.compile(r"(?:has|have)\s", re.I)


@dataclass(frozen=True, slots=True)
class Field:
    """`schema` is the JSON Schema of one value; of a list, of its items."""

    name: str
    kind: FieldKind
    schema: Mapping[str, Any] = field(hash=False)
    is_list: bool = False
    is_required: bool = False
    description: str = ""

    @property
    def choices(self) -> tuple[str, ...]:
        if self.kind is FieldKind.BOOLEAN:
            return ("yes", "no")
        return tuple(str(value) for value in self.schema.get("enum", ()))

    @property
    def form(self) -> Form | None:
        """What the answer may be; None: any text."""
        if self.choices:
            return Form(choices=self.choices)
        pattern = _PATTERNS.get(self.kind, self.schema.get("pattern"))
        return Form(pattern=pattern) if pattern else None

    @property
    def question(self) -> str:
        """The description where that is a question; else one made of it, or of the name."""
        about = self.description.strip()
        if _ASKS_ITSELF.search(about):
            return about
        words = label(self.name)
        if self.kind is FieldKind.BOOLEAN:
            return (
                f"Is it {_IS.sub('', words)}?"
                if _IS.match(words) and not about
                else (f"Is there {_HAS.sub('', about or words).rstrip('. ')}?")
            )
        verb = "are" if self.is_list else "is"
        if _NAMES_IT.match(about):
            return f"What {verb} {about[0].lower()}{about[1:].rstrip('. ')}?"
        return f"What {verb} the {words} ({about.rstrip('. ')})?" if about else f"What {verb} the {words}?"


def label(name: str) -> str:
    """ "effectiveDate" and "effective_date" as words: "effective date"."""
    return " ".join(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name.replace("_", " ").replace("-", " ")).split()).lower()


def kind_by_name(name: str) -> FieldKind:
    """What a text field is by what it is called: "supplier" and "company_name" are names, "address" is one."""
    words = label(name).split()
    last = words[-1] if words else ""
    if last in ("address", "addresses") and words[-2:-1] not in (["mail"], ["email"], ["web"], ["ip"]):
        return FieldKind.ADDRESS
    is_named = _NAMED.fullmatch(last) or (last == "name" and any(map(_NAMED.fullmatch, words)))
    return FieldKind.NAME if is_named else FieldKind.TEXT
