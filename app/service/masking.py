"""Personal data that well-kept libraries recognise by its form, masked: for exports and logs.

Masked are e-mail addresses, telephone numbers written with their country's code, IBANs, payment cards and addresses of
the internet protocol. Names of people, postal addresses and dates are not: nothing recognises them surely, and who
hands something on must still read it.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import phonenumbers
from stdnum import iban, luhn

from app.service.values import KeptAnswer

EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{2,4}){3,8}\b")
CARD = re.compile(r"\b\d(?:[ -]?\d){12,18}\b")
IP = re.compile(r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7})(?![\w:]|\.\d)")
Found = tuple[int, int, str]  # characters [start, end), and what they are


def masked(text: str) -> str:
    """The text with "[e-mail]", "[phone]", "[IBAN]", "[card]" and "[IP address]" instead of what was recognised."""
    pieces, end = [], 0
    for start, stop, what in _apart(sorted(_found(text))):
        pieces += [text[end:start], f"[{what}]"]
        end = stop
    return "".join([*pieces, text[end:]])


def masked_value(value: Any) -> Any:
    """The same value with every text in it masked; of what is keyed, the keys stay."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {key: masked_value(each) for key, each in value.items()}
    return [masked_value(each) for each in value] if isinstance(value, list | tuple) else value


def _apart(found: list[Found]) -> Iterator[Found]:
    """Of what overlaps, the one that begins first."""
    end = 0
    for start, stop, what in found:
        if start >= end:
            yield start, stop, what
            end = stop


def _found(text: str) -> Iterator[Found]:
    yield from _matches(EMAIL, text, "e-mail", lambda _: True)
    yield from _matches(IBAN, text, "IBAN", lambda found: bool(iban.is_valid(found)))
    yield from _matches(CARD, text, "card", lambda found: bool(luhn.is_valid(re.sub(r"\D", "", found))))
    yield from _matches(IP, text, "IP address", _is_address)
    for match in phonenumbers.PhoneNumberMatcher(text, None):  # None: only numbers that name their country
        yield match.start, match.end, "phone"


def _matches(pattern: re.Pattern[str], text: str, what: str, is_one: Callable[[str], bool]) -> Iterator[Found]:
    return ((match.start(), match.end(), what) for match in pattern.finditer(text) if is_one(match[0]))


def _is_address(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified)


def masked_answer(kept: KeptAnswer) -> KeptAnswer:
    """With personal data masked in every text that an export shows."""
    answer = kept.answer
    cited = tuple(replace(cite, source=masked(cite.source), quote=masked(cite.quote)) for cite in answer.citations)
    said = replace(answer, question=masked(answer.question), answer=masked(answer.answer), citations=cited)
    return replace(kept, answer=said, note=masked(kept.note))
