"""A PDF file as a document: the order of the steps.

Owns that order alone. The steps are rooms of their own: `opening`, `pages` (which uses `layer`, `grids`, `columns`,
`rows`, `pictures`), then over all pages `compose`, `running` and `headings`.
"""

from contextlib import suppress

from ingest.document import Document, Kind, Problem, Severity
from ingest.options import ReadOptions
from ingest.pdf.compose import composed, mark_code, metadata_of
from ingest.pdf.headings import outline
from ingest.pdf.opening import DAMAGE, opened_pdf
from ingest.pdf.pages import PageReader
from ingest.pdf.running import mark_running
from ingest.reader import OnProgress, SourceFile


def read_pdf(file: SourceFile, options: ReadOptions, on_progress: OnProgress) -> tuple[Document, list[Problem]]:
    """See `ingest.reader.Reader`. Page numbers stay the file's own when only a range of pages is read."""
    with opened_pdf(file.path, file.name, options.password, options.limits) as pdf:
        reader = PageReader(pdf, file.name, options)
        chosen = [n for n in range(1, len(pdf) + 1) if options.pages is None or n in options.pages]
        drafts = []
        for done, page_no in enumerate(chosen, 1):
            draft = reader.read(page_no)
            if draft is not None:
                drafts.append(draft)
            on_progress(done, len(chosen))
        mark_code(drafts)
        mark_running(drafts)
        bookmarks = []
        with suppress(*DAMAGE):
            bookmarks = pdf.get_toc(simple=True)
        headings = outline(bookmarks, drafts)
        problems = reader.problems
        if pdf.is_repaired:
            why = "The file is damaged and was repaired while reading; parts of it may be missing."
            problems.insert(0, Problem(file.name, None, "damaged file", why, Severity.DEGRADED))
        document = Document(
            id=file.id,
            name=file.name,
            kind=Kind.PDF,
            pages=composed(drafts),
            size_bytes=file.size_bytes,
            headings=headings,
            links=tuple(link for draft in drafts for link in draft.links),
            metadata=metadata_of(pdf),
        )
    return document, problems
