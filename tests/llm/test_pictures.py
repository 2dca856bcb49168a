"""Pictures in the token stream: every family with eyes against transformers' own forward with pixels, and places."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForImageTextToText

from app.bench.checkpoints import tiny
from app.bench.exact import Reference, differences
from ingest.document import Box, Page, Span
from llm.pictures import PatchRun, Picture, axes_of, characters_under, cut_runs, end_of_pictures, position_shift
from llm.runtime.rotation import sees_pictures_both_ways
from llm.runtime.through_transformers import TransformersRunner
from llm.runtime.working import WorkingKV
from llm.tokens import Tokens

IMAGE_TOKEN = 5
_GRID = {"image_grid_thw": torch.tensor([[1, 4, 6]])}
_FLAT = {"pixel_values": torch.randn(24, 3 * 2 * 14 * 14, generator=torch.Generator().manual_seed(3)), **_GRID}
_TILES = torch.randn(3, 3, 28, 28, generator=torch.Generator().manual_seed(3))
# patches of 9 columns and 6 rows, of which every 3 x 3 become one
_POOLED = {
    "pixel_values": torch.rand(1, 54, 3 * 14 * 14, generator=torch.Generator().manual_seed(3)),
    "image_position_ids": torch.cartesian_prod(torch.arange(6), torch.arange(9)).flip(-1)[None],
}
# pixels, the number of patch tokens they become, and rows and columns where positions follow them
EYES: dict[str, tuple[dict[str, torch.Tensor], int, tuple[int, int] | None]] = {
    "Llama 4 Scout": ({"pixel_values": _TILES}, 3, None),
    "Llama 4 Maverick": ({"pixel_values": _TILES}, 3, None),
    "Qwen3-VL": (_FLAT, 6, (2, 3)),
    "Qwen3-VL-MoE": (_FLAT, 6, (2, 3)),
    "GLM-4.5V": (_FLAT, 6, (2, 3)),
    "GLM-4.6V-Flash": (_FLAT, 6, (2, 3)),
    "Kimi K2.5": ({"pixel_values": _FLAT["pixel_values"][:, : 3 * 14 * 14].view(24, 3, 14, 14), **_GRID}, 6, (2, 3)),
    "Gemma 4": (_POOLED, 6, None),
    "Gemma 4 MoE": (_POOLED, 6, None),
    "Gemma 4 E2B": (_POOLED, 6, None),
    "SmolVLM": ({"pixel_values": _TILES[None]}, 12, None),
    "Granite-Docling": ({"pixel_values": _TILES[None]}, 12, None),
}


def shown(model: Any, pixels: dict[str, torch.Tensor], num_patches: int, grid: tuple[int, int] | None) -> Picture:
    def features() -> tuple[torch.Tensor, ...]:
        with torch.no_grad():
            output = model.get_image_features(**pixels, return_dict=True)
        states = output.last_hidden_state if model.config.model_type == "llama4" else output.pooler_output
        deep = getattr(output, "deepstack_features", None) or ()
        flat = [one if isinstance(one, torch.Tensor) else torch.cat(list(one)) for one in (states, *deep)]
        return tuple(one.reshape(-1, one.shape[-1]) for one in flat)

    return Picture("p", (Box(0, 0, 1, 1),) * num_patches, grid, features)


@torch.no_grad()
def reference_of(model: Any, picture: Picture, pixels: dict[str, torch.Tensor]) -> Reference:
    """Text, the picture in two runs with a token between where rows do not matter, text; transformers' logits."""
    draw = torch.Generator().manual_seed(1)
    text = [int(token) for token in torch.randint(6, 128, (40,), generator=draw)]
    count = len(picture.boxes)
    cut = count if picture.grid else count // 3
    ids = [*text[:11], *[IMAGE_TOKEN] * cut, *([] if picture.grid else text[11:12]), *[IMAGE_TOKEN] * (count - cut)]
    runs = [PatchRun(11, picture, 0, cut)]
    if cut < count:
        runs.append(PatchRun(11 + cut + 1, picture, cut, count - cut))
    read = Tokens([*ids, *text[12:24]], runs=runs)
    decoded = text[24:]
    everything = torch.tensor([[*read, *decoded]])
    tells = picture.grid or sees_pictures_both_ways(model)
    kinds = {"mm_token_type_ids": (everything == IMAGE_TOKEN).int()} if tells else {}
    output = model(input_ids=everything, use_cache=False, **pixels, **kinds)
    return Reference(read, decoded, output.logits[0, len(read) - 1 :])  # type: ignore[arg-type]


@pytest.mark.parametrize("name", EYES)
def test_logits_with_a_picture_are_transformers_own(name: str, tmp_path: Path) -> None:
    pixels, num_patches, grid = EYES[name]
    [checkpoint] = tiny(tmp_path, [name])
    model: Any = AutoModelForImageTextToText.from_pretrained(
        checkpoint.folder, dtype=torch.float32, attn_implementation="eager"
    )
    model.eval()
    model.config.image_token_id = IMAGE_TOKEN
    picture = shown(model, pixels, num_patches, grid)
    expected = reference_of(model, picture, pixels)
    blind = Reference(list(expected.read), expected.decoded, expected.logits)
    runner = TransformersRunner(model, with_pictures=True)

    def way(read: Sequence[int], decoded: Sequence[int], chunk: int) -> torch.Tensor:
        kv = WorkingKV(runner.layouts, runner.rotation, device=torch.device("cpu"), dtype=torch.float32)
        start = 0
        while start < len(read):
            end = min(start + chunk, len(read))
            if sees_pictures_both_ways(model):  # others are cut anywhere
                end = end_of_pictures(read, start, end)
            last = runner.forward(read[start:end], kv)
            start = end
        return torch.stack([last, *(runner.forward([token], kv) for token in decoded)])

    for difference in differences(way, expected, chunks=(1, 7, 64)):
        assert difference.logits < 1e-4, difference
    [unseen] = differences(way, blind, chunks=(64,))
    assert unseen.logits > 1e-2  # the picture is looked at


def test_axes_are_rows_and_columns_and_text_goes_on_behind_the_longer_side() -> None:
    picture = Picture("p", (Box(0, 0, 1, 1),) * 6, (2, 3), lambda: ())
    runs = (PatchRun(2, picture, 0, 6),)
    positions, end = axes_of(10, runs, 0)
    assert positions.tolist() == [
        [0, 1, 2, 2, 2, 2, 2, 2, 5, 6],
        [0, 1, 2, 2, 2, 3, 3, 3, 5, 6],
        [0, 1, 2, 3, 4, 2, 3, 4, 5, 6],
    ]
    assert end == 7
    tokens = Tokens([9, 9, 5, 5, 5, 5, 5, 5, 9, 9], runs=runs)
    for cut in range(1, 10):  # in two passes, from wherever the first one stopped
        first, stopped = axes_of(cut, cut_runs(runs, 0, cut), 0)
        second, over = axes_of(10 - cut, cut_runs(runs, cut, 10), stopped)
        assert torch.equal(torch.cat((first, second), 1), positions)
        assert (over, position_shift(tokens, cut)) == (7, stopped - cut)


def test_a_pass_ends_before_a_picture_that_it_would_cut_or_behind_one_that_it_begins_with() -> None:
    picture = Picture("p", (Box(0, 0, 1, 1),) * 4, None, lambda: ())
    tokens = Tokens([1, 1, 5, 5, 5, 5, 1, 1], runs=[PatchRun(2, picture, 0, 4)])
    assert [end_of_pictures(tokens, 0, end) for end in (1, 2, 3, 5, 6, 7)] == [1, 2, 2, 2, 6, 7]
    assert [end_of_pictures(tokens, 2, end) for end in (3, 6, 8)] == [6, 6, 8]
    assert end_of_pictures([1, 2, 3], 0, 2) == 2


def test_tokens_keep_their_patches_when_cut_and_joined() -> None:
    picture = Picture("p", (Box(0, 0, 1, 1),) * 4, None, lambda: ())
    tokens = Tokens([1, 5, 5, 5, 5, 2], runs=[PatchRun(1, picture, 0, 4)])
    assert tokens[3:6].runs == (PatchRun(0, picture, 2, 2),)
    assert Tokens.joined([tokens[:3], tokens[3:]]) == Tokens(
        list(tokens), runs=[PatchRun(1, picture, 0, 2), PatchRun(3, picture, 2, 2)]
    )
    assert tokens != list(tokens)


def test_a_patch_shows_the_characters_of_the_line_that_it_covers() -> None:
    text = "first line here\nanother line"
    page = Page(
        1, text, (Span(0, 15, Box(10, 10, 160, 20)), Span(16, 28, Box(10, 30, 130, 40))), width_pt=200, height_pt=100
    )
    start, end = characters_under(page, Box(10, 5, 70, 25))
    assert text[start:end].startswith("first")
    start, end = characters_under(page, Box(90, 25, 200, 50))
    assert text[start:end] == "line"
    assert characters_under(page, Box(0, 60, 50, 90)) == (0, 0)
