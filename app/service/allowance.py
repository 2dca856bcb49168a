"""How much may be done with one library: for visitors of a public demo. Others have no allowance, and no limit.

What was there from the beginning (the samples) does not count. Counts of questions live as long as the process.
"""

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from app.errors import BadRequest
from app.service.values import Entry
from ingest.options import MIB, Limits

_LIMITS = Limits(
    max_file_bytes=20 * MIB, max_pages=60, max_image_pixels=40_000_000, max_archive_bytes=60 * MIB,
    max_archive_members=200, read_timeout_s=120.0, read_memory_bytes=2048 * MIB,
)  # fmt: skip
_ELSEWHERE = "run Longleaf on your own machine for more"


@dataclass(frozen=True, slots=True)
class Caps:
    """What a visitor may add and ask."""

    files: int = 3  # a folder or an archive counts as one
    pages: int = 60  # of all files together
    questions: int = 30
    limits: Limits = _LIMITS  # of one file or archive


class Allowance:
    """What is left of the caps of one library. Safe to use from several threads."""

    def __init__(self, caps: Caps, given: Collection[str]) -> None:
        """`given`: ids of the documents that do not count."""
        self.caps = caps
        self._given = frozenset(given)
        self._asked = 0
        self._lock = threading.Lock()

    def check_room(self, entries: Sequence[Entry]) -> None:
        """Before something is added. Raises BadRequest."""
        own = self._own(entries)
        if len(own) >= self.caps.files:
            raise BadRequest(
                f"you have added {len(own)} files, and this demo takes {self.caps.files}; delete one, or {_ELSEWHERE}"
            )

    def check_pages(self, entries: Sequence[Entry]) -> None:
        """After something was added. Raises BadRequest."""
        pages = sum(entry.pages for entry in self._own(entries))
        if pages > self.caps.pages:
            raise BadRequest(
                f"your documents would have {pages:,} pages together, and this demo takes {self.caps.pages}; choose "
                f"fewer pages under Options, or {_ELSEWHERE}"
            )

    def count_question(self) -> None:
        """Raises BadRequest for one too many."""
        with self._lock:
            if self._asked >= self.caps.questions:
                raise BadRequest(f"you have asked {self._asked} questions, as many as this demo answers; {_ELSEWHERE}")
            self._asked += 1

    def _own(self, entries: Sequence[Entry]) -> list[Entry]:
        return [entry for entry in entries if entry.id not in self._given]
