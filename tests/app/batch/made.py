"""A folder of many small documents of every kind, two in a hundred of them broken, the same for every run of a seed."""

import random
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pymupdf
from PIL import Image, ImageDraw, ImageFont

_TOWNS = ("Lisbon", "Bergen", "Tallinn", "Porto", "Ghent", "Verona", "Cork", "Split", "Uppsala", "Basel", "Gdansk")


def make(folder: Path, number: int, *, seed: int = 0, scans: bool = True, broken_every: int = 50) -> list[str]:
    """Makes the documents; the names of the broken ones."""
    rng = random.Random(seed)
    kinds = [kind for kind in _KINDS if scans or kind != "scan"]
    broken = []
    for index in range(number):
        name = f"{index:04d}"
        path = folder / f"{rng.choice(('north', 'south'))}/{name}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if index % broken_every == broken_every - 1:
            made = _BROKEN[index // broken_every % len(_BROKEN)](path, rng)
            broken.append(made.relative_to(folder).as_posix())
        else:
            _KINDS[rng.choice(kinds)](path, text(rng, index))
    return broken


def text(rng: random.Random, index: int) -> str:
    town = rng.choice(_TOWNS)
    return (
        f"Lease number {index}\n\nThe lease of the house in {town} begins in March {1990 + index % 40}.\n"
        f"The rent is {rng.randrange(100, 9000)} crowns a month.\n"
    )


def _pdf(path: Path, content: str) -> None:
    document = pymupdf.open()
    document.new_page().insert_text((72, 72), content.splitlines())
    document.save(path.with_suffix(".pdf"))


def _text(path: Path, content: str) -> None:
    path.with_suffix(".txt").write_text(content, encoding="utf-8")


def _code(path: Path, content: str) -> None:
    path.with_suffix(".py").write_text(f'"""{content}"""\n\nNUMBER = {path.name}\n', encoding="utf-8")


def _scan(path: Path, content: str) -> None:
    image = Image.new("L", (900, 400), 255)
    ImageDraw.Draw(image).multiline_text((30, 30), content, fill=0, font=ImageFont.load_default(28))
    image.save(path.with_suffix(".png"))


def _empty(path: Path, rng: random.Random) -> Path:
    path.with_suffix(".txt").touch()
    return path.with_suffix(".txt")


def _noise(path: Path, rng: random.Random) -> Path:
    path.with_suffix(".pdf").write_bytes(rng.randbytes(3000))
    return path.with_suffix(".pdf")


def _cut_off(path: Path, rng: random.Random) -> Path:
    _pdf(path, "never to be read\n")
    made = path.with_suffix(".pdf")
    made.write_bytes(made.read_bytes()[:200])
    return made


def _locked(path: Path, rng: random.Random) -> Path:
    document = pymupdf.open()
    document.new_page().insert_text((72, 72), "secret")
    document.save(path.with_suffix(".pdf"), encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw=f"secret {path.name}")
    return path.with_suffix(".pdf")


def _half_zip(path: Path, rng: random.Random) -> Path:
    made = path.with_suffix(".docx")
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("word/document.xml", f"<w:document>{path.name}</w:document>" * 50)
    made.write_bytes(made.read_bytes()[:-40])
    return made


_KINDS: Mapping[str, Callable[[Path, str], None]] = MappingProxyType(
    {"pdf": _pdf, "text": _text, "code": _code, "scan": _scan}
)
_BROKEN = (_empty, _noise, _cut_off, _locked, _half_zip)
