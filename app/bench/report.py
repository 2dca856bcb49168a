"""What a measurement hands over: a table with the machine, the command, the commit and the date that made it.

`as_json` is what `bench … --json` prints; `as_markdown` is a section for docs/BENCHMARKS.md, in the form that stands
at the head of that page.
"""

import importlib.metadata
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from llm.answer import ModelName

_CPU_INFO = Path("/proc/cpuinfo")
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Report:
    """One measurement. Every row has the same keys; `details` is for --json alone."""

    title: str
    model: ModelName
    rows: Sequence[Mapping[str, Any]]
    note: str = ""  # what was measured and how, in a sentence or two
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self, command: str) -> dict[str, Any]:
        return {
            "title": self.title,
            "command": command,
            **origin(),
            "model": asdict(self.model),
            "note": self.note,
            "rows": [dict(row) for row in self.rows],
            **self.details,
        }

    def as_markdown(self, command: str) -> str:
        made = origin()
        head = f"`{command}`, {self.model.name}, commit {made['commit']}, {made['date']}. {made['machine']}."
        return "\n\n".join(part for part in (f"## {self.title}", head, self.note, table(self.rows)) if part)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as a Markdown table; its columns are the keys of the first."""
    if not rows:
        return ""
    columns = list(rows[0])
    assert all(list(row) == columns for row in rows), "rows of one table have the same columns"
    lines = [columns, ["---"] * len(columns), *([_cell(row[column]) for column in columns] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def origin() -> dict[str, Any]:
    """The machine, the commit and the date, for people."""
    return {"machine": machine(), "commit": _commit(), "date": datetime.now(UTC).date().isoformat()}


def machine() -> str:
    """One line: processor, cores, memory, how busy it was, system, versions."""
    memory_gib = psutil.virtual_memory().total / 2**30
    return (
        f"{_processor()}, {psutil.cpu_count()} cores, {memory_gib:.0f} GiB, load {psutil.getloadavg()[0]:.1f}, "
        f"{platform.system()}, Python {platform.python_version()}, torch {importlib.metadata.version('torch')}"
    )


def _processor() -> str:
    if _CPU_INFO.exists():
        for line in _CPU_INFO.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _commit() -> str:
    """The checkout's commit, marked where files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value)
