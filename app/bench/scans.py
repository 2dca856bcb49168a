"""Page images with questions whose answers are known: scanned receipts and forms, and contexts printed to pixels.

Owns what is asked and what is true; wears the images, recognises nothing.
"""

import csv
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pymupdf
from PIL import Image

from ingest.document import Box
from ingest.ocr import ROW_GAP
from ingest.reading_order import in_reading_order, on_one_row
from llm.training.sources import part_of, read_set

SETS = ("receipts", "forms", "printed contexts")
_RECEIPT_QUESTIONS = {
    "company": "Which company issued this?",
    "date": "What is the date?",
    "address": "What is the address?",
    "total": "What is the total?",
}
_ASKED_OF_A_PAGE = 3
_LABEL_CHARS = range(3, 31)
_PRINTED = "squadshifts-new_wiki"
_FONTS = ("helv", "tiro", "cour")
_DPI = 150


@dataclass(frozen=True, slots=True)
class Scan:
    """One page image. `true_text` is what stands on it, line by line."""

    kind: str
    name: str
    image: Callable[[], Image.Image]
    true_text: str
    questions: tuple[tuple[str, tuple[str, ...]], ...]  # each with the answers that count as right


def scans(data: Path, per_set: int, seed: int) -> Iterator[Scan]:
    """So many pages of each set, the same for a seed."""
    for kind, found in ((SETS[0], _receipts(data)), (SETS[1], _forms(data)), (SETS[2], _printed(data, seed))):
        asked = [scan for scan in found if scan.questions]
        yield from random.Random(f"{seed} {kind}").sample(asked, min(per_set, len(asked)))


def _receipts(data: Path) -> Iterator[Scan]:
    for path in sorted((data / "documents" / "receipts").glob("*.jpg")):
        with path.with_suffix(".box.csv").open(encoding="utf-8", errors="replace") as lines:
            rows = [row for row in csv.reader(lines) if len(row) > 8]
        boxes = [Box(float(row[0]), float(row[1]), float(row[4]), float(row[5])) for row in rows]
        keys = json.loads(path.with_suffix(".key.json").read_text(encoding="utf-8"))
        questions = tuple((text, (keys[key],)) for key, text in _RECEIPT_QUESTIONS.items() if keys.get(key))
        yield Scan(SETS[0], path.name, _opener(path), _text([",".join(row[8:]) for row in rows], boxes), questions)


def _forms(data: Path) -> Iterator[Scan]:
    folder = data / "documents" / "forms"
    for path in sorted((folder / "annotations").glob("*.json")):
        entries = {entry["id"]: entry for entry in json.loads(path.read_text(encoding="utf-8"))["form"]}
        questions = []
        for entry in entries.values():
            label = entry["text"].strip(" :.").strip()
            links = [answer for asked, answer in entry["linking"] if asked == entry["id"] and answer in entries]
            if entry["label"] != "question" or len(links) != 1 or len(label) not in _LABEL_CHARS:
                continue
            if answer := entries[links[0]]["text"].strip():
                questions.append((f"What is the {label}?", (answer,)))
        shown = [entry for entry in entries.values() if entry["text"].strip()]
        text = _text([entry["text"] for entry in shown], [Box(*map(float, entry["box"])) for entry in shown])
        image = folder / "images" / f"{path.stem}.png"
        yield Scan(SETS[1], image.name, _opener(image), text, tuple(questions[:_ASKED_OF_A_PAGE]))


def _printed(data: Path, seed: int) -> Iterator[Scan]:
    """Contexts that no training saw, set in columns of print."""
    rng = random.Random(f"{seed} print")
    for number, passage in enumerate(read_set(data / "qa", _PRINTED)):
        if part_of(passage.kind, passage.context) == "test" and passage.context.isascii():
            questions = tuple((each.text, each.answers) for each in passage.questions if each.answers)
            page = _Print(passage.context, rng.choice(_FONTS), rng.uniform(8, 12))
            yield Scan(SETS[2], f"page-{number}.png", page.image, passage.context, questions[:_ASKED_OF_A_PAGE])


@dataclass(frozen=True, slots=True)
class _Print:
    text: str
    font: str
    size_pt: float

    def image(self) -> Image.Image:
        with pymupdf.open() as document:  # type: ignore[no-untyped-call]
            page = document.new_page()
            column = pymupdf.Rect(60, 60, page.rect.width - 60, page.rect.height - 60)  # type: ignore[no-untyped-call]
            page.insert_textbox(column, self.text, fontname=self.font, fontsize=self.size_pt)
            pixels = page.get_pixmap(dpi=_DPI)
        return Image.frombytes("RGB", (pixels.width, pixels.height), pixels.samples)


def _opener(path: Path) -> Callable[[], Image.Image]:
    return lambda: Image.open(path).convert("RGB")


def _text(texts: Sequence[str], boxes: Sequence[Box]) -> str:
    """Lines as `ingest.ocr` puts recognised ones together."""
    order = in_reading_order(boxes)
    text = ""
    for before, index in zip([None, *order], order, strict=False):
        if before is not None:
            text += ROW_GAP if on_one_row(boxes[before], boxes[index]) else "\n"
        text += texts[index].strip()
    return text
