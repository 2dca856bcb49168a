"""Which file of a snapshot's folder holds what. Reads and writes nothing.

manifest.json         what it was made from, and how far it is committed
blocks.bin            layers that keep all tokens: a row a block, one after the other
bounds.bin            their keys' bounds, layer by layer, each with room for the whole stream
last-REACH-BLOCK.bin  layers with a reach: the rows from BLOCK on that one commit closed, while they are seen
overview.bin          of a long snapshot: the bounds of every 16 blocks together
tail-TOKENS.bin       the last tokens that fill no block, in the dtype they came in
"""

from collections.abc import Sequence
from pathlib import Path

from llm.kv.codec import Codec
from llm.kv.layout import BLOCK_TOKENS, LayerLayout
from llm.kv.manifest import Commit, Origin
from llm.kv.row import Row


class FilePlan:
    """Paths, rows and offsets of one snapshot."""

    def __init__(self, folder: Path, origin: Origin) -> None:
        self.folder = folder
        self.layouts = origin.layouts
        self.codecs = [Codec(layout, origin.kv_dtype) for layout in origin.layouts]
        self.capacity_blocks = origin.num_stream_tokens // BLOCK_TOKENS
        self.lasting = self._row(None)
        reaches = sorted({layout.reach for layout in self.layouts if layout.reach is not None})
        self.limited = {reach: self._row(reach) for reach in reaches}
        self._bounds_offsets, self.bounds_size = self._place_bounds()

    @property
    def blocks_path(self) -> Path:
        return self.folder / "blocks.bin"

    @property
    def bounds_path(self) -> Path:
        return self.folder / "bounds.bin"

    @property
    def overview_path(self) -> Path:
        return self.folder / "overview.bin"

    def segment_path(self, reach: int, first_block: int) -> Path:
        return self.folder / f"last-{reach}-{first_block}.bin"

    def tail_path(self, num_tokens: int) -> Path:
        return self.folder / f"tail-{num_tokens}.bin"

    def row_of(self, layer: int) -> Row:
        reach = self.layouts[layer].reach
        return self.lasting if reach is None else self.limited[reach]

    def bounds_offset(self, layer: int, block: int) -> int:
        return self._bounds_offsets[layer] + block * self.codecs[layer].bounds_bytes

    def first_needed_block(self, reach: int, num_tokens: int) -> int:
        """The first block of the layers with this reach that the token after `num_tokens` still sees."""
        seen = min(self.layouts[layer].first_kept(num_tokens) for layer in self.limited[reach].layers)
        return seen // BLOCK_TOKENS

    def current_paths(self, commit: Commit) -> set[Path]:
        """The files that a commit needs and no earlier one had: segments and tail."""
        segments = {self.segment_path(reach, first) for reach, first, _ in commit.segments}
        return segments | ({self.tail_path(commit.num_tokens)} if commit.tail_tokens else set())

    def _row(self, reach: int | None) -> Row:
        layers = [index for index, layout in enumerate(self.layouts) if layout.reach == reach]
        return Row(layers, self.codecs, holds_bounds=reach is not None)

    def _place_bounds(self) -> tuple[dict[int, int], int]:
        offsets, end = {}, 0
        for layer in self.lasting.layers:
            offsets[layer] = end
            end += self.capacity_blocks * self.codecs[layer].bounds_bytes
        return offsets, end


def tail_values(layouts: Sequence[LayerLayout], num_tokens: int) -> int:
    """Numbers in the tail file of so many tokens."""
    return num_tokens * sum(layout.values_per_token for layout in layouts)
