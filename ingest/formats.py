"""Which reader reads which file: by content first, by suffix second.

Owns the recognition of formats; opens regular files for their first bytes only (and the list of names of a zip).
The readers' packages are imported when a file of theirs is met, so that `import ingest` stays light.
"""

import importlib
import mimetypes
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ingest.document import Problem, Severity
from ingest.errors import UnreadableSource, UnsupportedSource
from ingest.reader import OnProgress, Reader

HEAD_BYTES = 8192
ARCHIVE, DOCUMENT = b"archive", b"document"
_CONTROLS = bytes({*range(1, 8), 11, *range(14, 27), *range(28, 32)})


@dataclass(frozen=True, slots=True)
class Format:
    """What a file is: its name for people, and where its reader is listed. An archive has no reader."""

    label: str
    package: str | None
    suffix: str

    @property
    def is_archive(self) -> bool:
        return self.package is None


ZIP, TAR = Format("a zip archive", None, ".zip"), Format("a tar archive", None, ".tar")
CODE, PLAIN = Format("code", "ingest.code", ""), Format("plain text", "ingest.text", ".txt")
_PDF = Format("a PDF", "ingest.pdf", ".pdf")
_MAGIC: tuple[tuple[int, bytes, Format], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", Format("a PNG image", "ingest.image", ".png")),
    (0, b"\xff\xd8\xff", Format("a JPEG image", "ingest.image", ".jpg")),
    (0, b"GIF8", Format("a GIF image", "ingest.image", ".gif")),
    (8, b"WEBP", Format("a WebP image", "ingest.image", ".webp")),
    (0, b"II*\x00", Format("a TIFF image", "ingest.image", ".tiff")),
    (0, b"MM\x00*", Format("a TIFF image", "ingest.image", ".tiff")),
    (0, b"II+\x00", Format("a TIFF image", "ingest.image", ".tiff")),
    (0, b"MM\x00+", Format("a TIFF image", "ingest.image", ".tiff")),
    (0, b"\x1f\x8b", TAR),
    (0, b"BZh", TAR),
    (0, b"\xfd7zXZ\x00", TAR),
    (257, b"ustar", TAR),
)
_BMP = Format("a BMP image", "ingest.image", ".bmp")
_UNSUPPORTED: tuple[tuple[int, bytes, str], ...] = (
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive; unpack it, or pack it again as zip"),
    (0, b"Rar!\x1a\x07", "a RAR archive; unpack it, or pack it again as zip"),
    (0, b"\x28\xb5\x2f\xfd", "packed with zstandard; unpack it, or pack it again as zip"),
    (4, b"ftypheic", "a HEIC photo; save it as JPEG or PNG"),
    (4, b"ftyp", "a video"),
    (0, b"\x7fELF", "a compiled program"),
    (0, b"MZ", "a compiled program"),
    (0, b"SQLite format 3\x00", "a SQLite database"),
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIPPED = {
    "application/epub+zip": Format("an EPUB book", "ingest.office", ".epub"),
    "application/vnd.oasis.opendocument.text": Format("an OpenDocument text", "ingest.office", ".odt"),
    "application/vnd.oasis.opendocument.spreadsheet": Format("an OpenDocument spreadsheet", "ingest.office", ".ods"),
    "application/vnd.oasis.opendocument.presentation": Format("an OpenDocument presentation", "ingest.office", ".odp"),
    "word/": Format("a Word document", "ingest.office", ".docx"),
    "ppt/": Format("a PowerPoint presentation", "ingest.office", ".pptx"),
    "xl/": Format("an Excel workbook", "ingest.office", ".xlsx"),
}
_OFFICE = {found.suffix: found for found in _ZIPPED.values()}
_CLAIMED = {".pdf": _PDF, **_OFFICE, **{found.suffix: found for _, _, found in _MAGIC if not found.is_archive}}


def detect(path: Path, name: str) -> Format:
    """The format of a regular file. Raises UnsupportedSource, UnreadableSource and OSError."""
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    suffix = PurePosixPath(name).suffix.lower()
    if not head:
        raise UnreadableSource(f"{name} is empty (0 bytes); hand over a file with content")
    if found := _by_magic(head, path, name, suffix):
        return found
    if is_text(head):
        return _text_format(name, suffix, head)
    if suffix in _CLAIMED:
        raise UnreadableSource(
            f"{name} is not {_CLAIMED[suffix].label}: its content is damaged, or of a format that no reader knows"
        )
    kind = mimetypes.guess_type(name)[0] or "unknown type"
    raise UnsupportedSource(f"{name} is binary data of {kind}, and no reader knows its format")


def sniff(path: Path, name: str, on_progress: OnProgress) -> bytes:
    """The task that the door runs in the child: ARCHIVE, or DOCUMENT for what has a reader. Raises as `detect`."""
    try:
        return ARCHIVE if detect(path, name).is_archive else DOCUMENT
    except OSError as error:
        raise UnreadableSource(f"{name} cannot be opened: {error.strerror}; check its permissions") from error


def reader_of(found: Format) -> Reader:
    """Raises UnsupportedSource for an archive, which is opened by the door and not by a reader."""
    if found.package is None:
        raise UnsupportedSource(f"{found.label} has no reader of its own; open it as a source")
    package = importlib.import_module(found.package)
    if found == CODE:
        reader: Reader = package.read_code
        return reader
    readers: Mapping[str, Reader] = package.SUFFIXES
    return readers[found.suffix]


def name_problem(found: Format, name: str) -> Problem | None:
    """A notice when the suffix promises another format than the content holds."""
    suffix = PurePosixPath(name).suffix.lower()
    claimed = _CLAIMED.get(suffix)
    same_family = claimed is not None and claimed.package == found.package != "ingest.office"
    if claimed is None or claimed == found or same_family:
        return None
    why = f"its name ends in {suffix}, but its content is {found.label}, and it was read as that"
    return Problem(name, None, "name does not fit the content", why, Severity.NOTICE)


def _by_magic(head: bytes, path: Path, name: str, suffix: str) -> Format | None:
    if b"%PDF-" in head:
        return _PDF if head.startswith(b"%PDF-") or not is_text(head) or suffix == ".pdf" else None
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_format(path, name)
    if head.startswith(b"{\\rtf"):
        raise UnsupportedSource(f"{name} is a rich text file; save it as .docx or PDF")
    if head.startswith(_OLE):
        return _ole_format(name, suffix)
    if head.startswith(b"BM") and not is_text(head):
        return _BMP
    for offset, magic, found in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return found
    for offset, magic, label in _UNSUPPORTED:
        if head[offset : offset + len(magic)] == magic and not is_text(head):
            raise UnsupportedSource(f"{name} is {label}")
    return None


def _ole_format(name: str, suffix: str) -> Format:
    """Office before 2007, or an encrypted file of today's office, which its own reader reports."""
    if suffix in _OFFICE:
        return _OFFICE[suffix]
    kind = {".doc": "Word", ".xls": "Excel", ".ppt": "PowerPoint", ".msg": "Outlook"}.get(suffix, "Office")
    raise UnsupportedSource(f"{name} is of the {kind} format from before 2007; save it as .docx, .xlsx, .pptx or PDF")


def _zip_format(path: Path, name: str) -> Format:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if "mimetype" in names and archive.getinfo("mimetype").file_size < 200:
                mime = archive.read("mimetype").decode("ascii", "replace").strip().removesuffix("-template")
                if mime in _ZIPPED:
                    return _ZIPPED[mime]
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise UnreadableSource(f"{name} is a damaged zip or office file ({error}); get it again") from error
    if "[Content_Types].xml" in names:
        for folder in ("word/", "ppt/", "xl/"):
            if any(member.startswith(folder) for member in names):
                return _ZIPPED[folder]
    return ZIP


def _text_format(name: str, suffix: str, head: bytes) -> Format:
    from ingest import code, text

    if suffix in code.SUFFIXES:
        return Format("a notebook", "ingest.code", suffix)
    if suffix in text.SUFFIXES:
        return Format(f"a {suffix[1:]} file", "ingest.text", suffix)
    start = head.lstrip()[:200].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return Format("an HTML page", "ingest.text", ".html")
    first_line = head.split(b"\n", 1)[0].decode("utf-8", "replace")
    return CODE if code.language_of(name, first_line) else PLAIN


def is_text(head: bytes) -> bool:
    """Whether the first bytes of a file look like text in any encoding: few control characters, no stray zeros."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff", b"\xef\xbb\xbf")):
        return True
    zeros = head.count(0)
    if zeros and not _is_utf16(head, zeros):
        return False
    return len(head) - len(head.translate(None, delete=_CONTROLS)) <= len(head) * 0.02


def _is_utf16(head: bytes, zeros: int) -> bool:
    """Without a byte order mark: nearly all zeros in the even places, or nearly all in the odd ones."""
    even = head[::2].count(0)
    return zeros > len(head) * 0.2 and max(even, zeros - even) > zeros * 0.95
