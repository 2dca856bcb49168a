"""Pages as pictures, made when they are looked at and kept in memory only: nothing of them is ever on the disk.

Making one at 110 dpi took 0.3 s for a scanned receipt and 4 s for a TIFF of 8 megapixels, on two busy cores
(2026-11-21, `Longleaf.page_image`), so turning back must not make it again.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection
from pathlib import Path

BUDGET_BYTES = 64 * 1024 * 1024


Key = tuple[Path, str, int, int, int]


class PageImages:
    """PNGs by (library's folder, document id, page number, rotation, dpi); those not looked at for longest go first.

    Several libraries may share one: what it may take in memory is then for all of them, and none finds another's.
    """

    def __init__(self, budget_bytes: int = BUDGET_BYTES) -> None:
        self._budget_bytes = budget_bytes
        self._images: OrderedDict[Key, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Key, make: Callable[[], bytes]) -> bytes:
        with self._lock:
            if key in self._images:
                self._images.move_to_end(key)
                return self._images[key]
        image = make()
        with self._lock:
            self._images[key] = image
            while sum(map(len, self._images.values())) > self._budget_bytes:
                self._images.popitem(last=False)
        return image

    def forget(self, folder: Path, document_ids: Collection[str]) -> None:
        with self._lock:
            for key in [key for key in self._images if key[0] == folder and key[1] in document_ids]:
                del self._images[key]
