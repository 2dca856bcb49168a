"""What one open page remembers: small frozen values, kept in `gr.State`, never in a module.

Owns the shapes only; the panels change them by making new ones.
"""

from dataclasses import dataclass
from typing import Any

from llm.answer import Citation, Look


@dataclass(frozen=True, slots=True)
class Starter:
    """A sample that was clicked: its question is asked as soon as its job is done."""

    job_id: str
    question: str


@dataclass(frozen=True, slots=True)
class Shelf:
    """The library panel: which jobs this page started last, what it looks for, what is being changed."""

    fresh: frozenset[str] = frozenset()  # jobs whose documents become the chosen ones
    jobs: tuple[str, ...] = ()  # what this page began last; its address names them while they go on
    query: str = ""  # names and tags that hold it are listed
    confirming: str | None = None  # document whose deletion waits for a yes
    tagging: str | None = None  # document whose tags are being written
    sharing: str | None = None  # document whose collection is being named
    starter: Starter | None = None


@dataclass(frozen=True, slots=True)
class View:
    """What the viewer shows: a page of a leaf, and the citations that can be stepped through."""

    document: str | None = None  # id of the catalogued document, where a person opened one
    leaf: str | None = None
    page_index: int = 0
    citations: tuple[Citation, ...] = ()
    at: int | None = None  # which citation is shown; None: none of them
    first_line: int | None = None  # of a long text: where the shown part starts; None: around the citation
    looks: tuple[Look, ...] = ()  # where the model looked for the answer
    linked: tuple[int, int] | None = None  # the lines that a link leads to, both from 1

    @classmethod
    def of(cls, citations: tuple[Citation, ...], at: int = 0, looks: tuple[Look, ...] = ()) -> "View":
        """The view of citation `at`; an empty one where there are none."""
        if not citations:
            return cls()
        cite = citations[at]
        return cls(None, cite.document, cite.page_index, citations, at, looks=looks)


@dataclass(frozen=True, slots=True)
class Ask:
    """What the ask panel is to do now: put a question, follow one that runs, or show a kept answer.

    `nonce` makes two equal wishes differ, so that the second counts too.
    """

    question: str = ""
    nonce: int = 0
    run: str | None = None  # a question that is being answered
    kept: int | None = None  # the number of a kept answer


@dataclass(frozen=True)
class PageState:
    """The `gr.State` components through which the panels speak to each other."""

    chosen: Any  # tuple of document ids; None until something is chosen
    shelf: Any  # Shelf
    view: Any  # View
    ask: Any  # Ask
    conversation: Any  # id of the conversation that questions go to; None: a new one
    shown: Any  # the KeptAnswer that is shown, or None
