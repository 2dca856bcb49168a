"""Page images for a server: as data in the request, before the documents' text. No torch.

What a picture costs is estimated, a token for every 28 x 28 pixels, as most servers' models take them.
"""

import base64
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from ingest.document import Document, Page
from llm.pages import PageSource, dpi_for, is_shown, page_size

_PATCH_PX = 28


@dataclass(frozen=True, slots=True)
class RemotePictures:
    """Which pages are sent as pictures, and how large."""

    source: PageSource
    all_pages: bool
    max_side_px: int

    def pages(self, leaves: Sequence[Document]) -> list[tuple[Document, int]]:
        """Those that are sent, as document and page index, in order."""
        return [
            (leaf, index)
            for leaf in leaves
            for index, page in enumerate(leaf.pages)
            if is_shown(page, all_pages=self.all_pages)
        ]

    def num_tokens(self, leaves: Sequence[Document]) -> int:
        """Of all that would be sent, about."""
        return sum(self._cost(leaf.pages[index]) for leaf, index in self.pages(leaves))

    def urls(self, leaves: Sequence[Document], among: Collection[tuple[str, int]] | None, room: int) -> Iterator[str]:
        """The pictures as data URLs, as many as fit into `room` tokens; of pages `among` these alone. None: of all."""
        for leaf, index in self.pages(leaves):
            if among is not None and (leaf.id, index) not in among:
                continue
            room -= self._cost(leaf.pages[index])
            if room < 0:
                return
            png = self.source(leaf.id, index, dpi_for(self._scale(leaf.pages[index])))
            yield f"data:image/png;base64,{base64.b64encode(png).decode()}"

    def _cost(self, page: Page) -> int:
        width, height = page_size(page)
        scale = self._scale(page)
        return -(-round(width * scale) // _PATCH_PX) * -(-round(height * scale) // _PATCH_PX)

    def _scale(self, page: Page) -> float:
        return self.max_side_px / max(page_size(page))
