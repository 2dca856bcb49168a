"""Doubts for training: how recognition saw each character of printed and degraded lines, and texts seen like that.

Measured once on lines whose text is known (`llm.training.patches`) and kept as a file, so that training needs no
recognition. A text that is blurred keeps its length: characters are misread or doubted, none is lost.
"""

import difflib
import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest.document import Doubt
from llm.training.patches import Printed

Readings = tuple[tuple[str, float], ...]  # as of a Doubt; a single one where recognition was sure, if wrongly
_MOST_KEPT = 200  # of a character at a level
_FORMAT = 1


@dataclass(slots=True)
class _Character:
    seen: int = 0  # how often it was printed
    unsure: int = 0  # how often recognition doubted or misread it
    readings: list[Readings] = field(default_factory=list)  # of those times


@dataclass(frozen=True, slots=True)
class Confusions:
    """What became of each character, by level of degradation."""

    by_level: Mapping[int, Mapping[str, _Character]]

    @classmethod
    def measured(cls, printed: Iterable[Printed]) -> "Confusions":
        """From lines as they were set and as they were recognised; what cannot be aligned is left out."""
        by_level: dict[int, dict[str, _Character]] = {}
        for line in printed:
            characters = by_level.setdefault(line.level, {})
            doubts = {doubt.at: doubt.readings for doubt in line.doubts}
            for true_at, read_at in _aligned(line.true, line.text):
                found = characters.setdefault(line.true[true_at], _Character())
                found.seen += 1
                readings = doubts.get(read_at, ((line.text[read_at], 1.0),))
                if len(readings) > 1 or readings[0][0] != line.true[true_at]:
                    found.unsure += 1
                    if len(found.readings) < _MOST_KEPT:
                        found.readings.append(readings)
        return cls(by_level)

    @classmethod
    def load(cls, path: Path) -> "Confusions | None":
        """None where there is no such file, or one of another format."""
        if not path.exists():
            return None
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if content.get("format") != _FORMAT:
            return None
        return cls({
            int(level): {
                character: _Character(seen, unsure, [tuple(map(tuple, one)) for one in readings])
                for character, (seen, unsure, readings) in characters.items()
            }
            for level, characters in content["levels"].items()
        })  # fmt: skip

    def save(self, path: Path) -> None:
        levels = {
            level: {text: (each.seen, each.unsure, each.readings) for text, each in characters.items()}
            for level, characters in self.by_level.items()
        }
        path.write_text(json.dumps({"format": _FORMAT, "levels": levels}), encoding="utf-8")

    def blurred(self, text: str, rng: random.Random) -> tuple[str, tuple[Doubt, ...]]:
        """The text as recognition might see it at a random level of degradation, and what it would doubt."""
        characters = self.by_level[rng.choice(sorted(self.by_level))]
        read, doubts = list(text), []
        for at, character in enumerate(text):
            known = characters.get(character)
            if known is None or not known.readings or rng.random() >= known.unsure / known.seen:
                continue
            readings = rng.choice(known.readings)
            read[at] = readings[0][0]
            if len(readings) > 1:
                doubts.append(Doubt(at, readings))
        return "".join(read), tuple(doubts)


def _aligned(true: str, read: str) -> Iterable[tuple[int, int]]:
    """Places of one character in both texts."""
    for kind, i0, i1, j0, j1 in difflib.SequenceMatcher(None, true, read, autojunk=False).get_opcodes():
        if kind in ("equal", "replace") and i1 - i0 == j1 - j0:
            yield from zip(range(i0, i1), range(j0, j1), strict=True)
