"""Sharing with everybody on a server: by explicit choice, as a copy, and withdrawn with its original."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

from app.errors import BadRequest
from app.people import SharedShelf
from app.service import Longleaf
from app.service.sharing import Sharing
from app.settings import Settings
from app.web.library import LibraryPanel
from app.web.services import Services
from app.web.state import Ask, Shelf, View
from tests.app.web.test_panels import click, settled


@pytest.fixture
def shelf(tmp_path: Path) -> SharedShelf:
    return SharedShelf(tmp_path / "shared")


@pytest.fixture
def hers(open_longleaf: Callable[..., Longleaf], settings: Settings, shelf: SharedShelf) -> Iterator[Longleaf]:
    """Ada's library, which shares."""
    with closing(open_longleaf(settings, watchers=[Sharing(shelf, "a1", "ada")])) as opened:
        yield opened


@pytest.fixture
def his(services: Services, shelf: SharedShelf) -> Services:
    """Bert's page."""
    return replace(services, sharing=Sharing(shelf, "b2", "bert"))


@pytest.fixture
def library(his: Services) -> Iterator[LibraryPanel]:
    with gr.Blocks(analytics_enabled=False):
        yield LibraryPanel(his)


def test_a_folder_is_shared_taken_and_the_same_document(
    hers: Longleaf, shelf: SharedShelf, tmp_path: Path, texts: SimpleNamespace, open_longleaf: Callable[..., Longleaf]
) -> None:
    entry = hers.add(texts.project)
    ours = Sharing(shelf, "a1", "ada")
    shared = ours.share(entry, hers.files(entry.id), "  Our   code ")
    assert (shared.collection, shared.by, shared.name) == ("Our code", "ada", "project")
    source, name = Sharing(shelf, "b2", "bert").source(shared.id)
    with closing(open_longleaf(Settings(data_dir=tmp_path / "other"))) as other:
        assert other.add(source, name=name).id == entry.id
    hers.delete(entry.id)
    assert shelf.all() == []
    with pytest.raises(BadRequest, match="not shared any more"):
        ours.source(shared.id)


def test_the_page_shares_lists_and_takes(his: Services, library: LibraryPanel, texts: SimpleNamespace) -> None:
    assert his.sharing is not None
    entry = his.longleaf.add(texts.lease)
    chosen = (entry.id,)
    shelf_state = library.act(click("share", entry.id), chosen, Shelf(), View())[4]
    documents, *_, shared = library.act(click("share-in", entry.id, value="<b>Leases"), chosen, shelf_state, View())
    assert "shared in &lt;b&gt;Leases" in documents
    assert shared == ""  # one's own is not among what others share
    others = replace(his, sharing=Sharing(his.sharing._shelf, "c3", "cleo"))
    with gr.Blocks(analytics_enabled=False):
        hers = LibraryPanel(others)
    shown = hers.refresh((), Shelf(), Ask())[-1]
    assert "&lt;b&gt;Leases" in shown
    assert "in your library" in shown
    (one,) = his.sharing.own()
    assert "only who shares a document can withdraw it" in hers.act(click("withdraw", one.id), (), Shelf(), View())[2]
    library.act(click("withdraw", one.id), chosen, Shelf(), View())
    assert his.sharing.own() == []
    assert "not shared any more" in hers.act(click("take", one.id), (), Shelf(), View())[2]


def test_what_is_taken_becomes_a_document_of_ones_own(
    his: Services, library: LibraryPanel, shelf: SharedShelf, texts: SimpleNamespace
) -> None:
    shared = shelf.share("a1", "ada", "d" * 64, "lease.txt", "Leases", {"lease.txt": texts.lease})
    after = library.act(click("take", shared.id), (), Shelf(), View())[4]
    assert after.fresh
    settled(his)
    shelf.forget("a1")
    assert [entry.name for entry in his.longleaf.entries()] == ["lease.txt"]


@pytest.mark.parametrize("name", ["../x.txt", "/etc/../../x", ""])
def test_no_path_leaves_the_shelf(shelf: SharedShelf, texts: SimpleNamespace, tmp_path: Path, name: str) -> None:
    with pytest.raises(BadRequest):
        shelf.share("a1", "ada", "d", "x", "c", {name: texts.lease})
    assert sorted(path.name for path in (tmp_path / "shared").iterdir()) == []


def test_where_nobody_else_is_nothing_can_be_shared(services: Services, texts: SimpleNamespace) -> None:
    with gr.Blocks(analytics_enabled=False):
        alone = LibraryPanel(services)
    entry = services.longleaf.add(texts.lease)
    assert "nobody here to share with" in alone.act(click("share-in", entry.id, value="x"), (), Shelf(), View())[2]
    assert "Share" not in alone.refresh((entry.id,), Shelf(), Ask())[0]
