"""Attempts at an answer: what is put before the model, one attempt after another, until one gives an answer.

Owns the rule which attempts are made, and in which order. It is what measured best (docs/LOG.md): a short
document is answered over its own KV. Of a longer one the packaged model reads the best passages one by one, as it was
trained to; any other model reads them together. Then the KV of the whole reading is asked, if there is one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from ingest.document import Document
from llm.close_reading import CloseReading, Excerpt, compose
from llm.evidence.ranking import Ranked
from llm.prompt import NOT_FOUND, Prompt

SHORT_TOKENS = 800  # up to this length the packaged model answers best over the whole document
REFUSAL = NOT_FOUND.rstrip(".")
_CLOSE_TOKENS = 700  # of passages, at least, in a close reading
_ONE_BY_ONE = 6  # passages are tried before the question is given up


class Way(Enum):
    """How an answer comes about."""

    STORED = auto()  # attention over the KV of everything that was read
    TOGETHER = auto()  # the best passages, put back as a short document
    ONE_BY_ONE = auto()  # each of the best passages alone, the best first


@dataclass(frozen=True, slots=True)
class Attempt:
    """What the model sees; `close` is None for the stored KV. `place` counts the passages tried before this one."""

    close: CloseReading | None
    rests_on: tuple[Ranked, ...]
    place: int = 0


def ways_to_answer(
    num_tokens: int,
    *,
    is_read_whole: bool,
    is_one_document: bool,
    exact: bool,
    one_by_one: bool,
    has_pictures: bool = False,
) -> tuple[Way, ...]:
    """Ways to write an answer over documents of that length, the best first; the next is tried if one finds nothing.

    `exact`: over the KV of everything, or not at all. `one_by_one`: the model was trained to read passages alone.
    `has_pictures`: pages that were read as pictures are in the KV alone, so that goes first.
    """
    if exact:
        return (Way.STORED,)
    close = Way.ONE_BY_ONE if one_by_one else Way.TOGETHER
    if not is_read_whole:
        return (close,)
    if has_pictures:
        return (Way.STORED, close)
    return (Way.STORED,) if num_tokens <= SHORT_TOKENS and is_one_document else (close, Way.STORED)


def is_refusal(text: str) -> bool:
    """Whether a text says nothing, or that the document does not hold the answer."""
    return not text.strip() or text.strip().startswith(REFUSAL)


def excerpts_of(ranked: Sequence[Ranked], documents: Sequence[Document]) -> list[Excerpt]:
    """The ranked passages as excerpts; `documents` give the order of their leaves."""
    order = {leaf.id: index for index, leaf in enumerate(leaf for document in documents for leaf in document.leaves())}
    return [
        Excerpt(item.document, order[item.document.id], item.passage.page_index, item.passage.start, item.passage.end)
        for item in ranked
    ]


def attempts(
    ways: Sequence[Way], ranked: Sequence[Ranked], excerpts: Sequence[Excerpt], prompt: Prompt, context_tokens: int
) -> Iterator[Attempt]:
    """The attempts of each way. `excerpts` are those of the ranked passages, in their order."""
    for way in ways:
        if way is Way.STORED:
            yield Attempt(None, tuple(ranked))
        elif way is Way.TOGETHER:
            budget = max(_CLOSE_TOKENS, context_tokens // 10)  # of the context; more measured worse
            yield Attempt(compose(excerpts, prompt, budget), tuple(ranked))
        else:
            pairs = zip(ranked[:_ONE_BY_ONE], excerpts, strict=False)
            for place, (item, excerpt) in enumerate(pairs):
                yield Attempt(compose([excerpt], prompt, context_tokens), (item,), place)
