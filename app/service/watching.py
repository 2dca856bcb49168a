"""Who is told what happened in a library: the audit log, the metrics."""

from collections.abc import Sequence
from typing import Protocol

from app.service.values import Entry, Receipt
from llm.answer import Answer


class Watcher(Protocol):
    """Is called from any thread, and must not raise."""

    def added(self, entry: Entry) -> None:
        """A source came in."""

    def answered(self, document_ids: Sequence[str], answer: Answer) -> None:
        """A question came to its end, with an answer or without one."""

    def deleted(self, receipt: Receipt) -> None:
        """A document is gone."""
