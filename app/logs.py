"""The log of a running server: one line an event, as text or as JSON, with personal data masked.

Owns how log lines look; set up by `serve` alone, never at import. No line holds a question, an answer or a document's
text; what a library's message quotes (a name, an address) is masked.
"""

import json
import logging
import sys
from datetime import UTC, datetime

from app.service.masking import masked

ACCESS = "longleaf.access"


class JsonLines(logging.Formatter):
    """A record as one JSON object: time, level, logger, message, what `extra` gave, and the traceback of a fault."""

    def format(self, record: logging.LogRecord) -> str:
        value = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(), "logger": record.name, "message": masked(record.getMessage()),
            **getattr(record, "facts", {}),
        }  # fmt: skip
        if record.exc_info:
            value["traceback"] = masked(self.formatException(record.exc_info))
        return json.dumps(value, ensure_ascii=False)


class PlainLines(logging.Formatter):
    """As Python's own, masked."""

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


def set_up(*, as_json: bool) -> None:
    """Warnings and faults of everything to standard error; as JSON, every request too."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if as_json else PlainLines("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger(ACCESS).setLevel(logging.INFO if as_json else logging.WARNING)
