"""Code files: text with exact lines, language, defined names and likely secrets; and the map of a repository."""

from ingest.code.language import language_of
from ingest.code.reader import read_code, read_notebook
from ingest.reader import Reader

SUFFIXES: dict[str, Reader] = {".ipynb": read_notebook}  # every other code file: `read_code`

__all__ = ["SUFFIXES", "language_of", "read_code", "read_notebook"]
