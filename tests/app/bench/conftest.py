"""A small data folder of made-up words in the layout of the real one, and a tiny random model that reads it."""

import gzip
import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from app.bench.corpus import QA_SETS
from app.bench.subject import Subject
from llm.backbone import Backbone, load_backbone
from tests.llm.conftest import write_tiny_checkpoint

_SYLLABLES = ("ba", "do", "ke", "li", "mu", "na", "po", "ri", "su", "ta", "ve", "zo")


def word(rng: random.Random) -> str:
    return "".join(rng.choices(_SYLLABLES, k=rng.randint(2, 4)))


def prose(rng: random.Random, num_sentences: int) -> str:
    sentences = (" ".join(word(rng) for _ in range(8)).capitalize() + "." for _ in range(num_sentences))
    return " ".join(sentences)


def write_data(folder: Path) -> Path:
    """Forty contexts a set, each with a question; three essays and a manual of 12,000 characters together."""
    rng = random.Random(1)
    (folder / "qa").mkdir(parents=True)
    for name in QA_SETS:
        with gzip.open(folder / "qa" / f"{name}.jsonl.gz", "wt", encoding="utf-8") as file:
            file.writelines(json.dumps(context(rng, number)) + "\n" for number in range(40))
    for kind, number in (("essays", 3), ("manuals", 1)):
        (folder / "documents" / kind).mkdir(parents=True)
        for index in range(number):
            path = folder / "documents" / kind / f"{index}.txt"
            path.write_text("\n\n".join(prose(rng, 5) for _ in range(15)), encoding="utf-8")
    return folder


def context(rng: random.Random, number: int) -> dict[str, object]:
    subject, answer = word(rng).capitalize(), word(rng)
    text = f"{prose(rng, 1)} The colour of {subject} is {answer}. {prose(rng, 1)}"
    asked = {"id": str(number), "question": f"What is the colour of {subject}?", "answers": [answer]}
    return {"context": text, "questions": [asked]}


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One token a character, 4,096 of them in its context."""
    return write_tiny_checkpoint(tmp_path_factory.mktemp("tiny"), context_tokens=4096)


@pytest.fixture(scope="session")
def tiny_backbone(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    cache_dir = tmp_path_factory.mktemp("cache")
    return load_backbone(str(tiny_checkpoint), cache_dir=cache_dir, dtype="float32", threads=1)


@pytest.fixture(autouse=True)
def few_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A random model never stops by itself."""
    for module in ("haystack", "needle", "million"):
        monkeypatch.setattr(f"app.bench.{module}.MAX_NEW_TOKENS", 4)


@pytest.fixture
def subject(tiny_backbone: Backbone, tmp_path: Path) -> Subject:
    return Subject(tiny_backbone, tmp_path / "state")


def silent(_: str) -> None:
    pass


def texts_of(pages: Sequence[str]) -> str:
    return " ".join(" ".join(pages).split())
