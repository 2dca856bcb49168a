"""What a long measurement has found so far, on disk, so that a killed run goes on where it was.

One JSON line a result, written through at once. The file's name carries a hash of everything that the results depend
on, so that another model, seed or option never meets results that are not its own.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Journal:
    """Results by key. One process at a time."""

    def __init__(self, folder: Path, name: str, depends_on: Mapping[str, Any]) -> None:
        digest = hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()[:12]
        self.path = folder / f"{name}-{digest}.jsonl"
        self._results: dict[str, Any] = {}
        if self.path.exists():
            self._load()

    def get(self, key: str) -> Any:
        """The result, or None."""
        return self._results.get(key)

    def put(self, key: str, result: Any) -> Any:
        """Writes the result, and gives it back as JSON has it, so that a resumed run sees the same."""
        line = json.dumps({"key": key, "result": result}, ensure_ascii=False)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        self._results[key] = json.loads(line)["result"]
        return self._results[key]

    def _load(self) -> None:
        """A last line that a kill cut short is taken off the file."""
        data = self.path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            self.path.write_bytes(whole)
        for line in whole.decode("utf-8").splitlines():
            entry = json.loads(line)
            self._results[entry["key"]] = entry["result"]
