"""Eyes: a vision model's own image processor and tower, which make patch tokens of page images (early fusion).

What a picture's tokens are depends on its size alone, so that a stream is counted and laid out without any picture
being made; the pixels are asked for when the patches are read. transformers' processor says which tokens stand around
and between patches; here is only where on the page each patch lies.
"""

import io
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any

import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoProcessor, AutoTokenizer, PreTrainedModel

from ingest.document import Box, Document, Page
from llm.errors import ModelNotFound
from llm.pages import PageSource, dpi_for, is_shown, page_size
from llm.pictures import Features, PatchRun, Picture
from llm.tokens import Tokens

_NOT_OF_TOWER = ("input_ids", "attention_mask", "mm_token_type_ids", "token_type_ids", "num_soft_tokens_per_image")
_LLAMA4 = "llama4"
_BUDGETS = (70, 140, 280, 560, 1120)  # patches of a picture, one of which Gemma 4 fills whatever the picture's size
_TILE = re.compile(r"<row_(\d+)_col_(\d+)>")


@dataclass(frozen=True, slots=True)
class Layout:
    """How a model takes in pictures of one size."""

    token_ids: tuple[int, ...]  # with those around and between the patches
    patch_at: tuple[int, ...]  # which of them are patches
    boxes: tuple[Box, ...]  # of the patches, in parts of the picture's width and height
    grid: tuple[int, int] | None


class Eyes:
    """Of one model. `max_side_px`: the longer side of the pictures that it is shown."""

    def __init__(self, model: PreTrainedModel, processor: Any, max_side_px: int) -> None:
        self._model: Any = model
        self._processor, self.max_side_px = processor, max_side_px
        self._marker = _marker_of(processor)
        self._image_token_id = int(model.config.image_token_id)
        self.layout = lru_cache(maxsize=64)(self._laid_out)
        self.sized = lru_cache(maxsize=8)(self._of_size)  # the same eyes for pictures of another size
        self._last: tuple[str, Features] | None = None  # a picture may be read in two passes

    @classmethod
    def of(cls, model: PreTrainedModel, where: str, max_side_px: int) -> "Eyes":
        """From the checkpoint's own processor. Raises ModelNotFound for a model that cannot be shown pictures."""
        kind = model.config.model_type
        if not hasattr(model, "get_image_features") or not hasattr(model.config, "image_token_id"):
            raise _refusal(kind, "it has no image tower")
        try:
            return cls(model, _processor_of(model, where), max_side_px)
        except (OSError, ValueError, ImportError, AttributeError, TypeError) as error:
            raise _refusal(kind, str(error).strip().split(". ")[0].rstrip(".") or type(error).__name__) from error

    def num_tokens(self, page: Page) -> int:
        """Of its picture."""
        return len(self.layout(*self._size(page)).token_ids)

    def picture(self, source: PageSource, document: Document, page_index: int) -> Tokens:
        """The page's picture as tokens. Its pixels are asked for when they are read."""
        page = document.pages[page_index]
        width, height = page_size(page)
        scale, size = self.max_side_px / max(width, height), self._size(page)
        layout = self.layout(*size)
        boxes = tuple(Box(b.x0 * width, b.y0 * height, b.x1 * width, b.y1 * height) for b in layout.boxes)
        identity = f"{document.id} {page_index} {size[0]}x{size[1]}"
        picture = Picture(
            identity, boxes, layout.grid,
            lambda: self._features(identity, lambda: source(document.id, page_index, dpi_for(scale)), size),
        )  # fmt: skip
        return Tokens(layout.token_ids, runs=_runs(layout.patch_at, picture))

    def _of_size(self, max_side_px: int) -> "Eyes":
        return self if max_side_px == self.max_side_px else Eyes(self._model, self._processor, max_side_px)

    def _size(self, page: Page) -> tuple[int, int]:
        """Width and height of a page's picture, in pixels."""
        width, height = page_size(page)
        scale = self.max_side_px / max(width, height)
        return max(1, round(width * scale)), max(1, round(height * scale))

    def _features(self, identity: str, png: Callable[[], bytes], size: tuple[int, int]) -> Features:
        if self._last is None or self._last[0] != identity:
            with Image.open(io.BytesIO(png())) as image:
                self._last = identity, self._looked_at(image.convert("RGB").resize(size, Image.Resampling.LANCZOS))
        return self._last[1]

    @torch.no_grad()
    def _looked_at(self, image: Image.Image) -> Features:
        inputs = {name: value for name, value in self._processed(image).items() if name not in _NOT_OF_TOWER}
        on_device = {name: value.to(self._model.device) for name, value in inputs.items()}
        on_device["pixel_values"] = on_device["pixel_values"].to(self._model.dtype)
        output = self._model.get_image_features(**on_device, return_dict=True)
        # Llama 4 projects what comes of the tower behind this door, all others before it
        states = output.last_hidden_state if self._model.config.model_type == _LLAMA4 else output.pooler_output
        return (_rows(states), *map(_rows, getattr(output, "deepstack_features", None) or ()))

    def _laid_out(self, width: int, height: int) -> Layout:
        inputs = self._processed(Image.new("RGB", (width, height)))
        ids: list[int] = inputs["input_ids"][0].tolist()
        patch_at = tuple(at for at, token in enumerate(ids) if token == self._image_token_id)
        if "image_grid_thw" in inputs:
            _, rows, columns = inputs["image_grid_thw"][0].tolist()
            merged = math.isqrt(rows * columns // len(patch_at))
            grid = rows // merged, columns // merged
            return Layout(tuple(ids), patch_at, tuple(_cells(*grid, Box(0, 0, 1, 1))), grid)
        if "image_position_ids" in inputs:
            columns, rows = (inputs["image_position_ids"][0].amax(0) + 1).tolist()
            merged = math.isqrt(rows * columns // len(patch_at))
            cells = _cells(rows // merged, columns // merged, Box(0, 0, 1, 1))
            return Layout(tuple(ids), patch_at, tuple(cells), None)
        return Layout(tuple(ids), patch_at, tuple(self._tiles(ids, inputs, width, height)), None)

    def _tiles(self, ids: list[int], inputs: Any, width: int, height: int) -> Iterator[Box]:
        """Of pictures that are cut into tiles, the whole of it as a last one if there are several."""
        runs = [len(list(run)) for is_patch, run in groupby(ids, lambda one: one == self._image_token_id) if is_patch]
        rows, columns = self._tiling(ids, len(runs))
        whole_width = whole_height = 1.0
        if self._model.config.model_type == _LLAMA4:  # fits it into the tiles' upper left corner
            tile = inputs["pixel_values"].shape[-1]
            fitted = min(max(width, tile), columns * tile), min(max(height, tile), rows * tile)
            scale = min(fitted[0] / width, fitted[1] / height)  # it shrinks pictures, and enlarges to one tile at most
            whole_width, whole_height = columns * tile / (width * scale), rows * tile / (height * scale)
        for number, count in enumerate(runs):
            side = math.isqrt(count)
            assert side * side == count, f"a tile of {count} patches is a square"
            row, column = divmod(number, columns)
            tile_box = Box(
                column / columns * whole_width, row / rows * whole_height,
                (column + 1) / columns * whole_width, (row + 1) / rows * whole_height,
            )  # fmt: skip
            yield from _cells(side, side, tile_box if number < rows * columns else Box(0, 0, 1, 1))

    def _tiling(self, ids: list[int], num_runs: int) -> tuple[int, int]:
        """Rows and columns of tiles."""
        if num_runs == 1:
            return 1, 1
        between = [token for token in ids if token != self._image_token_id]
        texts = self._processor.tokenizer.convert_ids_to_tokens(between)
        named = [match for text in texts if (match := _TILE.fullmatch(text))]
        rows = max((int(match[1]) for match in named), default=texts.count("<|tile_y_separator|>"))
        return rows, (num_runs - 1) // rows

    def _processed(self, image: Image.Image) -> Any:
        sizes: dict[str, Any] = {}
        if set(self._processor.image_processor.size or ()) == {"longest_edge"}:  # else it takes pictures as they come
            sizes = {"size": {"longest_edge": self.max_side_px}}
        if hasattr(self._processor.image_processor, "max_soft_tokens"):
            sizes = {"max_soft_tokens": self._budget(*image.size)}
        return self._processor(
            text=[self._marker], images=[image], return_tensors="pt", add_special_tokens=False, **sizes
        )

    def _budget(self, width: int, height: int) -> int:
        """The one that comes nearest to the picture's own size."""
        images = self._processor.image_processor
        own = width * height / (images.patch_size * images.pooling_kernel_size) ** 2
        return min(_BUDGETS, key=lambda budget: abs(math.log(budget / own)))


@dataclass(frozen=True, slots=True)
class ShownPages:
    """Which pages of a library one model sees as pictures, and how it gets at them."""

    eyes: Eyes
    source: PageSource
    all_pages: bool  # else those alone whose text was recognised, or that have none

    def shows(self, page: Page) -> bool:
        return is_shown(page, all_pages=self.all_pages)

    def tokens(self, document: Document, page_index: int) -> Tokens:
        """Of a page that is shown."""
        return self.eyes.picture(self.source, document, page_index)


class _GridProcessor:
    """A processor's part for pictures, of families that cut them into a grid: its part for videos needs torchvision."""

    def __init__(self, where: str, config: Any) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(where)
        self.image_processor = AutoImageProcessor.from_pretrained(where, backend="pil")
        ids = (config.image_token_id, getattr(config, "boi_token_id", None), getattr(config, "eoi_token_id", None))
        self.image_token, *around = (
            "" if one is None else str(self.tokenizer.convert_ids_to_tokens(one)) for one in ids
        )
        self._around = around  # Gemma 4's chat template leaves them to its processor
        self.apply_chat_template = self.tokenizer.apply_chat_template

    def __call__(
        self, *, text: list[str], images: list[Image.Image], max_soft_tokens: int | None = None, **options: Any
    ) -> dict[str, torch.Tensor]:
        budget = {} if max_soft_tokens is None else {"max_soft_tokens": max_soft_tokens}
        pixels = self.image_processor(images=images, return_tensors="pt", **budget)
        if "image_grid_thw" in pixels:
            num_patches = int(pixels["image_grid_thw"].prod()) // self.image_processor.merge_size**2
        else:
            num_patches = int(pixels["num_soft_tokens_per_image"][0])
        picture = (self.image_token * num_patches).join(self._around)
        expanded = [one.replace(self.image_token, picture) for one in text]
        return {**pixels, **self.tokenizer(expanded, **options)}


def _processor_of(model: PreTrainedModel, where: str) -> Any:
    """The checkpoint's own."""
    try:
        return AutoProcessor.from_pretrained(where)
    except ImportError:
        return _GridProcessor(where, model.config)


def _marker_of(processor: Any) -> str:
    """What stands for a picture in a message, as the model's own chat template writes it."""
    token = str(processor.image_token)
    text = {"type": "text", "text": "\u241e"}
    try:
        plain, pictured = (
            processor.apply_chat_template([{"role": "user", "content": content}], tokenize=False)
            for content in ([text], [{"type": "image"}, text])
        )
    except (ValueError, TypeError, AttributeError):
        return token
    added = len(pictured) - len(plain)
    start = pictured.find(token)
    while start > 0 and plain[:start] != pictured[:start]:
        start -= 1
    marker = pictured[start : start + added]
    return marker if added > 0 and token in marker else token


def _runs(patch_at: tuple[int, ...], picture: Picture) -> Iterator[PatchRun]:
    """Neighbouring patches in one run each."""
    done = 0
    for _, group in groupby(enumerate(patch_at), lambda pair: pair[1] - pair[0]):
        run = list(group)
        yield PatchRun(run[0][1], picture, done, len(run))
        done += len(run)


def _cells(rows: int, columns: int, whole: Box) -> Iterator[Box]:
    """The cells of a grid, row by row, cut off at the picture's edge."""
    width, height = (whole.x1 - whole.x0) / columns, (whole.y1 - whole.y0) / rows
    for row in range(rows):
        for column in range(columns):
            left, top = whole.x0 + column * width, whole.y0 + row * height
            yield Box(min(left, 1.0), min(top, 1.0), min(left + width, 1.0), min(top + height, 1.0))


def _rows(states: Any) -> torch.Tensor:
    """(P, D) of a tensor of any shape (…, D), or of several."""
    parts = [states] if isinstance(states, torch.Tensor) else list(states)
    return torch.cat([part.reshape(-1, part.shape[-1]) for part in parts])


def _refusal(kind: str, why: str) -> ModelNotFound:
    return ModelNotFound(
        f"a model of type {kind!r} cannot be shown page images: {why}; leave --page-images out and it reads the text"
    )
