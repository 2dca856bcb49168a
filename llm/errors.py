"""Every error that a model or a question can cause, as one tree.

    LongleafModelError
    ├── ModelNotFound        no packaged model, folder or hub name of that kind, or it cannot be loaded
    ├── SnapshotRefused      a stored reading was made by other weights, another tokenizer or another format
    ├── ContextOverflow      something that cannot be shortened does not fit the model's context
    ├── BadQuestion          the question is empty, or the options contradict each other
    └── RemoteEngineFailed   a server that was to write the answer broke off, was silent, or refused

A message is one sentence: what failed, the value got, the value allowed, what to do.
"""


class LongleafModelError(Exception):
    """Something about the model or the question. `str(error)` is one sentence for a person."""


class ModelNotFound(LongleafModelError):
    """No packaged model, checkpoint folder or hub name answers to that name, or it cannot be loaded."""


class SnapshotRefused(LongleafModelError):
    """A stored reading was made by other weights, another tokenizer or another format version."""


class ContextOverflow(LongleafModelError):
    """Something that cannot be shortened (the question, say) does not fit the model's context."""


class BadQuestion(LongleafModelError):
    """The question is empty, or the options contradict each other."""


class RemoteEngineFailed(LongleafModelError):
    """A server that was to write the answer broke off, said nothing for too long, or refused."""
