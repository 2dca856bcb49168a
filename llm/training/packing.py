"""Examples as one row of tokens: each sequence is a document followed by its questions and answers.

Every question sees the document and itself, and its positions go on from the document's end, so each reads exactly as
if it were asked alone. Parts of a document that were read apart each see the prompt before them and themselves, as
documents do whose KV the runtime puts together: it moves their keys behind one another, which changes no distance
inside of a part. Only answer tokens are learned; plain text has none, and lies in rows of its own.
"""

from bisect import bisect_right
from dataclasses import dataclass

import torch

from llm.prompt import Prompt
from llm.tokens import Placed, Tokens
from llm.training.attention import Tile, tiles
from llm.training.examples import Example


@dataclass(frozen=True, slots=True)
class Sequence:
    """One example as token ids. `segment`: 0 in the document, -1, -2, … in parts read apart, 1, 2, … in questions."""

    ids: list[int]
    segment: list[int]
    position: list[int]
    learned: list[bool]  # True: this token is part of an answer
    mixtures: tuple[Placed, ...] = ()  # patch tokens, by their place in `ids`


@dataclass(frozen=True, slots=True)
class Row:
    """Sequences one behind the other, N tokens in all, ready for the model."""

    ids: torch.Tensor  # (1, N)
    position: torch.Tensor  # (1, N)
    predicting: torch.Tensor  # (A,) places whose next token is learned
    targets: torch.Tensor  # (A,) that next token
    tiles: list[Tile]
    num_questions: int
    tokens: Tokens  # `ids` with their patch tokens


def pack_example(prompt: Prompt, end_id: int, example: Example, max_tokens: int) -> Sequence:
    """An example as a sequence of at most `max_tokens`; questions that do not fit are left out."""
    document, chars = prompt.encode_seen(example.document, example.doubts)
    if not example.asked:
        prose = document[:max_tokens]  # without a prompt
        size = len(prose)
        return Sequence(list(prose), [0] * size, list(range(size)), [False] * size, prose.mixtures)
    read = _read(prompt, document, [bisect_right(example.apart, first) for first, _ in chars])
    ids = [token for _, part in read for token in part]
    segment = [-number for number, part in read for _ in part]
    start = len(ids)
    position, learned = list(range(start)), [False] * start
    number = 0
    for asked in example.asked:
        question, answer = prompt.suffix(asked.question), [*prompt.encode(asked.answer), end_id]
        size = len(question) + len(answer)
        if len(ids) + size > max_tokens:
            continue
        number += 1
        ids += question + answer
        segment += [number] * size
        position += range(start, start + size)
        learned += [False] * len(question) + [True] * len(answer)
    return Sequence(ids, segment, position, learned, Tokens.joined(part for _, part in read).mixtures)


def _read(prompt: Prompt, document: Tokens, part_of: list[int]) -> list[tuple[int, Tokens]]:
    """What was read in one go, behind the prompt, each with its number; `part_of`: for every token of the document."""
    starts = [at for at, number in enumerate(part_of) if at == 0 or number != part_of[at - 1]]
    ends = [*starts[1:], len(document)]
    return [
        (part_of[start], Tokens.joined((prompt.prefix, document[start:end])))
        for start, end in zip(starts, ends, strict=True)
    ]


def join(sequences: list[Sequence]) -> Row:
    """Sequences as one row for the packed attention."""
    tokens = Tokens.joined(Tokens(sequence.ids, sequence.mixtures) for sequence in sequences)
    ids = torch.tensor(list(tokens))
    learned = torch.tensor([flag for sequence in sequences for flag in sequence.learned])
    places = learned.nonzero().squeeze(1)  # an answer never starts a sequence, so place - 1 is in the same one
    return Row(
        ids=ids[None],
        position=torch.tensor([place for sequence in sequences for place in sequence.position])[None],
        predicting=places - 1,
        targets=ids[places],
        tiles=tiles([torch.tensor(sequence.segment) for sequence in sequences]),
        num_questions=sum(max(sequence.segment) for sequence in sequences),
        tokens=tokens,
    )
