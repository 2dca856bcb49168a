"""Cut leaves: in arrays what `cut` gave; on disk once; damaged, outdated or of another name never opened."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from ingest.document import Definition, Document, Heading, Kind, Page
from llm.evidence import cut_store
from llm.evidence.cut_store import CutStore
from llm.evidence.cutting import CutLeaf
from llm.evidence.lexical import terms
from llm.evidence.passages import cut

PAGES = tuple(
    Page(number, "\n\n".join(f"Paragraph {number}.{part}. " + "Some prose follows here. " * 20 for part in range(6)))
    for number in (1, 2, 3)
)
BOOK = Document("b" * 64, "Büch\nlein \ud800.txt", Kind.TEXT, pages=PAGES, headings=(Heading(1, "Part two", 2),))
CODE = Document(
    "c" * 64,
    "code.py",
    Kind.CODE,
    pages=(
        Page(1, "\n".join(f"def name_{number}(a):\n    return a + {number}  # {'x' * 250}" for number in range(9))),
    ),
    definitions=tuple(Definition(f"name_{number}", "function", 1 + 2 * number) for number in range(9)),
)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the documents that are cut."""
    names: list[str] = []
    real = CutLeaf.of

    def of(document: Document) -> CutLeaf:
        names.append(document.name)
        return real(document)

    monkeypatch.setattr(CutLeaf, "of", of)
    return names


@pytest.mark.parametrize("document", [BOOK, CODE], ids=["book", "code"])
def test_a_stored_leaf_is_what_cutting_gave(tmp_path: Path, document: Document, counted: list[str]) -> None:
    made, loaded = CutStore(tmp_path).cut(document), CutStore(tmp_path).cut(document)
    assert counted == [document.name]
    passages = list(cut(document))
    for leaf in (made, loaded):
        assert [leaf.passage(at) for at in range(len(leaf))] == passages
        assert [len(leaf.pieces_of(at)) > 0 for at in range(len(leaf))] == [True] * len(passages)
        assert leaf.piece_starts.tolist() == [leaf.pieces_of(at).start for at in range(len(leaf))]
        words = terms(passages[2].search_text(document.pages[passages[2].page_index]))
        rows = leaf.words.rows(words[0])
        at = leaf.words.passages[rows].tolist().index(2)
        assert leaf.words.counts[rows][at] == words.count(words[0])
        assert leaf.words.lengths[2] == len(words)
    assert made.piece_texts(document) == loaded.piece_texts(document)
    assert "".join(made.piece_texts(document)).replace(" ", "") == "".join(
        document.pages[passage.page_index].text[start:end] for passage in passages for start, end in passage.units
    ).replace(" ", "").replace("\n", "")


def test_another_name_heading_text_or_version_is_another_file(
    tmp_path: Path, counted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = CutStore(tmp_path)
    others = (
        BOOK,
        replace(BOOK, name="other.txt"),
        replace(BOOK, headings=()),
        replace(BOOK, pages=(*PAGES[:2], replace(PAGES[2], text=PAGES[2].text + " More."))),
    )
    for document in (*others, *others):
        assert store.cut(document).contexts[0].startswith(document.name)
    assert len(counted) == 4
    monkeypatch.setattr(cut_store, "_FORMAT", 999)
    store.cut(BOOK)
    assert len(counted) == 5
    assert store.bytes_of([BOOK.id]) == sum(path.stat().st_size for path in tmp_path.iterdir())
    assert store.forget(["a" * 64]) == 0
    assert store.forget([BOOK.id]) > 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["cut short", "flipped", "another's"])
def test_damage_is_noticed_and_mended(
    tmp_path: Path, counted: list[str], caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    store = CutStore(tmp_path)
    whole = store.cut(BOOK)
    (path,) = tmp_path.iterdir()
    content = bytearray(path.read_bytes())
    if damage == "another's":
        store.cut(CODE)
        (other,) = (one for one in tmp_path.iterdir() if one != path)
        content = bytearray(other.read_bytes())
    elif damage == "cut short":
        del content[-100:]
    else:
        content[-100] ^= 1
    path.write_bytes(content)
    counted.clear()
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(store.cut(BOOK).pieces, whole.pieces)
    assert "is cut into passages again" in caplog.text
    assert counted == [BOOK.name]
    store.cut(BOOK)
    assert counted == [BOOK.name]


def test_a_full_disk_keeps_nothing_and_harms_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cut_store, "save_file", full)
    assert len(CutStore(tmp_path).cut(BOOK)) > 4
    assert "are not kept: [Errno 28] No space left" in caplog.text


def test_a_short_leaf_is_not_kept(tmp_path: Path) -> None:
    store = CutStore(tmp_path)
    assert len(store.cut(replace(BOOK, pages=(Page(1, "One line."),)))) == 1
    assert list(tmp_path.iterdir()) == []


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    CutStore(tmp_path / "index").cut(BOOK)
    (path,) = (tmp_path / "index").iterdir()
    assert path.stat().st_mode & 0o077 == 0
    with safe_open(path, framework="numpy") as stored:
        assert set(stored.metadata()) == {"key", "crc32"}
