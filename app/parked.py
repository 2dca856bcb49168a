"""Readings that are to be finished, remembered on the disk: a stopped or killed server takes them up again.

Owns one small file of a library. Guarantee: it is replaced whole or not at all, so a kill at any moment leaves the list
as it was before or after a change. What a person stopped is not in it any more.
"""

import json
import logging
import os
import tempfile
import threading
from pathlib import Path

FILE = "parked.json"
_log = logging.getLogger(__name__)


class Parked:
    """Ids of documents whose reading was begun or is queued. Safe to use from several threads."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / FILE
        self._lock = threading.Lock()
        self._ids = self._read()

    def ids(self) -> list[str]:
        """In the order in which they were queued."""
        with self._lock:
            return list(self._ids)

    def add(self, entry_id: str) -> None:
        with self._lock:
            if entry_id not in self._ids:
                self._ids.append(entry_id)
                self._write()

    def remove(self, entry_id: str) -> None:
        with self._lock:
            if entry_id in self._ids:
                self._ids.remove(entry_id)
                self._write()

    def _read(self) -> list[str]:
        try:
            value = json.loads(self._path.read_text(encoding="utf-8"))
            return [str(entry_id) for entry_id in value["readings"]]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:  # at worst a reading waits for a click
            _log.warning("the list of readings to take up again cannot be read: %s", error)
            return []

    def _write(self) -> None:
        handle, copy = tempfile.mkstemp(dir=self._path.parent, prefix=f".{FILE}-")  # 0600
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump({"readings": self._ids}, stream)
        os.replace(copy, self._path)
