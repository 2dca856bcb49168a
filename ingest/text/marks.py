"""Which lines of a Markdown or reStructuredText file are headings, code or table rows.

Recognises what CommonMark and docutils call ATX and setext headings, fences, pipe tables, and adorned section titles;
leaves everything inside the lines alone.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ingest.document import Role

_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_NO_TITLE = re.compile(r"[ \t]*([-+*>|]|\d+[.)])[ \t]|[ \t]*\||[ \t]{4}")  # lists, quotes, tables, indented code
_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1{2,}[ \t]*$")


@dataclass(frozen=True, slots=True)
class Mark:
    """What one line is. `title` and `level` (from 1) are a heading's."""

    line_index: int
    role: Role
    title: str = ""
    level: int = 0


def markdown_marks(lines: Sequence[str]) -> list[Mark]:
    """In order of lines; the underline of a setext heading is not marked."""
    marks: list[Mark] = []
    fence = ""
    index = _front_matter_lines(lines)
    while index < len(lines):
        line = lines[index]
        following = lines[index + 1] if index + 1 < len(lines) else ""
        if fence:
            marks.append(Mark(index, Role.CODE))
            if line.strip().startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif opening := _FENCE.match(line):
            fence = opening[1]
            marks.append(Mark(index, Role.CODE))
        elif (atx := _ATX.match(line)) and atx[2]:
            marks.append(Mark(index, Role.HEADING, atx[2], len(atx[1])))
        elif line.lstrip().startswith("|"):
            marks.append(Mark(index, Role.TABLE))
        elif line.strip() and (under := _SETEXT.match(following)) and not _NO_TITLE.match(line):
            marks.append(Mark(index, Role.HEADING, line.strip(), 1 if under[1][0] == "=" else 2))
            index += 1
        index += 1
    return marks


def rst_marks(lines: Sequence[str]) -> list[Mark]:
    """Section titles; a level is a style of adornment, numbered in the order in which the file uses them."""
    marks: list[Mark] = []
    styles: list[tuple[str, bool]] = []
    for index, line in enumerate(lines):
        under = _ADORNMENT.match(lines[index + 1]) if index + 1 < len(lines) else None
        over = _ADORNMENT.match(lines[index - 1]) if index > 0 else None
        if (
            not under
            or not line.strip()
            or _ADORNMENT.match(line)
            or len(lines[index + 1].rstrip()) < len(line.strip())
        ):
            continue
        is_overlined = over is not None and over[1] == under[1]
        if not is_overlined and (line[0].isspace() or (index > 0 and lines[index - 1].strip())):
            continue  # a title without an overline starts at the margin, after a blank line
        style = (under[1], is_overlined)
        if style not in styles:
            styles.append(style)
        marks.append(Mark(index, Role.HEADING, line.strip(), styles.index(style) + 1))
    return marks


def _front_matter_lines(lines: Sequence[str]) -> int:
    """Lines of a YAML block at the top, whose closing rule would look like a heading's underline."""
    if lines and lines[0].rstrip() == "---":
        for index, line in enumerate(lines[1:200], start=1):
            if line.rstrip() in ("---", "..."):
                return index + 1
    return 0
