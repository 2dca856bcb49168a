"""Opens a source: one file, a folder, a git checkout or an archive becomes a `Document`.

Owns the way through a source (survey, unpacking, reading, map, ids); knows no format. Whatever touches the content of
a file runs in a child process (`ingest.sandbox`).

Guarantees: one bad member never stops a folder; everything that is not read is named in a problem; nothing is written
but below `work_dir`, and nothing stays there when opening fails.
"""

import hashlib
import shutil
import stat
import tempfile
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ingest import sandbox
from ingest.archive import Unpacked, unpack_archive
from ingest.document import Document, Kind, Problem, Severity
from ingest.errors import IngestError, ReadingCancelled, SourceTooLarge, UnreadableSource, UnsupportedSource
from ingest.folder import Survey, shown, survey_folder
from ingest.formats import ARCHIVE, sniff
from ingest.options import MIB, ReadOptions
from ingest.reader import SourceFile
from ingest.sandbox import ReadFile


@dataclass(frozen=True, slots=True)
class SourceProgress:
    """How far opening is. `files_total` is 0 while the files are still being counted."""

    files_done: int
    files_total: int
    name: str  # of the file at work
    pages_done: int
    pages_total: int


@dataclass(frozen=True, slots=True)
class Opened:
    """A document, and where each of its leaves lies on disk: leaf id -> the file it was read from."""

    document: Document
    files: dict[str, Path]


def _no_progress(progress: SourceProgress) -> None:
    pass


def open_source(
    source: Path,
    *,
    work_dir: Path,
    options: ReadOptions = ReadOptions(),  # noqa: B008  # frozen
    name: str | None = None,
    read: ReadFile = sandbox.read_file,
    count_tokens: Callable[[str], int] | None = None,
    on_progress: Callable[[SourceProgress], None] = _no_progress,
    cancel: threading.Event | None = None,
) -> Opened:
    """Reads a source whole; `name` is what the person calls it.

    `on_progress` is called at least ten times a second. Raises IngestError when nothing of the source can be read,
    ReadingCancelled after `cancel` was set.
    """
    opening = _Opening(work_dir, options, read, count_tokens, on_progress, cancel or threading.Event())
    try:
        return opening.open(source, name or shown(source.resolve().name or str(source)))
    except BaseException:
        opening.clean_up()
        raise


@dataclass
class _Opening:
    """One call of `open_source`: what was found so far."""

    work_dir: Path
    options: ReadOptions
    read: ReadFile
    count_tokens: Callable[[str], int] | None
    on_progress: Callable[[SourceProgress], None]
    cancel: threading.Event
    files: dict[str, Path] = field(default_factory=dict)
    members: list[Document] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    known: dict[tuple[str, str], Document] = field(default_factory=dict)  # by (id, suffix): copies are parsed once
    unpack_dirs: list[Path] = field(default_factory=list)
    unpacked_bytes: int = 0
    files_done: int = 0
    files_total: int = 0
    at_work: str = ""

    def open(self, source: Path, name: str) -> Opened:
        self.at_work = name
        try:
            status = source.stat()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise UnreadableSource(f"{name} cannot be opened: {why}; check the path") from error
        if stat.S_ISDIR(status.st_mode):
            self.add_folder(source, "", archives_below=1)
        elif not stat.S_ISREG(status.st_mode):
            raise UnsupportedSource(f"{name} is a named pipe, a socket or a device; hand over a file or a folder")
        else:
            self.check_size(name, status.st_size)
            if not self.is_archive(source, name):
                self.files_total = 1
                self.add_leaf(source, name)
                return Opened(self.members[0], self.files)
            self.add_archive(source, "", name, archives_below=1)
        return Opened(self.folder_document(name), self.files)

    def add_folder(self, root: Path, prefix: str, archives_below: int) -> None:
        """Reads what the survey lists; `prefix` stands before the members' names."""
        root = root.absolute()
        survey = Survey.from_json(self.call(survey_folder, root, self.options.limits))
        self.problems += (replace(problem, source=prefix + problem.source) for problem in survey.problems)
        self.empty += (prefix + name for name in survey.empty)
        self.files_total += len(survey.files)
        for listed in survey.files:
            self.add_member(root / listed.path, prefix + listed.name, listed.is_archive, archives_below)
            self.files_done += 1

    def add_member(self, path: Path, name: str, is_archive: bool, archives_below: int) -> None:
        """Reads one member; what it raises becomes a problem."""
        try:
            if not is_archive:
                self.add_leaf(path, name)
            elif archives_below:
                self.add_archive(path, name + "/", name, archives_below - 1)
            else:
                raise UnsupportedSource(f"{name} is an archive inside an archive; unpack it first")
        except IngestError as error:
            self.problems.append(Problem(name, None, "not read", str(error)))

    def add_leaf(self, path: Path, name: str) -> None:
        self.at_work = name
        self.beat(0, 0)
        try:
            file = SourceFile.of(path, name)
        except OSError as error:
            raise UnreadableSource(f"{name} cannot be opened: {error.strerror}; check its permissions") from error
        key = (file.id, path.suffix.lower())
        if key not in self.known:
            self.known[key] = self.read(file, self.options, self.beat)
        self.members.append(_renamed(self.known[key], name))
        self.files.setdefault(file.id, path)

    def add_archive(self, path: Path, prefix: str, name: str, archives_below: int) -> None:
        """Unpacks below the work folder and reads what came out."""
        room = self.options.limits.max_archive_bytes - self.unpacked_bytes
        if room <= 0:
            raise SourceTooLarge(
                f"{name} comes after archives that used up the limit for unpacked bytes; unpack it first"
            )
        self.at_work = name
        self.work_dir.mkdir(parents=True, exist_ok=True)
        target = Path(tempfile.mkdtemp(prefix="unpacked-", dir=self.work_dir.absolute()))
        self.unpack_dirs.append(target)
        options = replace(self.options, limits=replace(self.options.limits, max_archive_bytes=room))
        unpacked = Unpacked.from_json(self.call(unpack_archive, path.absolute(), name, target, options))
        self.unpacked_bytes += unpacked.written_bytes
        self.problems += (replace(problem, source=prefix + problem.source) for problem in unpacked.problems)
        self.add_folder(target / unpacked.top, prefix, archives_below)

    def folder_document(self, name: str) -> Document:
        if not self.members:
            raise UnreadableSource(f"{name} holds no file that can be read; {self.why_nothing()}")
        from ingest.code.map import make_map  # brings the grammars; not everyone opens folders

        if self.empty:
            first = ", ".join(self.empty[:3]) + (", …" if len(self.empty) > 3 else "")
            why = f"{len(self.empty):,} of its files are empty: {first}"
            self.problems.append(Problem(name, None, "empty files", why, Severity.NOTICE))
        return Document(
            id=folder_id(self.members),
            name=name,
            kind=Kind.FOLDER,
            members=(make_map(name, self.members, self.empty, self.count_tokens), *self.members),
            size_bytes=sum(member.size_bytes for member in self.members),
            problems=tuple(self.problems),
        )

    def why_nothing(self) -> str:
        if not self.problems:
            return f"its {len(self.empty):,} files are empty" if self.empty else "it is empty"
        first = "; ".join(f"{each.source}: {each.why}" for each in self.problems[:3])
        return f"{len(self.problems):,} were left out ({first})"

    def is_archive(self, path: Path, name: str) -> bool:
        return self.call(sniff, path.absolute(), name) == ARCHIVE

    def check_size(self, name: str, size_bytes: int) -> None:
        limit = self.options.limits.max_file_bytes
        if size_bytes > limit:
            raise SourceTooLarge(
                f"{name} has {size_bytes // MIB:,} MiB, and the limit is {limit // MIB:,} MiB for one file; "
                "split it, or raise the limit"
            )

    def call(self, task: Callable[..., bytes], *args: object) -> bytes:
        return sandbox.call(task, *args, name=self.at_work, limits=self.options.limits, on_progress=self.beat)

    def beat(self, pages_done: int, pages_total: int) -> None:
        """Tells the progress; raises ReadingCancelled, which ends the child at work, when the person asked to stop."""
        if self.cancel.is_set():
            raise ReadingCancelled(f"reading stopped at {self.at_work}, as asked")
        self.on_progress(SourceProgress(self.files_done, self.files_total, self.at_work, pages_done, pages_total))

    def clean_up(self) -> None:
        for folder in self.unpack_dirs:
            shutil.rmtree(folder, ignore_errors=True)


def folder_id(members: Iterable[Document]) -> str:
    """SHA-256 over the sorted names and ids of a folder's members, the map left out."""
    lines = sorted(f"{member.name}\0{member.id}\n" for member in members if member.kind is not Kind.MAP)
    return hashlib.sha256("".join(lines).encode("utf-8")).hexdigest()


def _renamed(document: Document, name: str) -> Document:
    """The same content under another name: a copy, or a file known from elsewhere."""
    if document.name == name:
        return document
    problems = tuple(replace(each, source=name) if each.source == document.name else each for each in document.problems)
    return replace(document, name=name, problems=problems)
