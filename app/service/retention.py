"""How long a library keeps what is in it: documents and answers that are older than that are deleted, for good.

Owns the rule; the caller says when to look (`Sweeper` does now and then). It goes by the times in the catalogue, so a
restart, or a week switched off, changes nothing: what is over goes at the next look.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.errors import NotInLibrary
from app.service.longleaf import Longleaf

HOUR_S = 3600.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Expired:
    """What one look deleted."""

    documents: int = 0
    answers: int = 0  # that were older than the limit, of documents that are not


def expire(longleaf: Longleaf, keep_s: float, now: datetime | None = None) -> Expired:
    """Deletes what was added, or answered, more than `keep_s` ago: every trace of it, as a person's deletion does."""
    before = ((now or datetime.now(UTC)) - timedelta(seconds=keep_s)).isoformat(timespec="milliseconds")
    documents = 0
    for entry in longleaf.entries():
        if entry.added_at < before:
            try:
                longleaf.delete(entry.id)
                documents += 1
            except NotInLibrary:  # a person was faster
                continue
    return Expired(documents, longleaf.history.delete_before(before))


class Sweeper:
    """Looks at one thing again and again until it is closed. `look` may raise: the next look comes all the same."""

    def __init__(self, look: Callable[[], None], every_s: float) -> None:
        self._look, self._every_s = look, every_s
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="longleaf-retention", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._look()
            except Exception:  # noqa: BLE001  logged; the next look must come
                _log.exception("what is too old could not be deleted")
            self._closed.wait(self._every_s)
