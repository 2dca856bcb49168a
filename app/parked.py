"""Readings that are to be finished, remembered on the disk: a stopped or killed server takes them up again.

Owns one small file of a library. Guarantee: it is replaced whole or not at all, so a kill at any moment leaves the list
as it was before or after a change. What a person stopped is not in it any more. A list that an earlier Longleaf wrote
is read; a damaged one is put aside, which is said once.
"""

import json
import logging
import os
import tempfile
import threading
import uuid
from collections.abc import Sequence
from pathlib import Path

FILE = "parked.json"
_ASIDE = "parked.json.damaged"
_log = logging.getLogger(__name__)


class Parked:
    """Documents whose reading was begun or is queued, with the ids of the jobs. Safe to use from several threads."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / FILE
        self._lock = threading.Lock()
        self._jobs = self._read()

    def jobs(self) -> dict[str, str]:
        """Id of a document -> id of the job that reads it, in the order in which they were queued."""
        with self._lock:
            return dict(self._jobs)

    def add(self, entry_id: str, job_id: str) -> None:
        with self._lock:
            if self._jobs.get(entry_id) != job_id:
                self._jobs[entry_id] = job_id
                self._write()

    def remove(self, entry_id: str) -> None:
        with self._lock:
            if self._jobs.pop(entry_id, None) is not None:
                self._write()

    def _read(self) -> dict[str, str]:
        try:
            value = json.loads(self._path.read_text(encoding="utf-8"))
            if "jobs" not in value:
                return self._of_first_form([str(entry_id) for entry_id in value["readings"]])
            return {str(entry_id): str(job_id) for entry_id, job_id in value["jobs"].items()}
        except FileNotFoundError:
            return {}
        except OSError as error:
            _log.warning("the list of readings to take up again cannot be opened: %s", error)
        except (ValueError, LookupError, TypeError, AttributeError):
            os.replace(self._path, self._path.with_name(_ASIDE))
            _log.warning(
                "the list of readings to take up again is damaged and was put aside as %s; readings that were not "
                "finished go on where they stopped once somebody asks for it",
                _ASIDE,
            )
        return {}

    def _of_first_form(self, entry_ids: Sequence[str]) -> dict[str, str]:
        """A list of Longleaf's first days named documents and no jobs: these get ids, which stay theirs."""
        self._jobs = {entry_id: new_job_id() for entry_id in entry_ids}
        self._write()
        return self._jobs

    def _write(self) -> None:
        handle, copy = tempfile.mkstemp(dir=self._path.parent, prefix=f".{FILE}-")  # 0600
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump({"jobs": self._jobs}, stream)
        os.replace(copy, self._path)


def new_job_id() -> str:
    """Cannot be guessed: a page's address names it."""
    return uuid.uuid4().hex[:12]
