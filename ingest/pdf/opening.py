"""Opening a PDF file: is it one, can it be decrypted, how many pages, does a stream explode.

Owns every refusal of a file as a whole; reads no page. MuPDF's own messages stay off standard error while a file is
open. Nothing is written.
"""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymupdf

from ingest.errors import PasswordRequired, SourceTooLarge, UnreadableSource
from ingest.options import MIB, Limits

HEADER_BYTES = 1024  # the specification lets that much stand before "%PDF-" (ISO 32000-1, annex H.3.4.1)
FLATE_MAX_RATIO = 1032  # deflate cannot expand further (zlib's technical notes)
STREAM_ALLOWANCE_BYTES = 64 * MIB  # streams that stay below it are never a bomb
DAMAGE = (pymupdf.mupdf.FzErrorBase, RuntimeError, ValueError)  # what MuPDF raises for a file's faults


@contextmanager
def opened_pdf(path: Path, name: str, password: str | None, limits: Limits) -> Iterator[Any]:
    """The open `pymupdf.Document`. Raises UnreadableSource, PasswordRequired or SourceTooLarge, each one sentence."""
    _refuse_other_formats(path, name)
    with _quiet_mupdf():
        document = _open(path, name)
        try:
            _unlock(document, name, password)
            _check_pages(document, name, limits)
            _refuse_bombs(document, name, limits)
            yield document
        finally:
            document.close()


@contextmanager
def _quiet_mupdf() -> Iterator[None]:
    """MuPDF's warnings and errors are kept in its own buffer instead of being printed."""
    tools: Any = pymupdf.TOOLS
    errors, warnings = tools.mupdf_display_errors(), tools.mupdf_display_warnings()
    tools.mupdf_display_errors(False)
    tools.mupdf_display_warnings(False)
    try:
        yield
    finally:
        tools.mupdf_display_errors(errors)
        tools.mupdf_display_warnings(warnings)
        tools.reset_mupdf_warnings()


def fault_since_last_asked() -> str | None:
    """The first error that MuPDF met and worked around since the last call, in its own words."""
    tools: Any = pymupdf.TOOLS
    messages: str = tools.mupdf_warnings(reset=True)
    return next((" ".join(line.split()) for line in messages.splitlines() if "error" in line), None)


def _refuse_other_formats(path: Path, name: str) -> None:
    with path.open("rb") as stream:
        start = stream.read(HEADER_BYTES)
    if not start:
        raise UnreadableSource(f"{name} is empty (0 bytes); hand over a PDF file with content")
    if b"%PDF-" not in start:
        raise UnreadableSource(
            f"{name} is not a PDF file: it begins with {start[:8]!r} instead of %PDF-; check its extension"
        )


def _open(path: Path, name: str) -> Any:
    try:
        return pymupdf.open(path, filetype="pdf")  # type: ignore[no-untyped-call]
    except DAMAGE as error:
        raise UnreadableSource(f"{name} is damaged beyond repair ({error}); hand over an intact copy") from error


def _unlock(document: Any, name: str, password: str | None) -> None:
    if not document.needs_pass:
        return
    if not password:
        raise PasswordRequired(f"{name} is encrypted and no password was given; give its password")
    if not document.authenticate(password):
        raise PasswordRequired(f"{name} is encrypted and the password given does not open it; give the right password")


def _check_pages(document: Any, name: str, limits: Limits) -> None:
    try:
        num_pages = len(document)
    except DAMAGE as error:
        raise UnreadableSource(f"{name} has a damaged page list ({error}); hand over an intact copy") from error
    if num_pages == 0:
        raise UnreadableSource(f"{name} has no pages; hand over a PDF file with at least one page")
    if num_pages > limits.max_pages:
        raise SourceTooLarge(
            f"{name} has {num_pages} pages, more than the {limits.max_pages} allowed for one file; "
            f"split it or raise the limit"
        )


def _refuse_bombs(document: Any, name: str, limits: Limits) -> None:
    """Streams are expanded only as far as the limit. Pictures are bounded by their pixels instead, when rendered."""
    for xref in range(1, document.xref_length()):
        num_filters = _num_flate_filters(document, xref)
        if not num_filters or document.xref_get_key(xref, "Subtype")[1] == "/Image":
            continue
        raw_bytes = _raw_length(document, xref)
        allowed = max(STREAM_ALLOWANCE_BYTES, raw_bytes * limits.max_expansion)
        allowed = min(allowed, limits.max_archive_bytes)
        if raw_bytes * FLATE_MAX_RATIO**num_filters <= allowed:
            continue
        if _expands_beyond(document.xref_stream_raw(xref), num_filters, allowed):
            raise SourceTooLarge(
                f"{name} holds a stream (object {xref}) of {raw_bytes} bytes that expands to more than "
                f"{allowed // MIB} MiB, the most allowed for it; hand over a file without it"
            )


def _num_flate_filters(document: Any, xref: int) -> int:
    if not document.xref_is_stream(xref):
        return 0
    filters: str = document.xref_get_key(xref, "Filter")[1]
    return filters.count("/FlateDecode") + filters.count("/Fl ") + filters.count("/Fl]")


def _raw_length(document: Any, xref: int) -> int:
    kind, value = document.xref_get_key(xref, "Length")
    return int(value) if kind == "int" else len(document.xref_stream_raw(xref))


def _expands_beyond(data: bytes, num_filters: int, allowed: int) -> bool:
    for _ in range(num_filters):
        inflater = zlib.decompressobj()
        try:
            data = inflater.decompress(data, allowed + 1)
        except zlib.error:
            return False  # damaged or not deflate after all; MuPDF stops there, too
        if len(data) > allowed:
            return True
    return False
