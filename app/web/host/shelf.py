"""The samples of a public demo: read once, then copied into each visitor's library.

What was read never changes once it is written, so copies share its bytes on the disk (hard links); the catalogue,
which does change, is a file of each library's own.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from app.service import Longleaf
from app.web.samples import Sample

OWN = (".sqlite", ".lock")  # files that a library writes into


def fill_shelf(longleaf: Longleaf, samples: Sequence[Sample], on_text: Callable[[str], None]) -> frozenset[str]:
    """Adds and reads the samples, which takes some minutes once; their ids. Closes the library."""
    try:
        ids = []
        for sample in samples:
            entry = longleaf.add(sample.path)
            if not entry.is_read:
                on_text(f"Reading the sample {entry.name}")
            for _ in longleaf.read([entry.id]):
                pass
            ids.append(entry.id)
        return frozenset(ids)
    finally:
        longleaf.close()


def copy_shelf(shelf: Path, home: Path) -> None:
    """Makes the home's library, unless it is there already."""
    if home.exists():
        return
    partial = home.with_name(f"{home.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(shelf, partial, copy_function=_copied)
    partial.rename(home)


def _copied(source: str, target: str) -> str:
    if source.endswith(OWN):
        return shutil.copy2(source, target)
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        return shutil.copy2(source, target)
    return target
