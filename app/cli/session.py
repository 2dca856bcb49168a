"""What most verbs begin with: a library opened, and the sources of the command line found or read into it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from app.cli.output import expert_line
from app.cli.progress import Progress
from app.errors import AmbiguousName, BadRequest, NotInLibrary, SourceNotFound
from app.service import Entry, Longleaf
from app.settings import Settings
from ingest.document import Problem
from ingest.options import ReadOptions

SHOWN_PROBLEMS = 5


@contextmanager
def session(settings: Settings) -> Iterator[tuple[Longleaf, Progress]]:
    """The library and what shows progress on standard error; at the end, how routed experts were fetched."""
    with Progress() as progress:
        longleaf = Longleaf(settings, on_text=progress.text)
        try:
            yield longleaf, progress
            for model, use in longleaf.expert_uses().items():
                progress.text(expert_line(model, use))
        finally:
            longleaf.close()


def find_or_add(longleaf: Longleaf, progress: Progress, sources: Sequence[str], options: ReadOptions) -> list[Entry]:
    """Entries of paths, ids and names, each once. Raises SourceNotFound, NotInLibrary, IngestError, OSError."""
    entries = {}
    for source in sources:
        entry = _entry(longleaf, progress, source, options)
        if entry.id not in entries:
            _show_problems(progress, entry)
        entries[entry.id] = entry
    return list(entries.values())


def _entry(longleaf: Longleaf, progress: Progress, source: str, options: ReadOptions) -> Entry:
    path = Path(source).expanduser()
    if path.exists():
        return longleaf.add(path, options=options, on_progress=progress.source)
    try:
        entry = longleaf.entry(source)
    except AmbiguousName:
        raise
    except NotInLibrary:
        raise SourceNotFound(
            f"{source!r} does not exist, and nothing in the library has that id or name; give a file, a folder, "
            "or one of `python app.py library list`"
        ) from None
    if options.pages is not None:
        raise BadRequest(
            f"{entry.name} is in the library already, so --pages {options.pages} cannot apply; give its path"
        )
    return entry


def _show_problems(progress: Progress, entry: Entry) -> None:
    for problem in entry.problems[:SHOWN_PROBLEMS]:
        progress.text(problem_line(problem))
    if len(entry.problems) > SHOWN_PROBLEMS:
        more = len(entry.problems) - SHOWN_PROBLEMS
        progress.text(f"… and {more} more; see: python app.py library show {entry.id[:12]}")


def problem_line(problem: Problem) -> str:
    page = f", page {problem.page_no}" if problem.page_no is not None else ""
    return f"Note: {problem.source}{page}: {problem.what}: {problem.why}"
