"""What the recogniser saw in the pixels of a line: its likeliest text, what else each character may be, and where.

The network gives, for every 8 pixels of a line 48 pixels high, probabilities over its characters and "none" (CTC:
Graves et al. 2006). A run of patches with one likeliest character is one glyph; its clearest patch says what it is.
Takes the place of RapidOCR's own decoder, with the same text and confidence; `ingest.ocr` owns the engine.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ingest.document import Doubt

SURE = 0.98  # a glyph that is so likely has no doubt
MIN_PROBABILITY = 0.003  # of another reading of a glyph
MAX_READINGS = 6
_NONE = 0  # the class that stands for no character
_HALF_WIDTH = {"。": ".", "、": ","}  # Chinese punctuation that looks like ours; NFKC turns the other forms


class LineReading(NamedTuple):
    """One line of pixels. `centres`: of each character, as a share of the line's width."""

    text: str
    confidence: float
    centres: tuple[float, ...]
    doubts: tuple[Doubt, ...]


@dataclass(frozen=True, slots=True)
class Decoder:
    """Probabilities to readings, in the form that RapidOCR's recogniser calls it. `characters[0]` stands for none."""

    characters: Sequence[str]

    def __call__(
        self, preds: NDArray[np.float32], return_word_box: bool, **sizes: Any
    ) -> tuple[list[tuple[str, float]], list[LineReading]]:
        """preds (B, T, C): of each line, patch and character; `sizes` says how much of T a line fills."""
        widest: float = sizes["max_wh_ratio"]
        readings = [
            self.read(line, min(1.0, ratio / widest)) for line, ratio in zip(preds, sizes["wh_ratio_list"], strict=True)
        ]
        return [(reading.text, reading.confidence) for reading in readings], readings

    def read(self, patches: NDArray[np.float32], filled: float) -> LineReading:
        """patches (T, C), of which the line fills a share from the left; the rest is padding."""
        best = patches.argmax(axis=1)  # (T,)
        runs = list(_runs(best))
        confidence = float(np.mean([patches[start, best[start]] for start, _ in runs])) if runs else 0.0
        text, centres, doubts = "", [], []
        for start, end in runs:
            character = self.characters[best[start]]
            if character.isspace() and (not text or text[-1] == " "):
                continue
            clearest = start + int(patches[start:end, best[start]].argmax())
            readings = self._readings(patches[clearest]) if patches[clearest, best[start]] < SURE else ()
            if len(character) == 1 and len(readings) > 1:
                doubts.append(Doubt(len(text), readings))
            text += " " if character.isspace() else character
            centres += [round(min(1.0, (start + end) / 2 / len(best) / filled), 4)] * len(character)
        text = text.rstrip()
        return LineReading(
            text, confidence, tuple(centres[: len(text)]), tuple(doubt for doubt in doubts if doubt.at < len(text))
        )

    def _readings(self, patch: NDArray[np.float32]) -> tuple[tuple[str, float], ...]:
        """What one patch (C,) may show, likeliest first; forms of one character count together."""
        found: dict[str, float] = {}
        for index in np.flatnonzero(patch >= MIN_PROBABILITY).tolist():
            if index != _NONE and (plain := _plain(self.characters[index])):
                found[plain] = found.get(plain, 0.0) + float(patch[index])
        likeliest = sorted(found.items(), key=lambda item: -item[1])[:MAX_READINGS]
        return tuple((character, round(probability, 3)) for character, probability in likeliest)


def _runs(best: NDArray[np.integer[Any]]) -> Iterator[tuple[int, int]]:
    """Patches [start, end) of each glyph."""
    borders = [0, *(np.flatnonzero(np.diff(best)) + 1).tolist(), len(best)]
    return ((start, end) for start, end in pairwise(borders) if best[start] != _NONE)


@cache
def _plain(character: str) -> str | None:
    """The character in its ordinary form; None where that is none or several."""
    plain = unicodedata.normalize("NFKC", _HALF_WIDTH.get(character, character))
    return plain if len(plain) == 1 and plain.isprintable() else None
