"""Questions that an agreement answers by what it says of itself: its parties, terms, law, date, time, end, signatures.

A small model looks for "the parties" where an agreement says "the parties agree", and answers with a term ("Employee")
or half a name; asked when it ends, with the first date that it sees. Other questions, agreements that do not say it in
one sentence, and several agreements at once are left to it.
"""

import re
from collections.abc import Sequence

from ingest.document import Document
from llm.answer import Derived
from llm.citing import MAX_CITATIONS, cite
from llm.named.candidates import Candidate, plain
from llm.named.parties import parties, stands_for
from llm.named.questions import AGREEMENT, finders
from llm.named.wording import Provision

_MADE = r"(?:signed|made|concluded|entered into|executed)"
_THE = r"(?:the|both|all|all the) (?:two |contracting )?parties(?: (?:to|of|in) AGREEMENT)?"
_PARTIES = tuple(
    re.compile(way.replace("AGREEMENT", AGREEMENT).replace("MADE", _MADE))
    for way in (
        rf"(?:who|what|which) (?:are|were) {_THE}",
        rf"(?:name|list|give|state) {_THE}",
        r"(?:between|among) (?:whom|who|which parties|what parties) (?:is|was) AGREEMENT(?: MADE)?",
        r"who (?:is|was) AGREEMENT (?:MADE )?(?:between|among)",
        r"(?:who|which (?:two )?(?:parties|companies)) (?:have )?MADE AGREEMENT",
    )
)
_TERM = re.compile(
    rf"(?:who|what|which (?:party|company|person)) (?:is|was|are) (?:the )?(?P<term>\w+(?: \w+){{0,2}}?)"
    rf"(?: (?:in|under|of|to) {AGREEMENT})?"
)
_SOURCE = "the document itself names who is asked for"
_STATED = "the agreement says it in the sentences cited"
_RIGHT = 0.95  # share of the answers that are right (docs/LOG.md)


def answer_from_names(question: str, documents: Sequence[Document]) -> Derived | None:
    """What an agreement says of itself, with the place that says it; None for other questions."""
    asked = " ".join(plain(question))
    leaves = [leaf for document in documents for leaf in document.leaves()]
    if len(leaves) != 1:
        return None
    for find in finders(asked):
        if provision := find(leaves[0]):
            return _stated(provision)
    if any(way.fullmatch(asked) for way in _PARTIES):
        return _told(parties(leaves[0]))
    term = _TERM.fullmatch(asked)
    holder = stands_for(term["term"], leaves[0]) if term else None
    return _told([holder]) if holder else None


def _stated(provision: Provision) -> Derived | None:
    found = [cite(one.leaf, one.page_index, one.start, one.end) for one in provision.said_in[:MAX_CITATIONS]]
    citations = tuple(citation for citation in found if citation.verified)
    return Derived(provision.text, citations, _STATED, probability=_RIGHT) if citations else None


def _told(found: Sequence[Candidate]) -> Derived | None:
    """All of them, cited as one stretch of the page."""
    if not found:
        return None
    first, last = found[0], found[-1]
    citation = cite(first.leaf, first.page_index, first.start, last.end)
    texts = [one.text for one in found]
    text = " and ".join(texts) if len(texts) < 3 else "; ".join(texts)
    return Derived(text, (citation,), _SOURCE, probability=_RIGHT) if citation.verified else None
