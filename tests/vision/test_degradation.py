"""Degradation: repeatable, stronger with every level, and nothing at level 0."""

import numpy as np
from PIL import Image, ImageDraw

from vision.degradation import LEVELS, degraded


def page() -> Image.Image:
    image = Image.new("RGB", (300, 120), "white")
    ImageDraw.Draw(image).text((20, 40), "The quick brown fox jumps", fill="black")
    return image


def test_level_0_changes_nothing() -> None:
    image = page()
    assert degraded(image, 0, 1) is image


def test_a_seed_wears_alike() -> None:
    first, again, other = degraded(page(), 2, 1), degraded(page(), 2, 1), degraded(page(), 2, 2)
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


def test_each_level_keeps_less() -> None:
    original = np.asarray(page().convert("L"), np.float32)
    lost = []
    for level in LEVELS:
        seen = degraded(page(), level, 3).convert("L").resize((300, 120))
        lost.append(float(np.abs(np.asarray(seen, np.float32) - original).mean()))
    assert lost == sorted(lost)
    assert lost[0] == 0
