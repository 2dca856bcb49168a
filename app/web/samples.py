"""The sample documents that ship with Longleaf, and the questions that go with them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.web.texts import noted

SAMPLES_DIR = Path(__file__).parents[2] / "assets" / "samples"


@dataclass(frozen=True, slots=True)
class Sample:
    path: Path
    questions: tuple[str, ...]  # at least one

    @property
    def kind(self) -> str:
        """What it is, for a person who chooses one."""
        if self.path.is_dir() or self.path.suffix in (".zip", ".gz", ".tar"):
            return noted("Repository")
        if self.path.suffix in (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"):
            return noted("Scan")
        return noted("PDF") if self.path.suffix == ".pdf" else noted("Document")


def load_samples(folder: Path = SAMPLES_DIR) -> tuple[Sample, ...]:
    """In the order of `questions.json`; none where there is no such file. Missing samples are skipped."""
    listing = folder / "questions.json"
    if not listing.is_file():
        return ()
    questions: dict[str, list[str]] = {}
    for row in json.loads(listing.read_text(encoding="utf-8")):
        questions.setdefault(row["file"], []).append(row["question"])
    return tuple(Sample(folder / file, tuple(asked)) for file, asked in questions.items() if (folder / file).exists())


def questions_for(samples: Sequence[Sample], names: Sequence[str]) -> list[str]:
    """The ready questions of the one sample that is chosen; none when other documents are, or several."""
    if len(names) != 1:
        return []
    return [question for sample in samples if sample.path.name == names[0] for question in sample.questions]
