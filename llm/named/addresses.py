"""Postal addresses: consecutive lines that hold a street or a unit and a place, as on letterheads and receipts.

Found by the words that streets, units and floors are called by in several languages, by house numbers and by postal
codes; a line about anything else (telephone, date, tax, price) ends the block. An address inside a sentence is found
from its number to its postal code. No library reads addresses of any country from text that holds other things, too.
"""

import re
from collections.abc import Iterator

from ingest.document import Document
from llm.named.candidates import Candidate, Strength, lines
from llm.named.vocabulary import has_legal_form

_STREET = re.compile(
    r"\b(?:street|str|st|road|rd|avenue|ave|boulevard|blvd|lane|ln|drive|dr|highway|hwy|freeway|parkway|pkwy|place|plaza|"
    r"square|sq|court|terrace|crescent|close|circle|broadway|wharf|quay|jalan|jln|lorong|persiaran|lebuh|kampung|kawasan|"
    r"taman|rue|chemin|allée|calle|avenida|avda|carrera|via|viale|piazza|corso|rua|travessa|gasse|platz|weg|allee|straat|"
    r"laan|plein|vägen|gatan|gade|vej|katu|ulica|ul|utca)\b|(?:straße|strasse|straat|gracht|kade|gatan|vägen|gade|gasse|weg)\b",
    re.I,
)
_UNIT = re.compile(
    r"^(?:no\.?\s*\d|lot\b|level\b|suite\b|ste\b|unit\b|block\b|blk\b|apt\b|apartment\b|room\b|p\.?\s?o\.?\s?box\b|\d+[a-z]?\s*,"
    r"|\d+[a-z]?(?:[-/&]\d+[a-z]?)*\s+[a-z'][^\n]*,)|\b(?:floor|flr|fl|lot|level|suite|block|unit)\b",
    re.I,
)
_CODE = re.compile(
    r"\b\d{5}(?:-\d{4})?(?=\s?[A-Z]|[\s.,]*$)|\b\d{6}\b(?!-)|\b[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}\b|\b[A-Z]{2}\.?\s\d{5}\b"
    r"|\b[A-Z]\d[A-Z]\s\d[A-Z]\d\b|(?:^|,\s)(?:[A-Z]{1,2}-)?\d{4}\s[A-Z]"
)
_OTHER = re.compile(
    r"\b(?:tel|telephone|phone|fax|mobile|hp|gst|vat|tax|abn|tin|reg|registration|company\s?no|co\.?\s?no|tax\s?invoice|invoice|receipt|"
    r"bill|cash|cashier|date|time|order|table|qty|quantity|total|amount|price|item|description|e-?mail|www|https?|page|"
    r"account|customer|member|welcome|thank)\b|[^\W\d_]\s*:|[@=%$€£]|\d\.\d\d\b|\d,\d\d$|\b\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}\b",
    re.I,
)
_PLACE = re.compile(r"(?:[^\W\d_][\w'’.-]*[\s,]*){1,6}")
_INLINE = re.compile(
    r"\b(?:\d+[A-Za-z]?(?:[-/]\d+)?|P\.?\s?O\.?\s?Box\s\d+|One|Two)\s(?:[A-Z0-9][\w'’.-]*,?\s){1,14}?"
    r"(?:[A-Z]{2}\s|[A-Z][a-z]+\s)?(?:\d{5}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z\d]?\s\d[A-Z]{2})\b"
)
_AFTER_CODE, _MAX_LINES, _MAX_CHARS = 2, 8, 90
_SENTENCE = 70  # characters of a line from which on it is running text


def addresses(leaf: Document) -> Iterator[Candidate]:
    """In the order of the document; none overlaps another."""
    for page_index, page in enumerate(leaf.pages):
        found = sorted([*_blocks(page.text), *_in_sentences(page.text)])
        last_end = 0
        for start, end in found:
            if start >= last_end:
                yield Candidate(leaf, page_index, start, end, Strength.SURE)
                last_end = end


def is_address_line(line: str) -> bool:
    """Whether an address may begin with it."""
    return _may_belong(line) and bool(_STREET.search(line) or _UNIT.search(line))


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of addresses that have lines of their own."""
    block: list[tuple[int, int]] = []
    for start, end in [*lines(text), (len(text), len(text))]:
        line = text[start:end]
        if block and _goes_on([text[a:b] for a, b in block], line):
            block.append((start, end))
            continue
        if _is_whole([text[a:b] for a, b in block]):
            yield block[0][0], block[-1][1]
        block = [(start, end)] if is_address_line(line) else []


def _in_sentences(text: str) -> Iterator[tuple[int, int]]:
    for match in _INLINE.finditer(text):
        if "," in match[0] or _STREET.search(match[0]):
            yield match.start(), match.end()


def _goes_on(block: list[str], line: str) -> bool:
    if not _may_belong(line) or len(block) == _MAX_LINES:
        return False
    since_code = next((at for at in range(len(block)) if _code(block[-1 - at], is_first=at == len(block) - 1)), None)
    is_place = _PLACE.fullmatch(line) is not None
    if since_code is None:
        return is_place or bool(_STREET.search(line) or _UNIT.search(line) or _CODE.search(line))
    if since_code == 0 and (code := _code(block[-1], is_first=len(block) == 1)) and code.end() == len(block[-1]):
        return False  # as in the United States and in Britain, the code is the end
    return is_place and since_code < _AFTER_CODE and len(line.split()) <= 3


def _is_whole(block: list[str]) -> bool:
    """A street or unit with a postal code, or with a place on a line below."""
    if not block:
        return False
    has_code = any(_code(line, is_first=at == 0) for at, line in enumerate(block))
    has_street = any(_STREET.search(line) for line in block)
    return (has_street and (has_code or len(block) > 1)) or (len(block) > 1 and (has_code or block[0].endswith(",")))


def _code(line: str, *, is_first: bool) -> re.Match[str] | None:
    """The postal code of a line; a number that begins the first line is that of a house."""
    return next((match for match in _CODE.finditer(line) if match.start() > 0 or not is_first), None)


def _may_belong(line: str) -> bool:
    is_other = _OTHER.search(line) is not None or has_legal_form(line)
    return 0 < len(line) <= _MAX_CHARS and line[0] not in "(*-<=>#" and not is_other and _is_no_sentence(line)


def _is_no_sentence(line: str) -> bool:
    """Words of an address have capitals or digits; a sentence is mostly small letters."""
    words = re.findall(r"\w+", line)
    small = sum(word[0].islower() for word in words)
    return bool(words) and (small <= len(words) / 3 or (len(line) < _SENTENCE and small <= len(words) / 2))
