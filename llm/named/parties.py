"""Between whom an agreement is, as its first sentence says it, and whom its defined terms stand for."""

import re
from collections.abc import Sequence

from ingest.document import Document
from llm.named.candidates import Candidate, Strength, plain
from llm.named.names import names

_MOST_PAGES = 3  # a cover and a list of contents may come before
_FAR = 400  # characters from one party to the next: what it is, and where it sits
_OVER = re.compile(  # the sentence: recitals, a heading, or another sentence follow
    r"\b(?:WHEREAS|Whereas|RECITALS?|Recitals|WITNESSETH|NOW,? THEREFORE)\b|\n[A-Z][A-Z .]{8,}\n|\.\s+[A-Z][a-z]+ [a-z]"
)
_LISTS = re.compile(r"(?:\band|,|;|\band:|\(\w{1,3}\)|\d\.)\s*$")
_ASIDE = re.compile(r"\([^()]*\)")


def parties(leaf: Document) -> list[Candidate]:
    """In the order of the sentence that names them, two or more; none where no sentence does."""
    found = names(leaf, range(min(_MOST_PAGES, len(leaf.pages))))
    for at, first in enumerate(found):
        if first.is_party:
            listed = _listed(first, found[at + 1 :])
            if len(listed) > 1:
                return listed
    return []


def stands_for(term: str, leaf: Document) -> Candidate | None:
    """Whom a defined term names: "the Company". None if nobody, or more than one."""
    wanted = " ".join(plain(term))
    defined = re.compile(rf"[“\"(]\s*(?:the\s+)?{re.escape(term)},?\s*[”\")]", re.IGNORECASE)
    pages = [index for index, page in enumerate(leaf.pages) if defined.search(page.text)]
    holders = {one.words: one for one in reversed(names(leaf, pages)) if wanted in one.aliases}
    return next(iter(holders.values())) if len(holders) == 1 else None


def _listed(first: Candidate, others: Sequence[Candidate]) -> list[Candidate]:
    """The first party and those that its sentence goes on to name."""
    text = first.leaf.pages[first.page_index].text
    listed = [first]
    for one in others:
        gap = text[listed[-1].end : one.start]
        if one.page_index != first.page_index or len(gap) > _FAR or _OVER.search(_ASIDE.sub("", gap)):
            break
        is_named = one.is_party or one.aliases or one.strength is Strength.SURE
        if is_named and (one.is_party or _LISTS.search(_ASIDE.sub("", gap))):
            listed.append(one)
    return list({one.words: one for one in listed}.values())
