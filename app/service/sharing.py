"""Sharing of documents from one library: what it shares, what others share, and taking a copy.

Owns nothing but the way between a library and the shelf. A `Watcher`: what is deleted here is withdrawn there.
"""

from collections.abc import Sequence
from pathlib import Path

from app.errors import BadRequest
from app.people.shelf import Shared, SharedShelf
from app.service.values import Entry, Receipt
from llm.answer import Answer


class Sharing:
    """Of one person."""

    def __init__(self, shelf: SharedShelf, home: str, person: str) -> None:
        self._shelf, self._home, self._person = shelf, home, person

    def share(self, entry: Entry, files: dict[str, Path], collection: str) -> Shared:
        """For everybody who signs in to this server. Raises BadRequest, OSError."""
        if not files:
            raise BadRequest(f"{entry.name} has no file of its own that could be shared")
        return self._shelf.share(self._home, self._person, entry.id, entry.name, collection, files)

    def own(self) -> list[Shared]:
        return [shared for shared in self._shelf.all() if shared.home == self._home]

    def others(self) -> list[Shared]:
        return [shared for shared in self._shelf.all() if shared.home != self._home]

    def source(self, shared_id: str) -> tuple[Path, str]:
        """What is to be added to take a copy. Raises BadRequest."""
        return self._shelf.source(shared_id)

    def withdraw(self, shared_id: str) -> None:
        """Raises BadRequest."""
        self._shelf.withdraw(shared_id, self._home)

    def added(self, entry: Entry) -> None:
        """Nothing is shared by being added."""

    def answered(self, document_ids: Sequence[str], answer: Answer) -> None:
        """Answers are never shared."""

    def deleted(self, receipt: Receipt) -> None:
        self._shelf.forget(self._home, receipt.id)
