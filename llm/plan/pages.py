"""How many patch tokens a page image becomes, from a model's config alone.

The rules are those of the families' image processors in transformers, with the settings that they were released with;
tests compare them with processors themselves. The tokens around and between patches are not counted.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from transformers import PretrainedConfig

A4_POINTS = (595, 842)  # width, height
_GEMMA_BUDGETS = (70, 140, 280, 560, 1120)
_LLAMA4_TILES = 16


def patches_a_page(config: PretrainedConfig, longer_side_px: int) -> int | None:
    """Of an upright A4 page; None for a model without eyes, or of a family whose rule is not known."""
    rule = _RULES.get(config.model_type)
    vision = getattr(config, "vision_config", None)
    if rule is None or vision is None:
        return None
    width = round(longer_side_px * A4_POINTS[0] / A4_POINTS[1])
    return rule(config, vision, longer_side_px, width)


def _rounded_grid(config: Any, vision: Any, height: int, width: int) -> int:
    """Qwen-VL, GLM-V: sides are rounded to whole cells of merged patches."""
    cell: int = vision.patch_size * vision.spatial_merge_size
    return max(1, round(height / cell)) * max(1, round(width / cell))


def _padded_grid(config: Any, vision: Any, height: int, width: int) -> int:
    """Kimi: sides are filled up to whole cells."""
    high, wide = (int(vision.patch_size * merged) for merged in vision.merge_kernel_size)
    return math.ceil(height / high) * math.ceil(width / wide)


def _budget(config: Any, vision: Any, height: int, width: int) -> int:
    """Gemma 4: the picture is sized so that it fills a budget, the one nearest to its own size."""
    cell: int = vision.patch_size * vision.pooling_kernel_size
    own = height * width / cell**2
    budget = min(_GEMMA_BUDGETS, key=lambda one: abs(math.log(one / own)))
    scale = math.sqrt(budget / own)
    return max(1, math.floor(scale * height / cell)) * max(1, math.floor(scale * width / cell))


def _split(config: Any, vision: Any, height: int, width: int) -> int:
    """SmolVLM, Idefics 3: tiles, and the whole page as one more if there are several."""
    tiles: int = math.ceil(height / vision.image_size) * math.ceil(width / vision.image_size)
    patches: int = (vision.image_size // vision.patch_size) ** 2 // config.scale_factor**2
    return patches * (tiles + int(tiles > 1))


def _canvas(config: Any, vision: Any, height: int, width: int) -> int:
    """Llama 4: up to 16 tiles whose canvas enlarges the page least, or else shrinks it least; the whole as one more."""
    tile: int = vision.image_size
    sides = [(rows, columns) for rows in range(1, _LLAMA4_TILES + 1) for columns in range(1, _LLAMA4_TILES // rows + 1)]
    scales = {side: min(side[0] * tile / height, side[1] * tile / width) for side in sides}
    enlarging = [scale for scale in scales.values() if scale >= 1]
    wanted = min(enlarging) if enlarging else max(scales.values())
    tiles = min(rows * columns for (rows, columns), scale in scales.items() if scale == wanted)
    patches: int = round((tile // vision.patch_size) ** 2 * vision.pixel_shuffle_ratio**2)
    return patches * (tiles + int(tiles > 1))


_RULES: Mapping[str, Callable[[Any, Any, int, int], int]] = {
    "qwen3_vl": _rounded_grid, "qwen3_vl_moe": _rounded_grid, "glm4v_moe": _rounded_grid, "glm46v": _rounded_grid,
    "kimi_k25": _padded_grid, "gemma4": _budget, "smolvlm": _split, "idefics3": _split, "llama4": _canvas,
}  # fmt: skip
