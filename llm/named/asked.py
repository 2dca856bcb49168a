"""Questions that a name in an agreement answers: who its parties are, and whom one of its terms stands for.

A small model looks for "the parties" where an agreement says "the parties agree", and answers with a term ("Employee")
or half a name. Other questions, agreements that do not name their parties in one sentence, and several agreements at
once are left to it.
"""

import re
from collections.abc import Sequence

from ingest.document import Document
from llm.answer import Derived
from llm.citing import cite
from llm.named.candidates import Candidate, plain
from llm.named.parties import parties, stands_for

_AGREEMENT = r"(?:the|this|that) (?:\w+ ){0,3}?(?:agreement|contract|lease|nda|deed|amendment|document|license)"
_MADE = r"(?:signed|made|concluded|entered into|executed)"
_THE = r"(?:the|both|all|all the) (?:two |contracting )?parties(?: (?:to|of|in) AGREEMENT)?"
_PARTIES = tuple(
    re.compile(way.replace("AGREEMENT", _AGREEMENT).replace("MADE", _MADE))
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
    rf"(?: (?:in|under|of|to) {_AGREEMENT})?"
)
_SOURCE = "the document itself names who is asked for"
_RIGHT = 0.95  # share of the answers that are right (docs/LOG.md)


def answer_from_names(question: str, documents: Sequence[Document]) -> Derived | None:
    """The names that a question about parties asks for, with the place that says them; None for other questions."""
    asked = " ".join(plain(question))
    leaves = [leaf for document in documents for leaf in document.leaves()]
    if len(leaves) != 1:
        return None
    if any(way.fullmatch(asked) for way in _PARTIES):
        return _told(parties(leaves[0]))
    term = _TERM.fullmatch(asked)
    holder = stands_for(term["term"], leaves[0]) if term else None
    return _told([holder]) if holder else None


def _told(found: Sequence[Candidate]) -> Derived | None:
    """All of them, cited as one stretch of the page."""
    if not found:
        return None
    first, last = found[0], found[-1]
    citation = cite(first.leaf, first.page_index, first.start, last.end)
    texts = [one.text for one in found]
    text = " and ".join(texts) if len(texts) < 3 else "; ".join(texts)
    return Derived(text, (citation,), _SOURCE, probability=_RIGHT) if citation.verified else None
