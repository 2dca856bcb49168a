"""What a Word paragraph's style and numbering make of it: a heading's level, a list item's printed label.

Numbers of clauses ("3.2", "(b)") are not in a paragraph's text but in the numbering part; people cite them, so they
are counted here as Word does (ECMA-376 part 1, section 17.9).
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from docx.document import Document as WordDocument
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml.ns import qn
from docx.oxml.xmlchemy import BaseOxmlElement as Element

MAX_OUTLINE_LEVEL = 8  # 9 means body text
_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"))
_ROMAN_SMALL = ((10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a list: where it starts, how it counts, how it prints ("%1.%2")."""

    start: int
    number_format: str
    pattern: str


class Styles:
    """Paragraph styles by id, each property looked up along the styles it is based on."""

    def __init__(self, document: WordDocument) -> None:
        self._styles = {style.get(qn("w:styleId")): style for style in document.styles.element.iter(qn("w:style"))}

    def heading_level(self, paragraph: Element) -> int | None:
        """From 1; a title counts as 1. None for body text."""
        for properties, name in self._chain(paragraph):
            if match := re.fullmatch(r"heading (\d)", name):
                return int(match[1])
            if name == "title":
                return 1
            outline = _value(properties, "w:outlineLvl")
            if outline is not None:
                return int(outline) + 1 if int(outline) <= MAX_OUTLINE_LEVEL else None
        return None

    def list_place(self, paragraph: Element) -> tuple[str, int] | None:
        """The list's id and the item's level from 0; None outside lists."""
        number_id: str | None = None
        level: str | None = None
        for properties, _ in self._chain(paragraph):
            place = properties.find(qn("w:numPr")) if properties is not None else None
            if place is not None:
                number_id = number_id or _value(place, "w:numId")
                level = level or _value(place, "w:ilvl")
            if number_id:
                break
        return (number_id, int(level or 0)) if number_id and number_id != "0" else None

    def _chain(self, paragraph: Element) -> Iterator[tuple[Element | None, str]]:
        """Properties and style name (lower case): the paragraph's own first, then its style's, and so on."""
        properties = paragraph.find(qn("w:pPr"))
        yield properties, ""
        style_id = _value(properties, "w:pStyle")
        for _ in range(20):  # styles based on each other in a ring end here
            style = self._styles.get(style_id)
            if style is None:
                return
            yield style.find(qn("w:pPr")), (_value(style, "w:name") or "").lower()
            style_id = _value(style, "w:basedOn")


class Numbering:
    """Counts list items in the order in which they are asked for."""

    def __init__(self, document: WordDocument) -> None:
        self._levels: dict[str, dict[int, Level]] = {}
        self._abstract_ids: dict[str, str] = {}
        self._restarts: dict[str, dict[int, int]] = defaultdict(dict)
        self._counts: dict[str, dict[int, int]] = defaultdict(dict)
        if any(relation.reltype == RELATIONSHIP_TYPE.NUMBERING for relation in document.part.rels.values()):
            self._load(document.part.numbering_part.element)

    def label(self, number_id: str, level: int) -> str:
        """The next item's printed label; "-" for a bullet and for a list that the file does not define."""
        abstract_id = self._abstract_ids.get(number_id)
        levels = self._levels.get(abstract_id or "", {})
        if abstract_id is None or level not in levels or levels[level].number_format in ("bullet", "none"):
            return "-"
        counts = self._counts[abstract_id]
        if level in self._restarts[number_id]:
            counts[level] = self._restarts[number_id].pop(level)
        else:
            counts[level] = counts.get(level, levels[level].start - 1) + 1
        for deeper in [other for other in counts if other > level]:
            del counts[deeper]

        def number(match: re.Match[str]) -> str:
            place = int(match[1]) - 1
            shown = levels.get(place, levels[level])
            return _formatted(counts.get(place, shown.start), shown.number_format)

        return re.sub(r"%(\d)", number, levels[level].pattern).strip()

    def _load(self, root: Element) -> None:
        for abstract in root.iter(qn("w:abstractNum")):
            self._levels[abstract.get(qn("w:abstractNumId"), "")] = {
                int(level.get(qn("w:ilvl"), "0")): Level(
                    int(_value(level, "w:start") or 1),
                    _value(level, "w:numFmt") or "decimal",
                    _value(level, "w:lvlText") or "",
                )
                for level in abstract.iter(qn("w:lvl"))
            }
        for number in root.iter(qn("w:num")):
            number_id = number.get(qn("w:numId"), "")
            self._abstract_ids[number_id] = _value(number, "w:abstractNumId") or ""
            for override in number.iter(qn("w:lvlOverride")):
                start = _value(override, "w:startOverride")
                if start is not None:
                    self._restarts[number_id][int(override.get(qn("w:ilvl"), "0"))] = int(start)


def _value(parent: Element | None, tag: str) -> str | None:
    """The w:val of a child."""
    child = parent.find(qn(tag)) if parent is not None else None
    return child.get(qn("w:val")) if child is not None else None


def _formatted(number: int, number_format: str) -> str:
    if number_format in ("lowerLetter", "upperLetter") and number > 0:
        letters = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)
        return letters.upper() if number_format == "upperLetter" else letters
    if number_format in ("lowerRoman", "upperRoman") and 0 < number < 4000:
        roman = ""
        for value, letters in _ROMAN + _ROMAN_SMALL:
            count, number = divmod(number, value)
            roman += letters * count
        return roman.upper() if number_format == "upperRoman" else roman
    return f"{number:02}" if number_format == "decimalZero" else str(number)
