"""Which documents a batch is about: files, folders, globs, lists of paths, and documents of the library.

Every file of a folder is a document of its own (an archive is one). What no reader can read stays in the list, with
the reason, so that it has its rows too. Files that a folder's survey leaves out by rule (.gitignore, lock files,
another program's records) are told to the caller and have none.
"""

import glob
import hashlib
import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from app.errors import AmbiguousName, BadRequest, NotInLibrary, SourceNotFound
from app.service import Entry
from ingest import sandbox
from ingest.document import Problem
from ingest.folder import Survey, shown, survey_folder
from ingest.options import Limits
from ingest.reader import SourceFile

_EMPTY = "it is empty (0 bytes)"


@dataclass(frozen=True, slots=True)
class Source:
    """One document to be asked about."""

    name: str  # what rows call it: its path below the folder that was named, or its file name
    path: Path
    sha256: str  # of its bytes; of its path where they cannot be read
    size_bytes: int = 0
    refused: str | None = None  # one sentence: why it cannot be read
    entry_id: str | None = None  # of a document that was named by its id or name in the library


OnProblem = Callable[[Problem], None]
FindEntry = Callable[[str], Entry]


def find_sources(
    words: Sequence[str],
    *,
    stdin: TextIO,
    find_entry: FindEntry,
    limits: Limits,
    on_problem: OnProblem,
    own: Collection[Path] = (),
) -> list[Source]:
    """Every source once, in the order given, a folder's in the order of their names.

    A word is a path, a glob, "-" (paths on standard input), "@FILE" (paths in a file), or a document of the library.
    `own` files, which the batch itself writes, are no sources. Raises SourceNotFound for a word that means nothing.
    """
    finding = _Finding(stdin, find_entry, limits, on_problem)
    by_path: dict[Path, Source] = {}
    ours = {path.resolve() for path in own}
    for word in words:
        for source in finding.of_word(word):
            if source.path not in ours:
                by_path.setdefault(source.path, source)
    return _with_own_names(list(by_path.values()))


@dataclass(frozen=True, slots=True)
class _Finding:
    stdin: TextIO
    find_entry: FindEntry
    limits: Limits
    on_problem: OnProblem

    def of_word(self, word: str) -> Iterator[Source]:
        if word == "-":
            yield from self.of_list(self.stdin, "standard input")
        elif word.startswith("@") and not Path(word).exists():
            with Path(word[1:]).expanduser().open(encoding="utf-8-sig") as lines:
                yield from self.of_list(lines, word[1:])
        elif (path := Path(word).expanduser()).exists():
            yield from self.of_path(path)
        elif glob.has_magic(word):
            yield from self.of_pattern(path, word)
        else:
            yield self.of_library(word)

    def of_pattern(self, pattern: Path, word: str) -> Iterator[Source]:
        """Files are called by their path below the part that has no wildcard."""
        found = sorted(glob.glob(str(pattern), recursive=True))
        if not found:
            raise SourceNotFound(f"no file fits the pattern {word!r}; check it, and quote it for your shell")
        fixed = Path(*itertools.takewhile(lambda part: not glob.has_magic(part), pattern.parts))
        for path in map(Path, found):
            if path.is_dir():
                yield from () if "**" in pattern.parts else self.of_folder(path)
            else:
                yield _of_file(path, shown(str(path.relative_to(fixed))))

    def of_path(self, path: Path) -> Iterator[Source]:
        if path.is_dir():
            yield from self.of_folder(path)
        else:
            yield _of_file(path, shown(path.name))

    def of_folder(self, folder: Path) -> Iterator[Source]:
        root = folder.resolve()
        found = sandbox.call(
            survey_folder, root, self.limits, name=str(folder), limits=self.limits, on_progress=_no_progress
        )
        survey = Survey.from_json(found)
        refused = {name: f"{name} cannot be read: {why}" for name, why in survey.unreadable}
        refused |= {name: f"{name} cannot be read: {_EMPTY}" for name in survey.empty}
        for problem in survey.problems:
            if problem.source not in refused:
                self.on_problem(problem)
        sources = [_of_file(root / listed.path, listed.name) for listed in survey.files]
        sources += (_unreadable(root / name, name, why) for name, why in refused.items())
        yield from sorted(sources, key=lambda source: source.name)

    def of_list(self, lines: Iterable[str], where: str) -> Iterator[Source]:
        """A path a line, or a JSON object {"source", "name"}. What does not exist has failed rows."""
        for number, line in enumerate(lines, 1):
            text = line.rstrip("\r\n")
            if not text.strip():
                continue
            path, name = _listed(text, f"line {number} of {where}")
            if path.is_dir():
                yield from self.of_folder(path)
            elif path.exists():
                yield _of_file(path, name or shown(path.name))
            else:
                called = name or shown(path.name)
                yield _unreadable(path.absolute(), called, f"{called} ({where}, line {number}) does not exist")

    def of_library(self, key: str) -> Source:
        try:
            entry = self.find_entry(key)
        except AmbiguousName:
            raise
        except NotInLibrary:
            raise SourceNotFound(
                f"{key!r} does not exist, and nothing in the library has that id or name; give files, folders, globs, "
                "- for a list of paths on standard input, or @FILE for one in a file"
            ) from None
        return Source(entry.name, Path(entry.id), entry.id, entry.size_bytes, entry_id=entry.id)


def _listed(text: str, where: str) -> tuple[Path, str | None]:
    """The path of one line of a list, and the name that it gives. Raises BadRequest."""
    if not text.lstrip().startswith("{"):
        return Path(text).expanduser(), None
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadRequest(f'{where} is no JSON ({error.msg}); write a path, or {{"source": "PATH"}}') from error
    unknown = sorted(set(found) - {"source", "name"})
    if unknown or not all(isinstance(value, str) and value for value in found.values()) or "source" not in found:
        raise BadRequest(f'{where} is {text.strip()[:80]!r}; write a path, or {{"source": "PATH", "name": "NAME"}}')
    return Path(found["source"]).expanduser(), found.get("name")


def _of_file(path: Path, name: str) -> Source:
    try:
        if not path.is_file():
            return _unreadable(path.absolute(), name, f"{name} is a named pipe, a socket or a device; name a file")
        file = SourceFile.of(path, name)
    except OSError as error:
        return _unreadable(path.absolute(), name, f"{name} cannot be opened: {error.strerror}")
    if not file.size_bytes:
        return _unreadable(path.resolve(), name, f"{name} cannot be read: {_EMPTY}")
    return Source(name, path.resolve(), file.id, file.size_bytes)


def _unreadable(path: Path, name: str, why: str) -> Source:
    return Source(name, path, hashlib.sha256(f"unreadable\0{name}".encode("utf-8", "replace")).hexdigest(), 0, why)


def _with_own_names(sources: list[Source]) -> list[Source]:
    """Of two files with one name, each gets as much of its path before it as tells them apart."""
    named = {index: source.name for index, source in enumerate(sources)}
    for depth in range(2, 64):
        groups: dict[str, list[int]] = defaultdict(list)
        for index, name in named.items():
            groups[name].append(index)
        crowded = [index for group in groups.values() if len(group) > 1 for index in group]
        if not crowded:
            break
        for index in crowded:
            below = named[index].count("/")
            named[index] = "/".join(shown(part) for part in sources[index].path.parts[-(max(depth, below + 2)) :])
    return [replace(source, name=named[index]) for index, source in enumerate(sources)]


def _no_progress(done: int, total: int) -> None:
    pass
