"""Patch tokens of a page against the image processors themselves."""

from collections.abc import Callable
from typing import Any

import pytest
import transformers
from PIL import Image

from llm.plan import plan_of
from llm.plan.known import config_of
from llm.plan.pages import A4_POINTS, patches_a_page


def grid(processor: Any, config: Any) -> Callable[[Image.Image, int], int]:
    return lambda image, _: int(processor(images=[image])["image_grid_thw"].prod()) // processor.merge_size**2


def tiles(processor: Any, config: Any) -> Callable[[Image.Image, int], int]:
    vision = config.vision_config
    of_tile = (vision.image_size // vision.patch_size) ** 2 // config.scale_factor**2
    processor.max_image_size = {"longest_edge": vision.image_size}
    return lambda image, px: (
        len(processor(images=[[image]], size={"longest_edge": px})["pixel_values"][0]) * of_tile
    )  # fmt: skip


def budget(processor: Any, config: Any) -> Callable[[Image.Image, int], int]:
    """The smallest difference from the picture's own size, by trying every budget."""

    def count(image: Image.Image, _: int) -> int:
        counts = {
            one: processor(images=[image], max_soft_tokens=one)["num_soft_tokens_per_image"][0]
            for one in (70, 140, 280, 560, 1120)
        }
        own = image.width * image.height / 48**2
        return counts[min(counts, key=lambda one: max(one / own, own / one))]

    return count


PROCESSORS: dict[str, tuple[Callable[[], Any], Callable[..., Callable[[Image.Image, int], int]]]] = {
    "qwen3-vl-4b": (
        lambda: transformers.Qwen2VLImageProcessorPil(
            patch_size=16, size={"shortest_edge": 65536, "longest_edge": 2**24}
        ),
        grid,
    ),
    "glm-4.5v": (transformers.Glm4vImageProcessorPil, grid),
    "gemma-4-31b": (transformers.Gemma4ImageProcessorPil, budget),
    "smolvlm-256m": (transformers.SmolVLMImageProcessorPil, tiles),
    "granite-docling-258m": (transformers.Idefics3ImageProcessorPil, tiles),
}


@pytest.mark.parametrize("longer_side_px", [400, 1024, 1500])
@pytest.mark.parametrize("name", PROCESSORS)
def test_a_page_is_as_many_patches_as_the_processor_makes(name: str, longer_side_px: int) -> None:
    make, counting = PROCESSORS[name]
    config = config_of(name)
    image = Image.new("RGB", (round(longer_side_px * A4_POINTS[0] / A4_POINTS[1]), longer_side_px))
    assert patches_a_page(config, longer_side_px) == counting(make(), config)(image, longer_side_px)


def test_llama_4_cuts_a_page_into_tiles_of_144_tokens() -> None:
    """1,024 pixels fill four rows of three tiles of 336 pixels; the whole page is one more."""
    assert patches_a_page(config_of("llama-4-scout"), 1024) == 13 * 144
    assert patches_a_page(config_of("llama-4-scout"), 300) == 144  # fits one tile
    assert patches_a_page(config_of("llama-4-scout"), 4000) == 16 * 144  # five rows of three shrink it least


def test_kimi_fills_sides_up_to_whole_cells() -> None:
    assert patches_a_page(config_of("kimi-k2.5"), 1024) == 37 * 26


def test_pages_are_counted_in_keys_and_values() -> None:
    plan = plan_of("qwen3-vl-8b", context=131_072, pages=10, page_px=1024)
    assert plan.patches_a_page == 736
    assert plan.pages_kv_bytes == 10 * 736 * 73_728 * 2
    assert plan.as_json()["pages_kv_bytes"] == plan.pages_kv_bytes
    blind = plan_of("llama-4-scout").as_json().keys() - plan_of("deepseek-v3").as_json().keys()
    assert blind == {"pages", "page_px", "patches_a_page", "pages_kv_bytes"}
