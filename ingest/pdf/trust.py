"""Is a text layer worth reading: does it map to characters, and does it agree with what the page shows.

Owns the verdicts and their thresholds; reads no page itself.
"""

import re
from collections.abc import Sequence
from typing import Any

from PIL import Image

from ingest.pdf.draft import Line

MAX_UNREADABLE = 0.15  # share of characters without a mapping; a formula page of real papers stays below it
MIN_CHARS = 40  # a shorter text says too little about its encoding
MIN_WORD_CHARS = 0.45  # share of letters and digits, leaders and blanks left aside; tables of contents stay above it
MIN_INKED = 0.7  # share of invisible lines that must stand on something dark or light in the picture
INK_CONTRAST = 50  # grey levels, of 255
MIN_AGREEMENT = 0.3  # share of the layer's words found by recognition
WORD = re.compile(r"[^\W_]{3,}")
FILLER = re.compile(r"[\s.…·_\-=*•|]+")


def is_garbage(lines: Sequence[Line]) -> bool:
    """Whether most of this text would be nonsense to a reader: unmapped glyphs, or symbols instead of words."""
    num_chars = sum(len(line.text) - line.text.count(" ") for line in lines)
    num_unreadable = sum(line.num_unreadable for line in lines)
    if num_unreadable > MAX_UNREADABLE * max(num_chars, num_unreadable):
        return True
    text = FILLER.sub("", "".join(line.text for line in lines))
    return len(text) >= MIN_CHARS and sum(map(str.isalnum, text)) < MIN_WORD_CHARS * len(text)


def stands_on_ink(lines: Sequence[Line], picture: Image.Image, scale: float) -> bool:
    """Whether the lines stand where the grey picture (`scale` pixels a point) shows something."""
    inked = 0
    for line in lines:
        area = [round(value * scale) for value in (line.x0, line.y0, line.x1, line.y1)]
        crop: Any = picture.crop((area[0], area[1], max(area[2], area[0] + 1), max(area[3], area[1] + 1)))
        darkest, lightest = crop.getextrema()
        inked += lightest - darkest >= INK_CONTRAST
    return inked >= MIN_INKED * len(lines)


def agrees(layer_text: str, recognised_text: str) -> bool:
    """Whether enough words of the layer were recognised in the picture, too."""
    words = set(WORD.findall(layer_text.casefold()))
    return not words or len(words & set(WORD.findall(recognised_text.casefold()))) >= MIN_AGREEMENT * len(words)
