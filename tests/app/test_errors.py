"""Which errors a person is shown as one line, and that the trees are drawn in full."""

import errno

import pytest

import app.errors
from app.errors import LongleafAppError, NotInLibrary, sentence_of
from ingest.errors import PasswordRequired
from llm.errors import ModelNotFound


@pytest.mark.parametrize("kind", [NotInLibrary, PasswordRequired, ModelNotFound])
def test_all_three_trees_have_a_sentence(kind: type[Exception]) -> None:
    assert sentence_of(kind("it failed;\n  do this")) == "it failed; do this"


def test_an_error_of_the_system_names_its_file() -> None:
    assert (
        sentence_of(OSError(errno.ENOSPC, "No space left on device", "/disk/x")) == "No space left on device: /disk/x"
    )


def test_a_fault_of_longleaf_has_none() -> None:
    assert sentence_of(KeyError("x")) is None


def test_the_docstring_draws_the_whole_tree() -> None:
    kinds = [
        kind for kind in vars(app.errors).values() if isinstance(kind, type) and issubclass(kind, LongleafAppError)
    ]
    assert len(kinds) == 11
    assert all(kind.__name__ in (app.errors.__doc__ or "") for kind in kinds)
