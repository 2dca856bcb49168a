"""The zip that an office file is: checked before a library unpacks it. Owns what all office readers share at their
border: refusing what is old, encrypted, damaged or a bomb, and turning a library's failure into one sentence.
"""

import functools
import io
import logging
import zipfile
import zlib
from pathlib import Path, PurePath
from typing import IO

from ingest.document import Document, Problem
from ingest.errors import IngestError, PasswordRequired, SourceTooLarge, UnreadableSource, UnsupportedSource
from ingest.options import MIB, Limits, ReadOptions
from ingest.reader import OnProgress, Reader, SourceFile

CONTENT_TYPES = "[Content_Types].xml"
OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")  # the name of the stream that holds the encrypted zip
log = logging.getLogger(__name__)


def office_reader(reader: Reader) -> Reader:
    """The reader behind the checks of `check_package`; whatever its library raises comes out as UnreadableSource."""

    @functools.wraps(reader)
    def checked(file: SourceFile, options: ReadOptions, on_progress: OnProgress) -> tuple[Document, list[Problem]]:
        check_package(file, options.limits)
        try:
            return reader(file, options, on_progress)
        except IngestError:
            raise
        except MemoryError:
            raise  # the child process dies of it, and its parent says so
        except Exception as error:
            log.exception("reading %s", file.name)
            kind = PurePath(file.name).suffix.lstrip(".") or "office"
            raise UnreadableSource(
                f"{file.name} could not be read as a {kind} file ({type(error).__name__}: {error}); open it in an "
                "office program and save it anew"
            ) from error

    return checked


def check_package(file: SourceFile, limits: Limits) -> None:
    """Raises the error that fits when the file is no zip that may be unpacked."""
    with file.path.open("rb") as stream:
        magic = stream.read(len(OLE_MAGIC))
    if not magic:
        raise UnreadableSource(f"{file.name} is empty (0 bytes); hand over the document itself")
    if magic == OLE_MAGIC:
        raise _old_or_encrypted(file)
    try:
        with zipfile.ZipFile(file.path) as archive:
            members = archive.infolist()
            _check_members(file.name, members, limits)
            manifest = archive.read("META-INF/manifest.xml") if "META-INF/manifest.xml" in archive.namelist() else b""
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise UnreadableSource(
            f"{file.name} is damaged, cut off, or not what its ending says ({error}); get it again"
        ) from error
    if b"encryption-data" in manifest:
        raise _encrypted(file)


def as_content_type(path: Path, main_type: str, others: tuple[str, ...]) -> IO[bytes]:
    """The package with its main part declared as `main_type`: libraries refuse templates, slide shows and files with
    macros, whose text parts are the same. The macros are not run, here or anywhere."""
    plain = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(plain, "w", zipfile.ZIP_DEFLATED) as new:
        types = old.read(CONTENT_TYPES)
        if not any(other.encode() in types for other in others):
            return path.open("rb")
        for other in others:
            types = types.replace(other.encode(), main_type.encode())
        for member in old.infolist():
            new.writestr(member, types if member.filename == CONTENT_TYPES else old.read(member))
    plain.seek(0)
    return plain


def _check_members(name: str, members: list[zipfile.ZipInfo], limits: Limits) -> None:
    if len(members) > limits.max_archive_members:
        raise SourceTooLarge(
            f"{name} holds {len(members)} parts; at most {limits.max_archive_members} are unpacked: save it anew"
        )
    unpacked = sum(member.file_size for member in members)
    if unpacked > limits.max_archive_bytes:
        raise SourceTooLarge(
            f"{name} unpacks to {unpacked} bytes; at most {limits.max_archive_bytes} are allowed: split it"
        )
    for member in members:
        if member.flag_bits & 1:
            raise PasswordRequired(f"{name} is encrypted, which is not opened here; save a copy without password")
        if member.file_size > MIB and member.file_size > limits.max_expansion * max(1, member.compress_size):
            raise SourceTooLarge(
                f"{name} unpacks {member.compress_size} bytes to {member.file_size}; a factor of "
                f"{limits.max_expansion} is allowed: it looks like a decompression bomb, save it anew if it is not"
            )


def _old_or_encrypted(file: SourceFile) -> IngestError:
    if ENCRYPTED_STREAM in file.path.read_bytes():
        return _encrypted(file)
    return UnsupportedSource(
        f"{file.name} is in the office format of before 2007 (.doc, .xls, .ppt), which is not read; save it as .docx, "
        ".xlsx, .pptx or PDF"
    )


def _encrypted(file: SourceFile) -> PasswordRequired:
    return PasswordRequired(
        f"{file.name} is encrypted with a password, and encrypted office files are not opened here; save a copy "
        "without password, or as PDF"
    )
