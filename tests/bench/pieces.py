"""Short documents cut from the real ones of the development data: a page or two, a strip of a scan, a stretch of text
or code; two in a hundred broken (`tests.bench.broken`). The same for every run of a seed.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pymupdf
from PIL import Image

from ingest.folder import shown
from tests.bench.broken import break_one

ROOT = Path(__file__).resolve().parents[2]
GOOD = frozenset({"ok", "partial"})  # statuses that rows may have
_STRIP = (0.3, 0.5)  # of a scan's height
_SCAN_WIDTH_PX = 1000
_WORDS, _CODE_LINES = (80, 180), (20, 50)


def make(folder: Path, number: int, data: Path, *, seed: int = 1, broken_every: int = 50) -> dict[str, frozenset[str]]:
    """Makes the documents; by name, the statuses that their rows may have."""
    rng, real = random.Random(seed), _Real(data / "documents")
    allowed = {}
    for index in range(number):
        path = folder / rng.choice(("north", "south")) / f"{index:04d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if index % broken_every == broken_every - 1:
            made, statuses = break_one(path, index // broken_every, rng.choice(real.pdfs), rng)
        else:
            made, statuses = _KINDS[rng.choice(list(_KINDS))](path, real, rng), GOOD
        allowed[shown(str(made.relative_to(folder)))] = statuses
    circle = folder / "north" / "circle"
    if not circle.is_symlink():
        circle.symlink_to(folder)  # a link is no document: it has no row, and is not followed
    return allowed


@dataclass(frozen=True)
class _Real:
    """What there is to cut from."""

    documents: Path

    @cached_property
    def pdfs(self) -> Sequence[Path]:
        folders = ("contracts", "manuals", "filings")
        return [path for folder in folders for path in sorted((self.documents / folder).glob("*.pdf"))]

    @cached_property
    def scans(self) -> Sequence[Path]:
        return [
            *sorted((self.documents / "receipts").glob("*.jpg")),
            *sorted((self.documents / "forms").rglob("*.png")),
        ]

    @cached_property
    def texts(self) -> Sequence[Path]:
        return [path for folder in ("essays", "manuals") for path in sorted((self.documents / folder).glob("*.txt"))]

    @cached_property
    def code(self) -> Sequence[Path]:
        """Longleaf's own: there is none in the data."""
        packages = ("ingest", "vision", "llm", "app")
        return [path for name in packages for path in sorted((ROOT / name).rglob("*.py")) if path.stat().st_size > 2000]


def _pdf(path: Path, real: _Real, rng: random.Random) -> Path:
    """A page or two of a contract, a manual or a filing."""
    made = path.with_suffix(".pdf")
    with pymupdf.open(rng.choice(real.pdfs)) as whole, pymupdf.open() as piece:
        first = rng.randrange(len(whole))
        piece.insert_pdf(whole, from_page=first, to_page=min(first + rng.randrange(2), len(whole) - 1), links=False)
        piece.set_metadata({"title": path.name})  # so that no two are equal
        piece.save(made, garbage=4, deflate=True, no_new_id=True)
    return made


def _scan(path: Path, real: _Real, rng: random.Random) -> Path:
    """A strip of a receipt or a form."""
    made = path.with_suffix(".jpg")
    with Image.open(rng.choice(real.scans)) as opened:
        page = opened.convert("L")
    page.thumbnail((_SCAN_WIDTH_PX, 10 * _SCAN_WIDTH_PX))
    height = round(page.height * rng.uniform(*_STRIP))
    top = rng.randrange(page.height - height)
    page.crop((0, top, page.width, top + height)).save(made, quality=85)
    return made


def _text(path: Path, real: _Real, rng: random.Random) -> Path:
    made = path.with_suffix(".txt")
    words = rng.choice(real.texts).read_text("utf-8").split(" ")
    number = min(rng.randint(*_WORDS), len(words) - 1)
    start = rng.randrange(len(words) - number)
    made.write_text(" ".join(words[start : start + number]) + f"\n\nPiece {path.name}.\n", encoding="utf-8")
    return made


def _code(path: Path, real: _Real, rng: random.Random) -> Path:
    made = path.with_suffix(".py")
    lines = rng.choice(real.code).read_text("utf-8").splitlines()
    number = min(rng.randint(*_CODE_LINES), len(lines) - 1)
    start = rng.randrange(len(lines) - number)
    made.write_text("\n".join([*lines[start : start + number], f"# piece {path.name}", ""]), encoding="utf-8")
    return made


_KINDS: Mapping[str, Callable[[Path, _Real, random.Random], Path]] = {
    "pdf": _pdf, "scan": _scan, "text": _text, "code": _code,
}  # fmt: skip
