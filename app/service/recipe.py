"""How a file was read, in a few words: two readings of the same bytes are the same document only if these agree.

The name's ending counts (it decides the reader), the page range and recognition do; the password does not, and is
never written down.
"""

from pathlib import PurePosixPath

from ingest.document import Document, Kind
from ingest.options import ReadOptions


def file_recipe(name: str, options: ReadOptions) -> str:
    """Of a file with that name: ".pdf", ".pdf pages=3-7", ".png no-ocr"."""
    base = PurePosixPath(name.replace("\\", "/"))
    return _with_options(base.suffix.lower() or base.name.lower(), options)


def recipe(document: Document, options: ReadOptions) -> str:
    """Of a document; folders and maps have no file of their own."""
    if document.kind in (Kind.FOLDER, Kind.MAP):
        return _with_options(document.kind.value, options)
    return file_recipe(document.name, options)


def _with_options(base: str, options: ReadOptions) -> str:
    pages = f" pages={options.pages}" if options.pages is not None else ""
    return base + pages + ("" if options.ocr else " no-ocr")
