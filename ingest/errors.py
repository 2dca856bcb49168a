"""Every error that a source can cause, as one tree.

    IngestError
    ├── UnsupportedSource      no reader knows this format
    ├── UnreadableSource       damaged, empty, or not what its name says
    ├── PasswordRequired       encrypted, and no password or a wrong one was given
    ├── SourceTooLarge         over a stated limit (bytes, pages, pixels, expansion)
    └── ReaderFailed           the reader crashed, hung or ran out of memory in its child process

A message is one sentence: what failed, the value got, the value allowed, what to do.
A member of a folder that raises one of these becomes a `Problem` and the rest of the folder goes on.
"""


class IngestError(Exception):
    """A source, or one file of it, cannot be opened. `str(error)` is one sentence for a person."""


class UnsupportedSource(IngestError):
    """No reader knows the format."""


class UnreadableSource(IngestError):
    """The file is empty, damaged, or not what its name says."""


class PasswordRequired(IngestError):
    """The file is encrypted, and no password or a wrong one was given."""


class SourceTooLarge(IngestError):
    """The file is over one of the limits in `ingest.options.Limits`."""


class ReaderFailed(IngestError):
    """The reader's child process crashed, hung, or went over its memory or time limit."""


class ReadingCancelled(Exception):
    """The person asked to stop. Not an `IngestError`: nothing is wrong with the source, and no folder goes on."""
