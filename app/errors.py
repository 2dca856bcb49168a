"""Every error that the use of the library can cause, as one tree, and the line that a person is shown.

    LongleafAppError
    ├── BadSetting          an option or a LONGLEAF_ variable has a value that is not allowed, or is unknown
    ├── BadRequest          what was asked cannot be done: no such page, no such job, an empty list of documents
    ├── SourceNotFound      the path does not exist, and nothing in the library is called that
    ├── NotInLibrary        no document has that id or name
    │   └── AmbiguousName   several have it
    ├── UnknownToken        a program gave no token, or one that is not known, was revoked or has expired
    ├── NotAllowed          the token, or the folder that was allowed, does not reach that far
    ├── TooBusy             as much is being done for the caller already as one may have done at once
    ├── OriginalMissing     the library's own copy of a source is gone, or changed while it was being copied
    └── LibraryUnusable     the data folder cannot be opened: made by a newer version, damaged, not writable

Sources cause `ingest.errors.IngestError`, models and questions `llm.errors.LongleafModelError`; `sentence_of` knows
all three trees. A message is one sentence: what failed, the value got, the value allowed, what to do.
"""

from ingest.errors import IngestError
from llm.errors import LongleafModelError


class LongleafAppError(Exception):
    """Something about the library or the request. `str(error)` is one sentence for a person."""


class BadSetting(LongleafAppError):
    """An option or a LONGLEAF_ variable is unknown or has a value that is not allowed."""


class BadRequest(LongleafAppError):
    """What was asked cannot be done: no such page, no such job, an empty list of documents."""


class SourceNotFound(LongleafAppError):
    """The path does not exist, and nothing in the library is called that."""


class NotInLibrary(LongleafAppError):
    """No document of the library has that id or name."""


class AmbiguousName(NotInLibrary):
    """Several documents of the library have that name or beginning of an id."""


class UnknownToken(LongleafAppError):
    """A program gave no token, or one that is not known, was revoked or has expired."""


class NotAllowed(LongleafAppError):
    """The token, or the folder that was allowed, does not reach that far."""


class TooBusy(LongleafAppError):
    """As much is being done for the caller already as one may have done at once."""


class OriginalMissing(LongleafAppError):
    """The library's own copy of a source is gone, or the source changed while it was being copied."""


class LibraryUnusable(LongleafAppError):
    """The data folder cannot be opened: made by a newer version, damaged, or not writable."""


def sentence_of(error: BaseException) -> str | None:
    """The one line to show for an error that a person can cause; None for a fault of Longleaf's own."""
    if isinstance(error, LongleafAppError | IngestError | LongleafModelError):
        return " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{where}"
    return None
