"""Questions with and without an answer, made from files of questions on short contexts, for fitting and measuring.

Owns the making of haystacks; no part of answering. A file holds one JSON object a line: `{"context": str, "questions":
[{"question": str, "answers": [str, …]}]}`, gzip-packed. Neighbouring lines are often about one topic, so a
haystack is a run of neighbours: with the question's own context it holds the answer, without it only the topic is
there. Of five runs of 20 contexts (fewer in short files), one is for choosing (dev) and one for reporting (test).
"""

import gzip
import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ingest.document import Document, Kind, Page
from llm.evidence.cutting import CutLeaf
from llm.evidence.embedding import Embedder
from llm.evidence.index import EvidenceIndex
from llm.training.sources import kind_of, part_of

SPLITS = ("train", "train", "train", "dev", "test")
SIZES = (1, 1, 4, 12, 40, 150)  # contexts in a haystack; short documents are what people ask about most
_RUN = 20


@dataclass(frozen=True, slots=True)
class Context:
    """One line of a file: a text as a leaf document, and the questions that it answers."""

    document: Document
    questions: tuple[tuple[str, tuple[str, ...]], ...]  # question, answers


@dataclass(frozen=True, slots=True)
class Example:
    """A question asked of a haystack. `kind`: "answered", "removed" (its own context is missing), "foreign"."""

    source: str  # the file it came from
    question: str
    answers: tuple[str, ...]
    haystack: tuple[Document, ...]
    gold: str | None  # id of the document that holds the answer
    kind: str


def read_contexts(path: Path, limit: int | None = None, *, held_out: bool = False) -> list[Context]:
    """The contexts of a file that answer at least one question, each once; `held_out`: those no training has seen."""
    found: dict[str, Context] = {}
    kind = kind_of(path.name.removesuffix(".jsonl.gz"))
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            if held_out and part_of(kind, entry["context"]) == "train":
                continue
            asked = tuple((item["question"], tuple(item["answers"])) for item in entry["questions"] if item["answers"])
            if asked and entry["context"].strip():
                document = _document(entry["context"])
                before = found.get(document.id)
                found[document.id] = Context(document, (before.questions if before else ()) + asked)
            if limit is not None and len(found) == limit:
                break
    return list(found.values())


def examples(
    source: str, contexts: Sequence[Context], foreign: Sequence[str], split: str, number: int, *, hard: bool = True
) -> Iterator[Example]:
    """`number` examples of a split: half answered, a third removed, the rest foreign; `hard` False: none removed."""
    run = max(1, min(_RUN, len(contexts) // len(SPLITS)))
    own = [context for at, context in enumerate(contexts) if SPLITS[at // run % len(SPLITS)] == split]
    chooser = random.Random(f"{source} {split}")
    kinds = ("answered", "removed", "answered", "removed", "answered", "foreign")
    for at in range(number):
        kind = kinds[at % len(kinds)]
        kind = "foreign" if kind == "removed" and not hard else kind
        place, size = chooser.randrange(len(own)), SIZES[chooser.randrange(len(SIZES))]
        question, answers = chooser.choice(own[place].questions)
        around = _neighbours(own, place, size)
        if kind == "answered":
            around[chooser.randrange(len(around))] = own[place].document
            yield Example(source, question, answers, tuple(around), own[place].document.id, kind)
        else:
            asked = question if kind == "removed" else chooser.choice(foreign)
            yield Example(source, asked, (), tuple(around), None, kind)


def embed_all(documents: Sequence[Document], embedder: Embedder) -> dict[str, EvidenceIndex]:
    """The indexes of documents, in memory, by id."""
    leaves = [CutLeaf.of(document) for document in documents]
    texts = [leaf.piece_texts(document) for leaf, document in zip(leaves, documents, strict=True)]
    vectors = embedder.embed([text for group in texts for text in group])
    assert vectors is not None, "nothing cancels this"
    made = torch.split(vectors.half(), [len(group) for group in texts])
    return {
        document.id: EvidenceIndex(document, leaf, rows)
        for document, leaf, rows in zip(documents, leaves, made, strict=True)
    }


def _neighbours(contexts: Sequence[Context], place: int, size: int) -> list[Document]:
    """`size` documents around a place, without the one that stands there."""
    first = max(0, min(place - size // 2, len(contexts) - size - 1))
    return [contexts[at].document for at in range(first, min(first + size + 1, len(contexts))) if at != place][:size]


def _document(text: str) -> Document:
    identity = hashlib.sha256(text.encode()).hexdigest()
    return Document(identity, "document.txt", Kind.TEXT, pages=(Page(1, text),), size_bytes=len(text.encode()))
