"""What the catalogue says about readings, kept true: how much of each entry is read under the model in use.

The engine knows what is on disk; the page and the command line list entries without loading it. So whoever changes a
reading notes it here: its progress now and then, its end, and what made room for it.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from app.errors import NotInLibrary
from app.service.catalogue import Catalogue
from ingest.document import Document

if TYPE_CHECKING:
    from app.service.engine import AnyEngine

NOTE_EVERY_S = 5.0
_log = logging.getLogger(__name__)


class ReadingMarks:
    """The marks of one library under one model."""

    def __init__(self, catalogue: Catalogue, model: str) -> None:
        self._catalogue, self._model = catalogue, model

    def note(self, engine: "AnyEngine", ids: Sequence[str], documents: Sequence[Document]) -> None:
        """What is read of each document now, in whole or in part; nothing of one that was deleted.

        To be called in the documents' turn: what the engine opens for it must not outlive a deletion.
        """
        if not self._catalogue.has(ids):
            return
        for document_id, document in zip(dict.fromkeys(ids), documents, strict=True):
            tokens = engine.coverage([document]).tokens_total
            tokens_read = tokens if engine.is_read([document]) else min(engine.tokens_read([document]), tokens - 1)
            kv_bytes = engine.stored_bytes(*{leaf.id for leaf in document.leaves()})
            self._catalogue.note_reading(document_id, self._model, tokens, max(0, tokens_read), kv_bytes)

    def check_others(self, engine: "AnyEngine", ids: Sequence[str], document_of: Callable[[str], Document]) -> None:
        """Notes anew what is marked as read, but these: a limit on the disk may have cost it its reading."""
        for entry in self._catalogue.entries(self._model):
            if entry.tokens_read and entry.id not in ids:
                try:
                    self.note(engine, [entry.id], [document_of(entry.id)])
                except NotInLibrary as error:  # deleted meanwhile, or of an older format
                    _log.info("not noted: %s", error)


class Pacer:
    """Says when it is time to note progress again."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def is_due(self) -> bool:
        if time.monotonic() - self._last < NOTE_EVERY_S:
            return False
        self._last = time.monotonic()
        return True
