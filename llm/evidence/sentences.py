"""The units that a quote is made of: a sentence of prose, a line of a form or receipt, a table row, a line of code.

Owns where one unit ends and the next begins; knows nothing of questions. Units are in reading order, do not overlap,
begin and end on a character that is not a space, and `page.text[unit.start:unit.end]` is the unit's text, with the
line breaks that stand in it. Running headers and footers are in no unit.

Prose is joined over line breaks where the line looks wrapped, because pages keep the lines of the paper. Splitting is
a regular expression: the maintained splitters are trained models or split no other script, and pysbd, the usual
choice, has had no release since 2021.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ingest.document import Box, Kind, Page, Role

MAX_CHARS = 400  # a longer sentence is cut at a semicolon or colon, else at a comma, else at a space

_WRAP_CHARS = 45  # pages whose full lines are shorter than this are forms and receipts: every line is a unit
_FULL_LINE = 0.7  # a line shorter than this share of a full one ends its paragraph
_LONGEST_WRAP = 200  # a longer line is a paragraph of its own, not a wrapped line
_BULLET = re.compile(r"(?:[-*•◦▪‣·–—+o>#]|\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)]|\d+(?:\.\d+)+\.?|§+)\s")
_SENTENCE_END = re.compile(r"[.!?…]+[\"'”’»)\]]*(?=\s)|[。！？।؟۔]+[”」』)]*")
_ABBREVIATION = re.compile(
    r"\b(?:[A-Za-z]|mr|mrs|ms|dr|prof|st|sr|jr|vs|etc|e\.g|i\.e|cf|inc|ltd|corp|approx|dept|rev|resp|bzw|usw|z\.b|d\.h)\.$",
    re.IGNORECASE,
)
_NUMBERED = re.compile(  # an abbreviation where a number follows
    r"\b(?:no|nos|nr|fig|figs|sec|art|para|abs|vol|pp?|chap|tel|ca|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\.$",
    re.IGNORECASE,
)
_ENUMERATOR = re.compile(r"\(?(?:\d{1,3}(?:\.\d+)*|[a-zA-Z]|[ivxIVX]{1,5})[.)]+$")
_SHORTEST_REST = 80  # no piece of a long sentence is shorter
_CUTS = tuple(re.compile(pattern) for pattern in (r"[;:](?=\s)", r",(?=\s)", r"(?<=\S)(?=\s)"))


@dataclass(frozen=True, slots=True)
class Unit:
    """Characters [start, end) of a page's text. `opens`: a paragraph, heading or table row block begins here."""

    start: int
    end: int
    role: Role
    opens: bool


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    end: int
    role: Role
    box: Box | None


def sentences(page: Page, start: int = 0, end: int | None = None, kind: Kind = Kind.TEXT) -> list[Unit]:
    """The units of characters [start, end) of a page. In `code` and `map` documents every line is one."""
    stop = len(page.text) if end is None else end
    default = Role.CODE if kind in (Kind.CODE, Kind.MAP) else Role.TEXT
    lines = list(_lines(page, start, stop, default))
    full_chars = _full_line_chars(lines)
    units: list[Unit] = []
    previous: _Line | None = None
    paragraph: list[_Line] = []
    for line in [*lines, None]:
        if paragraph and (line is None or not _continues(page.text, paragraph[-1], line, full_chars)):
            opens = previous is None or _apart(page.text, previous, paragraph[0])
            units += _units_of(page.text, paragraph, opens)
            previous = paragraph[-1]
            paragraph = []
        if line is not None:
            paragraph.append(line)
    return [unit for unit in units if _says_something(page.text, unit)]


def _says_something(text: str, unit: Unit) -> bool:
    """Not a running header, a footer, or a ruled line of text."""
    if unit.role in (Role.HEADER, Role.FOOTER):
        return False
    return unit.role is Role.CODE or any(map(str.isalnum, text[unit.start : unit.end]))


def _lines(page: Page, start: int, stop: int, default: Role) -> Iterator[_Line]:
    """Lines with their roles; spans that stand side by side are one line (a label and its value). So is a table row."""
    pending: _Line | None = None
    for line in _pieces(page, start, stop, default):
        if pending is not None and _side_by_side(page.text, pending, line):
            pending = replace(pending, end=line.end, box=_union(pending.box, line.box))
            continue
        if pending is not None:
            yield pending
        pending = line
    if pending is not None:
        yield pending


def _side_by_side(text: str, first: _Line, second: _Line) -> bool:
    if first.role is not second.role or first.role is Role.TABLE:
        return False
    if "\n" not in text[first.end : second.start]:
        return True
    if first.box is None or second.box is None or second.box.x0 < first.box.x1:
        return False
    shared = min(first.box.y1, second.box.y1) - max(first.box.y0, second.box.y0)
    return shared > 0.5 * min(first.box.y1 - first.box.y0, second.box.y1 - second.box.y0)


def _pieces(page: Page, start: int, stop: int, default: Role) -> Iterator[_Line]:
    position = start
    for span in page.spans_between(start, stop) if start < stop else ():
        low, high = max(span.start, start), min(span.end, stop)
        yield from _trimmed(page.text, position, low, default, None)
        role = default if default is Role.CODE and span.role is Role.TEXT else span.role
        yield from _trimmed(page.text, low, high, role, span.box)
        position = high
    yield from _trimmed(page.text, position, stop, default, None)


def _trimmed(text: str, start: int, stop: int, role: Role, box: Box | None) -> Iterator[_Line]:
    """The lines of a stretch without the spaces around them; none for a stretch of spaces."""
    position = start
    for part in [text[start:stop]] if role is Role.TABLE else text[start:stop].split("\n"):
        body = part.strip()
        if body:
            low = position + len(part) - len(part.lstrip())
            yield _Line(low, low + len(body), role, box)
        position += len(part) + 1


def _union(first: Box | None, second: Box | None) -> Box | None:
    return first.union(second) if first and second else first or second


def _full_line_chars(lines: list[_Line]) -> int:
    lengths = sorted(line.end - line.start for line in lines if line.role in (Role.TEXT, Role.FIGURE))
    return lengths[len(lengths) * 9 // 10] if lengths else 0


def _apart(text: str, first: _Line, second: _Line) -> bool:
    """Whether a paragraph, a table or code block, or another role begins with `second`."""
    if first.role is not second.role or text.count("\n", first.end, second.start) > 1:
        return True
    if first.box is None or second.box is None:
        return False
    return second.box.y0 - first.box.y1 > 0.8 * (first.box.y1 - first.box.y0) or second.box.y1 < first.box.y0


def _continues(text: str, first: _Line, second: _Line, full_chars: int) -> bool:
    """Whether a sentence may run from one line into the next: `first` looks wrapped, `second` opens nothing."""
    if first.role not in (Role.TEXT, Role.FIGURE) or _apart(text, first, second):
        return False
    chars = first.end - first.start
    if chars > _LONGEST_WRAP or _BULLET.match(text, second.start, second.end + 1):
        return False
    if full_chars >= _WRAP_CHARS and chars >= _FULL_LINE * full_chars:
        return True
    return text[second.start].islower() and (text[first.end - 1].isalpha() or text[first.end - 1] in ",-")


def _units_of(text: str, paragraph: list[_Line], opens: bool) -> Iterator[Unit]:
    role = paragraph[0].role
    start, stop = paragraph[0].start, paragraph[-1].end
    ranges = [(start, stop)] if role in (Role.CODE, Role.TABLE, Role.HEADING) else _split_prose(text, start, stop)
    for low, high in ranges:
        for first, last in _split_long(text, low, high):
            yield Unit(first, last, role, opens and first == start)


def _split_prose(text: str, start: int, stop: int) -> Iterator[tuple[int, int]]:
    low = start
    for match in _SENTENCE_END.finditer(text, start, stop):
        after = _skip_spaces(text, match.end())
        if after < stop and not _goes_on(text, low, match.end(), after):
            yield low, match.end()
            low = after
    yield low, stop


def _goes_on(text: str, low: int, end: int, after: int) -> bool:
    """Whether a stop at `end` belongs to an abbreviation, an initial or an enumerator, or the sentence goes on."""
    if text[after].islower() and text[end - 1] in ".…":
        return True
    if text[after].isdigit() and _NUMBERED.search(text, max(low, end - 10), end):
        return True
    return bool(_ABBREVIATION.search(text, max(low, end - 10), end) or _ENUMERATOR.fullmatch(text, low, end))


def _split_long(text: str, start: int, stop: int) -> Iterator[tuple[int, int]]:
    low = start
    while stop - low > MAX_CHARS:
        cut = _cut_before(text, low, min(low + MAX_CHARS, stop - _SHORTEST_REST))
        yield low, cut
        low = _skip_spaces(text, cut)
    if low < stop:
        yield low, stop


def _cut_before(text: str, low: int, limit: int) -> int:
    """The last place where a clause ends, else where a comma or a word does, in the later part of [low, limit)."""
    for pattern in _CUTS:
        places = [match.end() for match in pattern.finditer(text, low + MAX_CHARS // 3, limit)]
        if places:
            return places[-1]
    return limit


def _skip_spaces(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position
