"""Deletion: nothing stays on the disk, what is shared stays for the others, and a kill in between is made up for."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.errors import NotInLibrary
from app.service import Longleaf
from app.settings import Settings


def files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def traces(folder: Path, text: bytes) -> list[str]:
    return [name for name in files_below(folder) if text in (folder / name).read_bytes()]


def test_a_deleted_document_leaves_no_trace(longleaf: Longleaf, texts: SimpleNamespace, settings: Settings) -> None:
    empty = set(files_below(settings.data_dir))
    entry = longleaf.add(texts.notes)
    list(longleaf.ask([entry.id], "What is the password?"))
    kv_bytes = longleaf.entry(entry.id).kv_bytes
    assert traces(settings.data_dir, b"Xylophone")
    receipt = longleaf.delete("notes.txt")
    assert (receipt.id, receipt.documents, receipt.originals, receipt.answers, receipt.kept) == (entry.id, 1, 1, 1, 0)
    assert receipt.original_bytes == texts.notes.stat().st_size
    assert receipt.reading_bytes == kv_bytes > 0
    assert receipt.parsed_bytes > 0
    assert longleaf.entries() == []
    assert set(files_below(settings.data_dir)) <= empty | {"reading.lock"}
    assert longleaf._library.catalogue.rows("PRAGMA freelist_count") == [(0,)]
    assert not traces(settings.data_dir, b"Xylophone")
    assert not traces(settings.data_dir, b"notes.txt")
    assert not traces(settings.data_dir, entry.id.encode())
    with pytest.raises(NotInLibrary, match="it may have been deleted"):
        longleaf.document(entry.id)
    with pytest.raises(NotInLibrary):
        longleaf.delete(entry.id)


def test_what_two_documents_share_goes_with_the_last(
    longleaf: Longleaf, texts: SimpleNamespace, settings: Settings
) -> None:
    lease, folder = longleaf.add(texts.lease), longleaf.add(texts.project)
    list(longleaf.read([lease.id, folder.id]))
    receipt = longleaf.delete(folder.id)
    assert receipt.kept == 1
    assert (settings.data_dir / "originals" / f"{lease.id}.txt").exists()
    assert longleaf.document(lease.id).pages
    assert longleaf.entry(lease.id).is_read
    longleaf.delete(lease.id)
    assert not list((settings.data_dir / "originals").iterdir())
    assert not list((settings.data_dir / "state" / "index").iterdir())


def test_a_member_cannot_be_deleted_alone(longleaf: Longleaf, texts: SimpleNamespace) -> None:
    folder = longleaf.add(texts.project)
    member = next(longleaf.document(folder.id).leaves())
    with pytest.raises(NotInLibrary, match="is part of project; only the whole of that can be deleted"):
        longleaf.delete(member.id)


def test_an_answer_about_two_documents_goes_with_either(longleaf: Longleaf, texts: SimpleNamespace) -> None:
    lease, notes = longleaf.add(texts.lease), longleaf.add(texts.notes)
    list(longleaf.ask([lease.id, notes.id], "What is the password?"))
    assert longleaf.delete(notes.id).answers == 1
    assert longleaf.answers([lease.id, notes.id]) == []


def test_a_deletion_cut_short_is_finished_later(
    longleaf: Longleaf,
    texts: SimpleNamespace,
    engine: Any,
    settings: Settings,
    open_longleaf: Callable[..., Longleaf],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lease, notes = longleaf.add(texts.lease), longleaf.add(texts.notes)
    list(longleaf.read([lease.id, notes.id]))

    def killed(document_ids: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(engine, "forget", killed)
        with pytest.raises(KeyboardInterrupt):
            longleaf.delete(notes.id)
    longleaf.close()
    reopened = open_longleaf(settings)
    assert [entry.id for entry in reopened.entries()] == [lease.id]
    assert len(list((settings.data_dir / "originals").iterdir())) == 1
    assert len(list((settings.data_dir / "state" / "index").iterdir())) == 2
    reopened.engine()
    assert [file.name for file in (settings.data_dir / "state" / "index").iterdir()] == [
        f"{lease.id}.evidence.safetensors"
    ]
    reopened.close()


def test_deleting_what_was_never_read_needs_no_model(longleaf: Longleaf, texts: SimpleNamespace, engine: Any) -> None:
    longleaf.delete(longleaf.add(texts.lease).id)
    assert engine.calls == []
