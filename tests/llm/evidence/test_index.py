"""The store: what was embedded stays, is not embedded again, and is refused when it belongs to something else."""

from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
import torch
from safetensors.torch import load_file, save_file

from ingest.document import Document, Kind, Page
from llm.errors import SnapshotRefused
from llm.evidence import index as index_module
from llm.evidence.cutting import CutLeaf
from llm.evidence.index import EvidenceStore

PAGE = Page(
    1, " ".join(f"This is sentence number {number}, and it is long enough to stand alone." for number in range(700))
)
DOCUMENT = Document("a" * 64, "long.txt", Kind.TEXT, pages=(PAGE,))
TEXTS = CutLeaf.of(DOCUMENT).piece_texts(DOCUMENT)


def evidence_file(folder: Path) -> Path:
    return folder / f"{DOCUMENT.id}.evidence.safetensors"


def test_a_built_index_loads_and_is_not_built_again(tmp_path: Path, words) -> None:
    store = EvidenceStore(tmp_path, words)
    seen: list[tuple[int, int]] = []
    assert not store.is_built(DOCUMENT)
    assert store.build(DOCUMENT, lambda done, total: seen.append((done, total)))
    assert store.is_built(DOCUMENT)
    assert seen[-1] == (700, 700)
    assert words.texts == TEXTS
    index = EvidenceStore(tmp_path, words).load(DOCUMENT)
    torch.testing.assert_close(index.vectors[5].float(), words.embed([TEXTS[5]])[0], atol=1e-3, rtol=0)
    assert [at for passage in range(len(index.cut)) for at in index.cut.pieces_of(passage)] == list(range(700))
    embedded = len(words.texts)
    assert store.build(DOCUMENT)
    assert len(words.texts) == embedded


def test_a_stopped_build_goes_on_where_it_stopped(tmp_path: Path, words) -> None:
    store = EvidenceStore(tmp_path, words)
    words.stop_after = 256
    assert not store.build(DOCUMENT)
    assert not store.is_built(DOCUMENT)
    with pytest.raises(SnapshotRefused, match=r"700 pieces and 256 vectors"):
        store.load(DOCUMENT)
    words.stop_after = None
    assert store.build(DOCUMENT)
    assert words.texts == TEXTS


def test_a_kill_loses_what_was_not_committed_and_no_more(
    tmp_path: Path, words, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "_COMMIT_S", 0.0)
    store = EvidenceStore(tmp_path, words)

    def killed(done: int, total: int) -> None:
        if done > 512:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.build(DOCUMENT, killed)
    (tmp_path / f"{DOCUMENT.id}.evidence.writing").write_bytes(b"half a file")
    words.texts.clear()
    assert store.build(DOCUMENT)
    assert words.texts == TEXTS[512:]


def test_cancelled_before_it_began(tmp_path: Path, words) -> None:
    cancel = Event()
    cancel.set()
    assert not EvidenceStore(tmp_path, words).build(DOCUMENT, cancel=cancel)


def test_other_embedder_text_or_format_is_refused_with_names(tmp_path: Path, words, monkeypatch) -> None:
    store = EvidenceStore(tmp_path, words)
    store.build(DOCUMENT)
    other_text = replace(DOCUMENT, pages=(Page(1, PAGE.text.replace("700", "x") + " More."),))
    with pytest.raises(SnapshotRefused, match="made with text_sha256"):
        store.load(other_text)
    monkeypatch.setattr(index_module, "FORMAT", 999)
    with pytest.raises(SnapshotRefused, match=r"long.txt was made with format 2; needed is format 999"):
        store.load(DOCUMENT)
    monkeypatch.undo()
    words.identity = "better words"
    with pytest.raises(SnapshotRefused, match=r"made with embedder words; needed is .*embedder better words"):
        store.load(DOCUMENT)
    assert store.build(DOCUMENT)  # what is refused is made anew
    assert store.is_built(DOCUMENT)


def test_damaged_or_missing_files_are_refused(tmp_path: Path, words) -> None:
    store = EvidenceStore(tmp_path, words)
    with pytest.raises(SnapshotRefused, match=r"index of long.txt cannot be read"):
        store.load(DOCUMENT)
    store.build(DOCUMENT)
    path = evidence_file(tmp_path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(SnapshotRefused, match=r"cannot be read .*read it again"):
        store.load(DOCUMENT)
    save_file({"vectors": torch.zeros(3, 384)}, path)
    with pytest.raises(SnapshotRefused, match="made with format None"):
        store.load(DOCUMENT)


def test_forget_removes_every_trace_and_counts_it(tmp_path: Path, words) -> None:
    store = EvidenceStore(tmp_path, words)
    store.build(DOCUMENT)
    size = store.bytes_of([DOCUMENT.id])
    assert size == sum(path.stat().st_size for path in tmp_path.iterdir())
    assert evidence_file(tmp_path).stat().st_size > 700 * 384 * 2
    assert store.bytes_of(["b" * 64]) == 0
    assert store.forget([DOCUMENT.id, "b" * 64]) == size
    assert list(tmp_path.iterdir()) == []


def test_a_document_without_text_has_an_empty_index(tmp_path: Path, words) -> None:
    store = EvidenceStore(tmp_path, words)
    empty = replace(DOCUMENT, pages=(Page(1, ""),))
    assert store.build(empty)
    assert store.is_built(empty)
    assert len(store.load(empty).cut) == 0


def test_vectors_are_half_precision_on_disk(tmp_path: Path, words) -> None:
    EvidenceStore(tmp_path, words).build(DOCUMENT)
    assert load_file(evidence_file(tmp_path))["vectors"].dtype is torch.float16
