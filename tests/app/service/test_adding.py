"""Sources into the library: once, under the person's own name, private, and whole after a kill."""

import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

import app.service.library
from app.errors import BadRequest, NotInLibrary, OriginalMissing, SourceNotFound
from app.service import Longleaf
from app.service.originals import Originals
from app.settings import Settings
from ingest.document import Kind
from ingest.errors import PasswordRequired
from ingest.options import PageRange, ReadOptions


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were really parsed."""
    names: list[str] = []
    real = app.service.library.read_file

    def watched(file, options, on_progress):  # type: ignore[no-untyped-def]
        names.append(file.name)
        return real(file, options, on_progress)

    monkeypatch.setattr(app.service.library, "read_file", watched)
    return names


def test_a_file_is_parsed_once(longleaf: Longleaf, texts: SimpleNamespace, parsed: list[str]) -> None:
    first = longleaf.add(texts.lease)
    again = longleaf.add(texts.lease)
    assert (first.name, first.kind, first.pages, first.is_read, first.tokens) == (
        "lease.txt",
        Kind.TEXT,
        1,
        False,
        None,
    )
    assert again == first
    assert parsed == ["lease.txt"]
    assert longleaf.document(first.id).pages[0].text.startswith("The lease begins")


def test_a_file_of_a_folder_that_is_known_is_not_parsed_again(
    longleaf: Longleaf, texts: SimpleNamespace, parsed: list[str]
) -> None:
    longleaf.add(texts.lease)
    folder = longleaf.add(texts.project)
    assert sorted(parsed) == ["lease.txt", "main.py"]
    names = [leaf.name for leaf in longleaf.document(folder.id).leaves()]
    assert "lease copy.txt" in names
    assert "main.py" in names


def test_a_document_comes_back_as_it_was(longleaf: Longleaf, texts: SimpleNamespace, tmp_path: Path) -> None:
    entry = longleaf.add(texts.project)
    stored = longleaf.document(entry.id)
    longleaf.close()
    reopened = Longleaf(longleaf.settings)
    assert reopened.document(entry.id) == stored
    reopened.close()


def test_other_pages_are_another_reading(longleaf: Longleaf, texts: SimpleNamespace, parsed: list[str]) -> None:
    whole = longleaf.add(texts.lease)
    part = longleaf.add(texts.lease, options=ReadOptions(pages=PageRange.parse("1")))
    assert part.id == whole.id
    assert parsed == ["lease.txt", "lease.txt"]
    assert [entry.id for entry in longleaf.entries()] == [whole.id]


def test_the_same_bytes_go_by_the_last_name_given(
    longleaf: Longleaf, texts: SimpleNamespace, parsed: list[str]
) -> None:
    first = longleaf.add(texts.lease)
    assert longleaf.document(first.id).name == "lease.txt"
    second = longleaf.add(texts.lease, name="rental.txt")
    assert (second.id, second.name, len(parsed)) == (first.id, "rental.txt", 1)
    assert longleaf.document(first.id).name == "rental.txt"


def test_copies_are_private_and_keep_their_ending(longleaf: Longleaf, texts: SimpleNamespace) -> None:
    texts.lease.chmod(0o644)
    entry = longleaf.add(texts.lease)
    copy = longleaf.settings.data_dir / "originals" / f"{entry.id}.txt"
    assert copy.read_bytes() == texts.lease.read_bytes()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert stat.S_IMODE(texts.lease.stat().st_mode) == 0o644
    for folder in (longleaf.settings.data_dir, copy.parent, longleaf.settings.data_dir / "state"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not any((longleaf.settings.data_dir / "work").iterdir())


def test_a_source_that_changes_while_it_is_copied_is_refused(
    longleaf: Longleaf, texts: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = app.service.library.read_file

    def slow(file, options, on_progress):  # type: ignore[no-untyped-def]
        document = real(file, options, on_progress)
        file.path.write_text("something else", encoding="utf-8")
        return document

    monkeypatch.setattr(app.service.library, "read_file", slow)
    with pytest.raises(OriginalMissing, match=r"lease\.txt changed while it was being read; hand it over again"):
        longleaf.add(texts.lease)
    assert longleaf.entries() == []
    assert not any((longleaf.settings.data_dir / "originals").iterdir())


def test_what_a_kill_leaves_behind_is_swept_up(
    longleaf: Longleaf, texts: SimpleNamespace, open_longleaf: Callable[..., Longleaf], settings: Settings
) -> None:
    entry = longleaf.add(texts.lease)
    (settings.data_dir / "originals" / ("0" * 64 + ".pdf")).write_bytes(b"renamed, but never catalogued")
    dead = settings.data_dir / "work" / f"{os.getpid()}-1-abc"  # this pid, but a process that began at another time
    dead.mkdir()
    (dead / "part").write_bytes(b"half")
    with Originals(settings.data_dir / "originals", settings.data_dir / "work").scratch() as alive:
        other = open_longleaf(settings)
        assert alive.is_dir()
    assert [file.name for file in (settings.data_dir / "originals").iterdir()] == [f"{entry.id}.txt"]
    assert not dead.exists()
    assert [each.id for each in other.entries()] == [entry.id]
    other.close()


def test_a_failure_inside_the_last_step_leaves_nothing(
    longleaf: Longleaf, texts: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("killed here")

    monkeypatch.setattr("app.service.catalogue.Catalogue._remove_unreached", fails)
    with pytest.raises(RuntimeError, match="killed here"):
        longleaf.add(texts.project)
    assert longleaf.entries() == []
    monkeypatch.undo()
    assert longleaf.add(texts.project).pages == 3


def test_two_processes_share_a_library(
    longleaf: Longleaf, texts: SimpleNamespace, open_longleaf: Callable[..., Longleaf], settings: Settings
) -> None:
    other = open_longleaf(settings)
    mine, theirs = longleaf.add(texts.lease), other.add(texts.notes)
    assert [entry.id for entry in longleaf.entries()] == [entry.id for entry in other.entries()] == [mine.id, theirs.id]
    other.close()


def test_entries_are_found_by_id_prefix_and_name(longleaf: Longleaf, texts: SimpleNamespace) -> None:
    lease, notes = longleaf.add(texts.lease), longleaf.add(texts.notes, name="lease.txt")
    assert longleaf.entry(lease.id) == lease
    assert longleaf.entry(notes.id[:8].upper()) == notes
    with pytest.raises(NotInLibrary, match=r"'lease\.txt' stands for 2 documents of the library; name one by its id: "):
        longleaf.entry("lease.txt")
    with pytest.raises(NotInLibrary, match="the library has no document 'deed'; `library list` shows the 2 it has"):
        longleaf.entry("deed")


def test_wrong_requests_are_named(longleaf: Longleaf, texts: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match=r"nowhere\.pdf does not exist; give the path of a file or folder"):
        longleaf.add(tmp_path / "nowhere.pdf")
    entry = longleaf.add(texts.lease)
    with pytest.raises(BadRequest, match=r"lease\.txt has no page index 7; it has 1 page"):
        longleaf.page_image(entry.id, 7)
    with pytest.raises(BadRequest, match=r"lease\.txt has no page images; it is a text document, shown as text"):
        longleaf.page_image(entry.id, 0)
    with pytest.raises(BadRequest, match="no document was named"):
        longleaf.read([])


def test_an_older_format_is_read_again(
    longleaf: Longleaf,
    texts: SimpleNamespace,
    parsed: list[str],
    open_longleaf: Callable[..., Longleaf],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lone, folder = longleaf.add(texts.notes), longleaf.add(texts.project)
    monkeypatch.setattr("ingest.serial.FORMAT", 99)
    longleaf.close()
    reopened = open_longleaf(longleaf.settings)
    parsed.clear()
    assert reopened.document(lone.id).pages[0].text.startswith("Call the plumber")
    assert parsed == ["notes.txt"]
    with pytest.raises(
        NotInLibrary, match="project was read by an older Longleaf in another format; hand it over again"
    ):
        reopened.document(folder.id)
    assert reopened.add(texts.project) == replace(folder, added_at=reopened.entry(folder.id).added_at)
    assert sorted(parsed) == ["lease copy.txt", "main.py", "notes.txt"]
    reopened.close()


def encrypted_pdf(path: Path) -> Path:
    import pymupdf

    document = pymupdf.open()
    document.new_page().insert_text((72, 72), "The vault code is Marzipan.")
    document.save(path, encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="sesame", owner_pw="sesame")
    document.close()
    return path


def test_a_password_is_never_stored(longleaf: Longleaf, tmp_path: Path) -> None:
    source = encrypted_pdf(tmp_path / "vault.pdf")
    with pytest.raises(PasswordRequired, match=r"vault\.pdf"):
        longleaf.add(source)
    entry = longleaf.add(source, options=ReadOptions(password="sesame"))
    assert longleaf.page_image(entry.id, 0).startswith(b"\x89PNG")
    longleaf.close()
    assert all(b"sesame" not in file.read_bytes() for file in longleaf.settings.data_dir.rglob("*") if file.is_file())
    reopened = Longleaf(longleaf.settings)
    assert "Marzipan" in reopened.document(entry.id).pages[0].text
    with pytest.raises(PasswordRequired):
        reopened.page_image(entry.id, 0)
    reopened.close()
