"""Office files that are old, encrypted, damaged or bombs end in one sentence each."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import docx
import pytest

from ingest.errors import PasswordRequired, SourceTooLarge, UnreadableSource, UnsupportedSource
from ingest.office import SUFFIXES
from ingest.office.package import OLE_MAGIC
from ingest.options import Limits, ReadOptions

EVERY = [".docx", ".pptx", ".xlsx", ".odt", ".ods", ".epub"]


def zipped(path: Path, parts: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize("suffix", EVERY)
@pytest.mark.parametrize(
    ("data", "error", "sentence"),
    [
        (b"", UnreadableSource, "is empty (0 bytes); hand over the document itself"),
        (b"just words", UnreadableSource, "is damaged, cut off, or not what its ending says"),
        (b"PK\x03\x04" + b"\0" * 60, UnreadableSource, "is damaged, cut off, or not what its ending says"),
        (OLE_MAGIC + b"\0" * 600, UnsupportedSource, "is in the office format of before 2007 (.doc, .xls, .ppt)"),
        (OLE_MAGIC + "EncryptedPackage".encode("utf-16-le"), PasswordRequired, "is encrypted with a password"),
    ],
    ids=["empty", "text", "cut off", "old", "encrypted"],
)
def test_no_office_file(
    tmp_path: Path, read: Callable, suffix: str, data: bytes, error: type[Exception], sentence: str
) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data)
    with pytest.raises(error) as caught:
        read(path)
    assert str(caught.value).startswith(f"a{suffix} {sentence}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", EVERY)
def test_a_zip_of_something_else(tmp_path: Path, read: Callable, suffix: str) -> None:
    with pytest.raises(UnreadableSource, match=rf"^a\{suffix} (could not be read as a|is no EPUB book)"):
        read(zipped(tmp_path / f"a{suffix}", {"hello.txt": b"hello"}))


def test_a_bomb_is_not_unpacked(tmp_path: Path, read: Callable) -> None:
    path = zipped(tmp_path / "a.docx", {"word/document.xml": b"\0" * 20_000_000})
    with pytest.raises(SourceTooLarge, match=r"^a\.docx unpacks \d+ bytes to 20000000; a factor of 200 is allowed"):
        read(path)


def test_limits_are_the_callers(tmp_path: Path, read: Callable) -> None:
    path = tmp_path / "a.docx"
    docx.Document().save(path)
    with pytest.raises(SourceTooLarge, match=r"^a\.docx unpacks to \d+ bytes; at most 1000 are allowed"):
        read(path, ReadOptions(limits=Limits(max_archive_bytes=1000)))
    with pytest.raises(SourceTooLarge, match=r"^a\.docx holds \d+ parts; at most 2 are unpacked"):
        read(path, ReadOptions(limits=Limits(max_archive_members=2)))


def test_an_encrypted_opendocument(tmp_path: Path, read: Callable) -> None:
    path = zipped(tmp_path / "a.odt", {"META-INF/manifest.xml": b"<manifest:encryption-data/>", "content.xml": b""})
    with pytest.raises(PasswordRequired, match=r"^a\.odt is encrypted with a password"):
        read(path)


def test_a_docx_cut_in_half(tmp_path: Path, read: Callable) -> None:
    path = tmp_path / "a.docx"
    docx.Document().save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnreadableSource, match=r"^a\.docx is damaged, cut off"):
        read(path)


def test_every_suffix_has_a_reader() -> None:
    assert set(EVERY) <= set(SUFFIXES)
