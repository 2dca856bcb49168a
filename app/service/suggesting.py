"""Questions to begin with: taken from a document's headings, or from the names that its code defines."""

import re

from ingest.document import Document

MAX_QUESTIONS = 4
_NUMBERING = re.compile(
    r"^\s*(?:(?:chapter|section|article|part|appendix)\s+)?[\dA-Z]{0,4}(?:[.\d)]+)\s+", re.IGNORECASE
)
_DULL = re.compile(
    r"contents|index|preface|abstract|references|bibliography|cover|title|notes?$|signature|^form\b|^\W", re.IGNORECASE
)
_MAIN_DEFINITIONS = ("class", "function", "struct", "interface", "method")


def suggested_questions(document: Document) -> list[str]:
    """At most MAX_QUESTIONS; none where the document has neither headings nor definitions."""
    leaves = list(document.leaves())
    titles = [_NUMBERING.sub("", heading.title).strip(" .:") for leaf in leaves for heading in leaf.headings]
    topics = [title for title in titles if 4 <= len(title) <= 60 and not _DULL.search(title)]
    asked = [f"What does it say about “{topic}”?" for topic in _spread(list(dict.fromkeys(topics)))]
    names = [
        (leaf.name, definition.name)
        for leaf in leaves
        for definition in leaf.definitions
        if definition.kind in _MAIN_DEFINITIONS and not definition.name.startswith("_") and len(definition.name) > 3
    ]
    asked += [f"What does {name} do?" for name in _spread(list(dict.fromkeys(name for _, name in names)))]
    return asked[:MAX_QUESTIONS]


def _spread(items: list[str]) -> list[str]:
    """MAX_QUESTIONS of them, from the whole length of the document."""
    step = max(1, len(items) // MAX_QUESTIONS)
    return items[::step][:MAX_QUESTIONS]
