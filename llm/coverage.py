"""Coverage: what of the documents the model saw for one answer, and what it did not see and why."""

from collections.abc import Collection, Sequence

from ingest.document import Document, Kind, Severity
from llm.answer import Coverage, LeftOut


def coverage_of(
    documents: Sequence[Document],
    *,
    tokens_total: int,
    tokens_read: int,
    pages_seen: Collection[tuple[str, int]] | None = None,
    shortened: str | None = None,
) -> Coverage:
    """Counts pages and names what was left out.

    `pages_seen` (leaf id, page index) are the pages shown to the model; None: every page that has text.
    `shortened` says, for people, why not everything was shown; None: everything was.
    """
    leaves = [leaf for document in documents for leaf in document.leaves() if leaf.kind is not Kind.MAP]
    readable = {(leaf.id, index) for leaf in leaves for index, page in enumerate(leaf.pages) if page.text.strip()}
    seen = readable if pages_seen is None else readable.intersection(pages_seen)
    left_out = [
        LeftOut(problem.source, problem.page_no, f"{problem.what}: {problem.why}")
        for document in documents
        for problem in document.all_problems()
        if problem.severity is Severity.LEFT_OUT
    ]
    if shortened:
        left_out.insert(0, LeftOut(", ".join(document.name for document in documents), None, shortened))
    return Coverage(
        sources=len(documents),
        pages_total=sum(len(leaf.pages) for leaf in leaves),
        pages_read=len(seen),
        tokens_total=tokens_total,
        tokens_read=tokens_read,
        left_out=tuple(left_out),
    )
