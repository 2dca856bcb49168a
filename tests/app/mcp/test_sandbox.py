"""What an assistant may reach, and what it is not even told about."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from app.errors import BadRequest, NotAllowed, NotInLibrary, SourceNotFound
from app.mcp.sandbox import Sandbox
from app.service import Longleaf


@pytest.fixture
def sandbox(longleaf: Longleaf, texts: SimpleNamespace) -> Sandbox:
    return Sandbox(longleaf, [texts.project])


def test_paths_inside_are_found_by_either_name(sandbox: Sandbox, texts: SimpleNamespace) -> None:
    assert sandbox.path("main.py") == sandbox.path(str(texts.project / "main.py")) == texts.project / "main.py"
    with pytest.raises(SourceNotFound, match=r"'nothing\.py' does not exist"):
        sandbox.path("nothing.py")


@pytest.mark.parametrize("outside", ["../lease.txt", "/etc/passwd", "../nothing.txt", "~root/x", "a\x00b", "/"])
def test_paths_outside_are_refused_alike_whether_they_exist_or_not(sandbox: Sandbox, outside: str) -> None:
    with pytest.raises(NotAllowed, match="is not below an allowed folder; allowed: "):
        sandbox.path(outside)


def test_a_link_counts_where_it_leads(sandbox: Sandbox, texts: SimpleNamespace, tmp_path: Path) -> None:
    (texts.project / "out.txt").symlink_to(texts.lease)
    (texts.project / "up").symlink_to(texts.project.parent)
    (texts.project / "in.txt").symlink_to(texts.project / "main.py")
    (texts.project / "loop").symlink_to(texts.project / "loop")
    for name in ("out.txt", "up", "up/lease.txt"):
        with pytest.raises(NotAllowed):
            sandbox.path(name)
    assert sandbox.path("in.txt") == texts.project / "main.py"
    names = {Path(file["path"]).name for file in sandbox.listing(".")}
    assert {"main.py", "lease copy.txt", "in.txt"} <= names
    assert not names & {"out.txt", "up"}


def test_documents_from_elsewhere_are_unknown(sandbox: Sandbox, longleaf: Longleaf, texts: SimpleNamespace) -> None:
    other = longleaf.add(texts.notes)
    assert sandbox.known(other.id) is None
    assert sandbox.documents() == []
    for document_id in (other.id, "0" * 64):
        with pytest.raises(NotInLibrary, match="was opened here; read or ask about it first"):
            sandbox.check_id(document_id)
    mine = longleaf.add(texts.project)
    sandbox.remember(texts.project, mine)
    assert [entry.id for entry in sandbox.documents()] == [mine.id]
    sandbox.check_id(next(leaf.id for leaf in longleaf.document(mine.id).leaves()))
    everything = Sandbox(longleaf, [], whole_library=True)
    assert everything.known("notes.txt") == other


def test_a_folder_that_holds_a_link_to_elsewhere_gives_nothing_of_it(
    longleaf: Longleaf, texts: SimpleNamespace
) -> None:
    (texts.project / "out.txt").symlink_to(texts.notes)
    (texts.project / "up").symlink_to(texts.project.parent)
    entry = longleaf.add(texts.project)
    text = "".join(page.text for leaf in longleaf.document(entry.id).leaves() for page in leaf.pages)
    assert "engine" in text
    assert "Xylophone" not in text


def test_something_must_be_allowed(longleaf: Longleaf, texts: SimpleNamespace) -> None:
    with pytest.raises(BadRequest, match="nothing was allowed; give --allow FOLDER"):
        Sandbox(longleaf, [])
    with pytest.raises(BadRequest, match=r"lease\.txt is no folder; allow folders that exist"):
        Sandbox(longleaf, [texts.lease])
