"""A small engine of plain Python behind the real service, and documents of plain text: no model, no torch."""

import json
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.service import Longleaf
from app.settings import Settings
from ingest.document import Document
from llm.answer import (
    Answer,
    Answered,
    AskOptions,
    Citation,
    Coverage,
    Event,
    EvidenceFound,
    ExpertUse,
    ModelName,
    ReadingProgress,
    TextDelta,
    Timing,
)
from llm.fitting import Memory


class FakeEngine:
    """Finds the first line that shares a long word with the question. What it "reads" is one file a document."""

    model = ModelName("fake", "r1")
    context_tokens = 1000
    exact_tokens = 900

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.calls: list[str] = []
        self.during_reading: Callable[[], object] = lambda: None
        self.expert_use: ExpertUse | None = None

    def memory(self, num_tokens: int) -> Memory | None:
        return Memory(1024 * num_tokens, 5 * 1024**3)

    def beside(self, state_dir: Path) -> "FakeEngine":
        return FakeEngine(state_dir)

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def _leaves(self, documents: Sequence[Document]) -> list[Document]:
        return [leaf for document in documents for leaf in document.leaves()]

    def _file(self, document_id: str) -> Path:
        folder = self.state_dir / "index"  # where a real index stands, so that it can be removed without an engine
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{document_id}.evidence.safetensors"

    def read(self, documents: Sequence[Document], cancel: threading.Event | None = None) -> Iterator[ReadingProgress]:
        leaves = self._leaves(documents)
        for done, leaf in enumerate(leaves, 1):
            if cancel is not None and cancel.is_set():
                return
            self.during_reading()
            if not self._file(leaf.id).exists():
                self.calls.append(f"read {leaf.name}")
                self._file(leaf.id).write_text(json.dumps([page.text for page in leaf.pages]), encoding="utf-8")
            yield ReadingProgress("read", done, len(leaves), "tokens", 1.0, 0.0)

    def prepare(
        self, documents: Sequence[Document], cancel: threading.Event | None = None
    ) -> Iterator[ReadingProgress]:
        return self.read(documents, cancel)

    def is_ready(self, documents: Sequence[Document]) -> bool:
        return self.is_read(documents)

    def is_read(self, documents: Sequence[Document]) -> bool:
        return all(self._file(leaf.id).exists() for leaf in self._leaves(documents))

    def tokens_read(self, documents: Sequence[Document]) -> int:
        read = [leaf for leaf in self._leaves(documents) if self._file(leaf.id).exists()]
        return sum(self.count_tokens(page.text) for leaf in read for page in leaf.pages)

    def ask(
        self,
        documents: Sequence[Document],
        question: str,
        options: AskOptions = AskOptions(),  # noqa: B008
        cancel: threading.Event | None = None,
    ) -> Iterator[Event]:
        self.calls.append(f"ask {question}")
        cited = self._cite(documents, question)
        yield EvidenceFound(tuple(cited))
        text = cited[0].quote if cited else "The documents do not say."
        for word in text.split(" "):
            yield TextDelta(word + " ")
        timing = Timing(0.1, 5, 0, 0.2, 0.3, 10.0, 20.0)
        yield Answered(
            Answer(question, text, bool(cited), tuple(cited), self.coverage(documents), timing, self.model, 0.9)
        )

    def _cite(self, documents: Sequence[Document], question: str) -> list[Citation]:
        words = {word.strip("?.").lower() for word in question.split() if len(word) > 4}
        for leaf in self._leaves(documents):
            for index, page in enumerate(leaf.pages):
                for line in page.text.splitlines():
                    if words & set(line.lower().rstrip(".").split()):
                        start = page.text.index(line)
                        place = page.place(start, start + len(line))
                        page_no = page.page_no if page.has_geometry else None
                        return [
                            Citation(
                                leaf.name, leaf.id, page_no, place.lines, place.box, line, True, index,
                                start, start + len(line), place.line_boxes,
                            )
                        ]  # fmt: skip
        return []

    def search(self, documents: Sequence[Document], query: str, limit: int) -> tuple[Citation, ...]:
        return tuple(self._cite(documents, query))[:limit]

    def coverage(self, documents: Sequence[Document]) -> Coverage:
        leaves = self._leaves(documents)
        pages = sum(len(leaf.pages) for leaf in leaves)
        tokens = sum(self.count_tokens(page.text) for leaf in leaves for page in leaf.pages)
        return Coverage(len(leaves), pages, pages, tokens, tokens)

    def forget(self, document_ids: Collection[str]) -> int:
        self.calls.append("forget")
        files = [self._file(document_id) for document_id in document_ids if self._file(document_id).exists()]
        removed_bytes = sum(file.stat().st_size for file in files)
        for file in files:
            file.unlink()
        return removed_bytes

    def stored_bytes(self, *document_ids: str) -> int:
        files = [self._file(document_id) for document_id in set(document_ids)]
        return sum(file.stat().st_size for file in files if file.exists())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "library", cache_dir=tmp_path / "cache")


@pytest.fixture
def engine(settings: Settings) -> FakeEngine:
    return FakeEngine(settings.data_dir / "state")


@pytest.fixture
def open_longleaf(engine: FakeEngine) -> Callable[..., Longleaf]:
    """`Longleaf` with the small engine instead of a model."""

    def opened(settings: Settings, **named: Any) -> Longleaf:
        def load(settings: Settings, on_text: object) -> Any:
            engine.state_dir.mkdir(parents=True, exist_ok=True)
            return engine

        return Longleaf(settings, load=load, **named)

    return opened


@pytest.fixture
def longleaf(open_longleaf: Callable[..., Longleaf], settings: Settings) -> Iterator[Longleaf]:
    opened = open_longleaf(settings)
    yield opened
    opened.close()


@pytest.fixture
def texts(tmp_path: Path) -> SimpleNamespace:
    """Two text files, and a folder that holds a copy of one of them and a code file."""
    folder = tmp_path / "given"
    (folder / "project").mkdir(parents=True)
    lease, notes = folder / "lease.txt", folder / "notes.txt"
    lease.write_text("The lease begins in March.\nThe rent is 900 crowns.\n", encoding="utf-8")
    notes.write_text("Call the plumber.\nThe password of the gate is Xylophone.\n", encoding="utf-8")
    (folder / "project" / "lease copy.txt").write_bytes(lease.read_bytes())
    (folder / "project" / "main.py").write_text("def start():\n    return 'engine'\n", encoding="utf-8")
    return SimpleNamespace(lease=lease, notes=notes, project=folder / "project")
