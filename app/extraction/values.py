"""Answers as values: an ISO date, an ISO duration, a number, true or false, one of the choices. Libraries parse.

A date in numbers alone, as 08/02/1999, is read in the order that the document's other dates have, or that its country
has; day first where none tells. What is no value of its kind, or breaks the field's schema, is a `BadValue` with one
sentence.
"""

import re
import unicodedata
from collections.abc import Iterable
from datetime import date
from functools import cache
from typing import Any

import dateparser
from jsonschema import FormatChecker
from jsonschema.validators import validator_for
from price_parser import Price

from app.extraction.field import Field, FieldKind
from llm.named.patterns import AMERICAN, DATE, DURATION, MONTH_BEFORE_DAY, NUMBER, WORDS

Value = str | int | float | bool
_IN_NUMBERS = re.compile(r"(?<!\d)(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})(?!\d)")
_UNITS = {"year": "Y", "month": "M", "week": "W", "day": "D"}
_SPLIT = re.compile(r"\s*(?:;|\n|•|\band\b(?=\s+[A-Z]))\s*")
_MAX_SHOWN = 60  # characters of an answer in an error


class BadValue(Exception):
    """An answer is no value of its field. `str(error)` is one sentence."""


def value_of(answer: str, field: Field, shown: Iterable[str] = ()) -> Value | list[Value]:
    """The field's value that an answer gives; `shown` are texts of the document, for the order of dates.

    Raises BadValue.
    """
    day_first = is_day_first([answer, *shown]) if field.kind is FieldKind.DATE else True
    if not field.is_list:
        return _valid(_parsed(answer, field, day_first), answer, field)
    parts = _parts(answer, field)
    if not parts:
        raise BadValue(_complaint(answer, field))
    return [_valid(_parsed(part, field, day_first), part, field) for part in parts]


def is_day_first(texts: Iterable[str]) -> bool:
    """Whether dates in numbers have the day before the month.

    A 13 or more in one of the two places proves it; else the month written out before the day speaks against it, or a
    place in the United States.
    """
    month_first = False
    for text in texts:
        for match in _IN_NUMBERS.finditer(text):
            first, second = int(match[1]), int(match[3])
            if first > 12 >= second:
                return True
            if second > 12 >= first:
                return False
        month_first = month_first or any(re.search(each, text) for each in (MONTH_BEFORE_DAY, AMERICAN))
    return not month_first


def _parts(answer: str, field: Field) -> list[str]:
    """The items of a list: what fits the kind's pattern, or what stands between separators."""
    pattern = {
        FieldKind.DATE: DATE, FieldKind.DURATION: DURATION, FieldKind.NUMBER: NUMBER, FieldKind.INTEGER: NUMBER
    }.get(field.kind)  # fmt: skip
    if pattern is not None:
        return [match[0] for match in re.finditer(pattern, answer)]
    if field.kind in (FieldKind.NAME, FieldKind.ADDRESS) and "\n" in answer.strip():  # whole ones, a line each
        return [line.strip() for line in answer.splitlines() if line.strip()]
    return [part.strip(" ,.") for part in _SPLIT.split(answer) if part.strip(" ,.")]


def _parsed(answer: str, field: Field, day_first: bool) -> Value | None:
    text = " ".join(answer.split()).strip()
    match field.kind:
        case FieldKind.DATE:
            return _date(text, day_first)
        case FieldKind.DURATION:
            return _duration(text)
        case FieldKind.NUMBER | FieldKind.INTEGER:
            return _number(text)
        case FieldKind.BOOLEAN:
            return {"yes": True, "no": False}.get(text.lower())
        case FieldKind.CHOICE:
            return next((value for value in field.schema["enum"] if str(value).lower() == text.lower()), None)
        case FieldKind.NAME:
            return _name(text)
        case FieldKind.TEXT | FieldKind.ADDRESS:
            return text


def _name(text: str) -> str:
    """Ordinary letters, and the blanks that recognition lost: "S.H.H.MOTOR（PJ）SDN.BHD." """
    text = unicodedata.normalize("NFKC", text)
    text = re.sub(r"(?<=\w)(?=\()|(?<=\))(?=\w)", " ", text)
    return re.sub(r"\b([A-Z][A-Za-z]{0,2})\.(?=[A-Z][A-Za-z]{2,})", r"\1. ", text)


def _date(text: str, day_first: bool) -> str | None:
    found = re.search(DATE, text)
    plain = re.sub(r"(?i)\b(?:day|of|the)\b|(?<=\d)(?:st|nd|rd|th)\b", " ", found[0] if found else text)
    moment = _parse_date(" ".join(plain.split()), "DMY" if day_first else "MDY")
    return moment.isoformat() if moment else None


@cache
def _parse_date(text: str, order: str) -> date | None:
    settings: Any = {"STRICT_PARSING": True, "DATE_ORDER": order, "PARSERS": ["absolute-time"]}
    found = dateparser.parse(text, languages=["en"], settings=settings)  # all 200 languages take seconds
    return found.date() if found else None


def _duration(text: str) -> str | None:
    found = re.search(DURATION, text)
    if found is None:
        return None
    words = found[0].lower()
    digits = re.search(r"\d+", words)
    count = int(digits[0]) if digits else WORDS[words.split()[0] if words.split()[0] in WORDS else words.split("-")[0]]
    unit = next(letter for word, letter in _UNITS.items() if word in words)
    return f"P{count}{unit}"


def _number(text: str) -> int | float | None:
    sign = -1 if re.match(r"\s*(?:-|\()\s*[^\s\d]{0,3}\s?\d", text) else 1
    amount = Price.fromstring(text.replace("%", "")).amount
    if amount is None:
        return None
    return sign * (int(amount) if amount == amount.to_integral() else float(amount))


def _valid(value: Value | None, answer: str, field: Field) -> Value:
    if value is None:
        raise BadValue(_complaint(answer, field))
    error = next(iter(validator_for(field.schema)(field.schema, format_checker=_formats()).iter_errors(value)), None)
    if error is not None:
        raise BadValue(f"the value of {field.name} breaks its schema: {error.message}")
    return value


@cache
def _formats() -> FormatChecker:
    return FormatChecker(formats=["date"])


def _complaint(answer: str, field: Field) -> str:
    article = "an" if field.kind is FieldKind.INTEGER else "a"
    allowed = f"one of {', '.join(field.choices)}" if field.choices else f"{article} {field.kind}"
    return f"the answer for {field.name} is {answer[:_MAX_SHOWN]!r}, and the schema asks for {allowed}"
