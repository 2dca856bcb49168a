"""Sources to documents: the one door of ingest.

`open_source` reads a file, a folder, a git checkout or an archive; `render_page` shows a page as a picture. Parsing
runs in child processes, so importing this loads no parser, and no torch.
"""

from ingest.document import (
    Box,
    Definition,
    Document,
    Doubt,
    Glyphs,
    Heading,
    Kind,
    Link,
    Page,
    Place,
    Problem,
    Role,
    Severity,
    Span,
    TextOrigin,
)
from ingest.errors import (
    IngestError,
    PasswordRequired,
    ReaderFailed,
    ReadingCancelled,
    SourceTooLarge,
    UnreadableSource,
    UnsupportedSource,
)
from ingest.opening import Opened, SourceProgress, folder_id, open_source
from ingest.options import Limits, PageRange, ReadOptions
from ingest.reader import OnProgress, Reader, SourceFile
from ingest.rendering import render_page
from ingest.sandbox import ReadFile, read_file

__all__ = [
    "Box",
    "Definition",
    "Document",
    "Doubt",
    "Glyphs",
    "Heading",
    "IngestError",
    "Kind",
    "Limits",
    "Link",
    "OnProgress",
    "Opened",
    "Page",
    "PageRange",
    "PasswordRequired",
    "Place",
    "Problem",
    "ReadFile",
    "ReadOptions",
    "Reader",
    "ReaderFailed",
    "ReadingCancelled",
    "Role",
    "Severity",
    "SourceFile",
    "SourceProgress",
    "SourceTooLarge",
    "Span",
    "TextOrigin",
    "UnreadableSource",
    "UnsupportedSource",
    "folder_id",
    "open_source",
    "read_file",
    "render_page",
]
