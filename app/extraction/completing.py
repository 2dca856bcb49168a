"""From what a model said to the whole name or address that it stands in.

A small model names half a company, one line of an address, or the term that a contract defines ("the Company"). The
document holds the whole; where that can be told, it becomes the value. Nothing is ever put together from parts.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from app.extraction.field import Field, FieldKind
from ingest.document import Document
from llm.answer import Answer
from llm.citing import MAX_CITATIONS, cite
from llm.named.addresses import addresses
from llm.named.candidates import Candidate, Strength, holds, plain
from llm.named.names import names
from llm.named.vocabulary import COMMON, LEGAL

_SPLIT = re.compile(r"\s*(?:;|\n|•|,?\s+and\s+|,\s+(?=[A-Z]))\s*")
_ALIKE = 0.82  # of difflib's ratio: a letter or two that recognition or the model got wrong
_SHARED = 0.6  # of an answer's words must stand in the address that it means
_GENERAL = COMMON | LEGAL | frozenset(("the", "a", "an"))


def candidates_of(kind: FieldKind, documents: Iterable[Document]) -> list[Candidate]:
    """What could be the value of a field of that kind, in the order of the documents; none for other kinds."""
    leaves = [leaf for document in documents for leaf in document.leaves()]
    if kind is FieldKind.ADDRESS:
        return [candidate for leaf in leaves for candidate in addresses(leaf)]
    if kind is FieldKind.NAME:
        return [candidate for leaf in leaves for candidate in _names_outside_addresses(leaf)]
    return []


def meant_by(answer: Answer, field: Field, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Which candidates were said: of a field with one value one at most, of a list one for each part."""
    if not answer.found or not candidates:
        return []
    parts = [part for part in _SPLIT.split(answer.answer) if part.strip()] if field.is_list else [answer.answer]
    meant = [one for part in parts if (one := _meant(part, field.kind, candidates)) is not None]
    return list({one.words: one for one in meant}.values())


def with_places(answer: Answer, found: Sequence[Candidate]) -> Answer:
    """The answer that these candidates are, cited where they stand."""
    places = [cite(one.leaf, one.page_index, one.start, one.end) for one in found]
    others = [other for other in answer.citations if not any(other.quote in place.quote for place in places)]
    text = "\n".join(one.text for one in found)
    kept = max(MAX_CITATIONS, len(places))
    return replace(answer, answer=text, found=True, citations=tuple([*places, *others][:kept]))


def sure_ones(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that are surely of the kind, or head the first page; each text once."""
    firsts: dict[tuple[str, ...], Candidate] = {}
    for one in candidates:
        if one.strength is not Strength.LOOSE:
            firsts.setdefault(one.words, one)
    return list(firsts.values())


def _meant(said: str, kind: FieldKind, candidates: Sequence[Candidate]) -> Candidate | None:
    if kind is FieldKind.ADDRESS:
        return _nearest_address(plain(said), candidates)
    ways = (_by_term(said, candidates), _by_words(plain(said), candidates), _inside(plain(said), candidates))
    found = next((one for one in ways if one is not None), None)
    return found or next(_of_parts(said, candidates), None) or _alike(plain(said), candidates)


def _by_term(said: str, candidates: Sequence[Candidate]) -> Candidate | None:
    """The name that was defined as one of the terms said, the first of them: "the Company and its affiliates"."""
    terms = {alias: one for one in reversed(candidates) for alias in one.aliases}
    words = plain(re.sub(r"(?i)\b(?:the|its)\b", " ", said))
    starts = [
        (at, -length) for length in (3, 2, 1) for at in range(len(words)) if " ".join(words[at : at + length]) in terms
    ]
    if not starts or any(holds(one.words, words) and one.strength for one in candidates if len(words) > 1):
        return None
    at, length = min(starts)
    return terms[" ".join(words[at : at - length])]


def _by_words(said: tuple[str, ...], candidates: Sequence[Candidate]) -> Candidate | None:
    """The name that the words said stand in."""
    if _GENERAL.issuperset(said):
        return None
    holding = [one for one in candidates if holds(one.words, said)]
    return max(holding, key=lambda one: (one.strength, bool(one.aliases), -len(one.words)), default=None)


def _inside(said: tuple[str, ...], candidates: Sequence[Candidate]) -> Candidate | None:
    """The first sure name in what was said, which went on: "Acme, Inc., a Delaware corporation"."""
    inside = [one for one in candidates if one.strength is Strength.SURE and holds(said, one.words)]
    return min(inside, key=lambda one: " ".join(said).find(" ".join(one.words)), default=None)


def _of_parts(said: str, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
    parts = [part for part in _SPLIT.split(said) if part.strip()]
    for part in parts if len(parts) > 1 else ():
        found = _by_words(plain(part), candidates)
        if found is not None:
            yield found


def _alike(said: tuple[str, ...], candidates: Sequence[Candidate]) -> Candidate | None:
    by_text = {" ".join(one.words): one for one in reversed(candidates) if one.strength is not Strength.LOOSE}
    close = difflib.get_close_matches(" ".join(said), by_text, n=1, cutoff=_ALIKE)
    return by_text[close[0]] if close else None


def _nearest_address(said: tuple[str, ...], candidates: Sequence[Candidate]) -> Candidate | None:
    """The address that has most of the words said."""
    shares = [sum(word in one.words for word in said) / max(1, len(said)) for one in candidates]
    best = max(shares, default=0.0)
    return candidates[shares.index(best)] if best >= _SHARED else None


def _names_outside_addresses(leaf: Document) -> Iterator[Candidate]:
    blocks = list(addresses(leaf))
    for name in names(leaf):
        if not any(name.overlaps(block) for block in blocks):
            yield name
