"""A reasoning model's thinking, told apart from its answer while both stream.

Models write "<think>", their thinking, "</think>", and then the answer; the prompt may have opened the thinking
already. Once the answer has begun, such marks are text like any other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

OPEN, CLOSE = "<think>", "</think>"


@dataclass(frozen=True, slots=True)
class Thought:
    """A piece of thinking."""

    text: str


class _State(Enum):
    NOTHING_YET = auto()
    THINKING = auto()
    ANSWERING = auto()


class ThinkingSplitter:
    """Takes the pieces of one text; gives back thoughts, and pieces of the answer as plain strings."""

    def __init__(self, *, is_open: bool = False) -> None:
        """`is_open`: the prompt ends with "<think>"."""
        self._state = _State.THINKING if is_open else _State.NOTHING_YET
        self._held = ""  # blanks, or what may be the beginning of a mark

    def take(self, piece: str) -> Iterator[Thought | str]:
        self._held += piece
        if self._state is _State.NOTHING_YET:
            begun = self._held.lstrip()
            if begun.startswith(OPEN):
                self._state, self._held = _State.THINKING, begun.removeprefix(OPEN)
            elif OPEN.startswith(begun):
                return
            else:
                self._state = _State.ANSWERING
        if self._state is _State.THINKING:
            thought, is_over, rest = self._held.partition(CLOSE)
            if is_over:
                self._state, self._held = _State.ANSWERING, rest.lstrip("\n")
            else:
                sure = len(thought) - _begun(thought, CLOSE)
                thought, self._held = thought[:sure], thought[sure:]
            if thought:
                yield Thought(thought)
        if self._state is _State.ANSWERING:
            yield from self.end()

    def end(self) -> Iterator[Thought | str]:
        """What is held back, when nothing more comes."""
        if self._held:
            yield Thought(self._held) if self._state is _State.THINKING else self._held
        self._held = ""


def _begun(text: str, mark: str) -> int:
    """How many characters at the end of `text` begin the mark."""
    return next((size for size in range(min(len(mark) - 1, len(text)), 0, -1) if mark.startswith(text[-size:])), 0)
