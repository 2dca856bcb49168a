"""`python -m llm.training.patches`: fits the projector that turns page images into patch tokens of the packaged model.

How probable each token is comes from the training texts (counts); how far to trust the words beside recognition, from
lines of the same texts that are set, printed to pixels, degraded and recognised again, so that their true text is
known. Development texts are rendered, so neither fit sees the test texts.
"""

import argparse
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pymupdf
from numpy.typing import NDArray
from PIL import Image
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from ingest.document import Doubt
from ingest.ocr import recognise
from llm.patches import FOLDER, save_projector, token_texts
from llm.training.forms import form_passage
from llm.training.sources import Part, read_sets
from vision import Projector, Vocabulary
from vision.degradation import LEVELS, degraded

_FONTS = ("helv", "hebo", "tiro", "tibo", "cour")  # built into PyMuPDF
_LINES = 36  # of a page
_DPI = 150
_UNSEEN = 0.05  # counts of a token that no text has
# Recognition is taken at its word: what a line reads depends on the quotient of both, and less sharp mixtures of the
# same reading are answered from worse (docs/LOG.md).
_SHARPNESS = 1.0
_PRIOR = (0.0, 0.1, 0.2, 0.3, 0.45, 0.6, 0.9)


@dataclass(frozen=True, slots=True)
class Printed:
    """A line as it was set, and as it was recognised from its pixels."""

    level: int  # of degradation
    true: str
    text: str
    doubts: tuple[Doubt, ...]


def main(argv: Sequence[str] | None = None) -> int:
    """Fits, tells the scores of every choice, and writes the file."""
    arguments = _parser().parse_args(argv)
    tokenizer = AutoTokenizer.from_pretrained(arguments.base)
    log_probability = token_log_probability(tokenizer, text_lines(arguments.data, "train", arguments.seed))
    vocabulary = Vocabulary(token_texts(tokenizer), log_probability)
    lines = text_lines(arguments.data, "dev", arguments.seed)
    printed = [line for level in LEVELS for line in printed_lines(lines, level, arguments.pages, arguments.seed)]
    best = fit(vocabulary, printed)
    save_projector(best, tokenizer, arguments.out)
    print(f"prior {best.prior}: {arguments.out}")
    return 0


def text_lines(data: Path, part: Part, seed: int) -> list[str]:
    """Every line of a part's texts, and of made-up forms, in random order."""
    rng = random.Random(f"{seed} {part}")
    lines = [
        line.strip()
        for passages in read_sets(data, part).values()
        for passage in passages
        for line in passage.context.splitlines()
    ]
    for _ in range(len(lines) // 80):
        lines += form_passage(rng).context.splitlines()
    lines = [line for line in lines if line]
    rng.shuffle(lines)
    return lines


def token_log_probability(tokenizer: PreTrainedTokenizerBase, lines: Sequence[str]) -> NDArray[np.float64]:
    """(V,): from how often each token occurs."""
    counts: Counter[int] = Counter()
    for start in range(0, len(lines), 1000):
        for ids in tokenizer(list(lines[start : start + 1000]), add_special_tokens=False).input_ids:
            counts.update(ids)
    frequency = np.array([counts[token_id] + _UNSEEN for token_id in range(len(tokenizer))])
    log_probability: NDArray[np.float64] = np.log(frequency / frequency.sum())
    return log_probability


def printed_lines(lines: Sequence[str], level: int, num_pages: int, seed: int) -> Iterator[Printed]:
    """Lines set on pages, degraded and recognised; those that recognition found as one line of about that length."""
    rng = random.Random(f"{seed} {level}")
    for number in range(num_pages):
        set_lines = [_piece(rng.choice(lines), rng) for _ in range(_LINES)]
        image = page_image(set_lines, rng.choice(_FONTS), rng.uniform(8, 13))
        page = degraded(image, level, seed + number)
        step = page.height / (_LINES + 1)
        found: dict[int, list[tuple[str, tuple[Doubt, ...]]]] = {}
        for line in recognise(page, find_rotation=False).lines:
            place = round((line.box.y0 + line.box.y1) / 2 / step) - 1
            found.setdefault(place, []).append((line.text, line.glyphs.doubts))
        for place, true in enumerate(set_lines):
            if len(found.get(place, [])) == 1 and abs(len(found[place][0][0]) - len(true)) <= 0.3 * len(true):
                yield Printed(level, true, *found[place][0])


def page_image(lines: Sequence[str], font: str, size_pt: float) -> Image.Image:
    """Lines at even distances on an A4 page of 150 dpi."""
    with pymupdf.open() as document:  # type: ignore[no-untyped-call]
        page = document.new_page()
        step = page.rect.height / (_LINES + 1)
        for number, line in enumerate(lines, 1):
            page.insert_text((40, number * step + size_pt / 3), line, fontname=font, fontsize=size_pt)
        pixels = page.get_pixmap(dpi=_DPI)
    return Image.frombytes("RGB", (pixels.width, pixels.height), pixels.samples)


def fit(vocabulary: Vocabulary, printed: Sequence[Printed]) -> Projector:
    """The choice with the fewest wrong words over all levels; tells them all."""
    total = sum(len(line.true.split()) for line in printed)
    plain = {level: _wrong_words(None, [line for line in printed if line.level == level]) for level in LEVELS}
    print(f"{len(printed)} lines, {total} words; wrong as recognised: {plain}")
    scores = {}
    for prior in _PRIOR:
        projector = Projector(vocabulary, _SHARPNESS, prior)
        wrong = {level: _wrong_words(projector, [line for line in printed if line.level == level]) for level in LEVELS}
        scores[projector] = sum(wrong.values())
        print(f"prior {prior}: {wrong}")
    return min(scores, key=lambda projector: scores[projector])


def _wrong_words(projector: Projector | None, printed: Sequence[Printed]) -> int:
    """Words of the true lines that are not among those read."""
    wrong = 0
    for line in printed:
        read = projector.seen(line.text, line.doubts).text if projector else line.text
        wrong += (Counter(line.true.split()) - Counter(read.split())).total()
    return wrong


def _piece(line: str, rng: random.Random) -> str:
    """Some words of a line, of characters that the built-in fonts have."""
    words = line.encode("latin-1", "ignore").decode("latin-1").split() or ["-"]
    start = rng.randrange(len(words))
    return " ".join(words[start : start + rng.randint(2, 12)])[:75]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m llm.training.patches", description="Fit the patch projector.")
    parser.add_argument("--data", type=Path, required=True, help="folder with the question sets (*.jsonl.gz)")
    parser.add_argument("--base", type=Path, required=True, help="folder with the backbone's tokenizer")
    parser.add_argument("--out", type=Path, default=FOLDER / "patches-smollm2.safetensors")
    parser.add_argument("--pages", type=int, default=12, help="pages to print for each level of degradation")
    parser.add_argument("--seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    sys.exit(main())
