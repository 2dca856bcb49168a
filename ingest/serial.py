"""Documents and problems as JSON, for the child process's answer and for the catalogue."""

from pydantic import TypeAdapter

from ingest.document import Document

FORMAT = 2  # raise it whenever a field of `ingest.document` changes its meaning; older files are then read anew
_documents: TypeAdapter[Document] = TypeAdapter(Document)


def to_json(document: Document) -> bytes:
    """The document with everything in it, as UTF-8 JSON."""
    return _documents.dump_json(document)


def from_json(data: bytes) -> Document:
    """The document that `to_json` wrote. Raises ValueError when the bytes are not one."""
    return _documents.validate_json(data)
