"""Walks a folder and says what will be read, what is left out, and why. Reads no more of a file than its head.

Hidden files are read like others (a likely secret in one is reported with it).

Guarantees: every file below the root is either listed, or covered by a problem; links are never followed; named pipes,
sockets and devices are never opened; the names that people see are valid Unicode. Runs in the child process.
"""

import json
import os
import stat
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath

from ingest.document import Problem, Severity
from ingest.errors import IngestError, UnsupportedSource
from ingest.folder import leftout
from ingest.folder.ignore import Ignored
from ingest.formats import detect
from ingest.options import MIB, Limits
from ingest.reader import OnProgress

MAX_DEPTH = 100  # folders below the root
MAX_NAMED = 20  # problems for one reason, before they are told by folder
_UNREADABLE = ("left out: unknown format", "left out: damaged", "left out: unreadable", "left out: too large")


@dataclass(frozen=True, slots=True)
class Listed:
    """A file to be read."""

    path: str  # below the root, as the file system spells it (surrogate escapes where it is not UTF-8)
    name: str  # the same for people
    is_archive: bool


@dataclass(frozen=True, slots=True)
class Survey:
    """What a folder holds."""

    files: tuple[Listed, ...]
    empty: tuple[str, ...]  # names of files without content: there is nothing to read in them
    problems: tuple[Problem, ...]
    unreadable: tuple[tuple[str, str], ...]  # (name, why) of each file that was left out because it cannot be read

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode("ascii")

    @classmethod
    def from_json(cls, data: bytes) -> "Survey":
        raw = json.loads(data)
        problems = (Problem(**{**each, "severity": Severity(each["severity"])}) for each in raw["problems"])
        files = tuple(Listed(**each) for each in raw["files"])
        unreadable = tuple((name, why) for name, why in raw["unreadable"])
        return cls(files, tuple(raw["empty"]), tuple(problems), unreadable)


def survey_folder(root: Path, limits: Limits, on_progress: OnProgress) -> bytes:
    """The task that the door runs in the child: `Survey` as JSON, files in the order of their names."""
    walk = _Walk(root, limits, on_progress)
    walk.folder("", Ignored.at_root(root))
    return walk.result().to_json()


def shown(path: str) -> str:
    """A path for people: what is not UTF-8 in it becomes U+FFFD, and "/" separates on every system."""
    return os.fsencode(path).decode("utf-8", "replace").replace(os.sep, "/")


@dataclass(frozen=True, slots=True)
class _LeftOut:
    path: str  # ends in "/" for a folder
    why: str
    num_files: int = 1

    def told(self) -> str:
        return f"{self.why} ({_files(self.num_files)})" if self.path.endswith("/") else self.why


@dataclass
class _Walk:
    root: Path
    limits: Limits
    on_progress: OnProgress
    files: list[Listed] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    left_out: dict[str, list[_LeftOut]] = field(default_factory=lambda: defaultdict(list))  # by what
    names: set[str] = field(default_factory=set)

    def folder(self, below: str, ignored: Ignored) -> None:
        """Lists one folder: its files by name, then its folders."""
        try:
            with os.scandir(self.root / below) as listing:
                entries = sorted(listing, key=lambda entry: (entry.is_dir(follow_symlinks=False), entry.name))
        except OSError as error:
            self.leave_out(below.rstrip("/"), "left out: unreadable", f"the folder cannot be opened: {error.strerror}")
            return
        for entry in entries:
            path = below + entry.name
            if not entry.is_dir(follow_symlinks=False):
                self.file(path, entry, ignored)
            elif path.count("/") >= MAX_DEPTH:
                self.leave_out_folder(path, "left out: too deep", f"it lies more than {MAX_DEPTH} folders deep")
            elif reason := leftout.by_folder_name(entry.name):
                self.leave_out_folder(path, *reason)
            elif path + "/" in ignored:
                self.leave_out_folder(path, "left out: ignored", "a .gitignore names it")
            else:
                self.folder(path + "/", ignored.inside(self.root / path, path + "/"))

    def file(self, path: str, entry: "os.DirEntry[str]", ignored: Ignored) -> None:
        self.on_progress(len(self.files), 0)
        try:
            reason = self.reason_against(path, entry, ignored)
        except UnsupportedSource as error:
            reason = ("left out: unknown format", _about_it(error, shown(path)))
        except IngestError as error:
            reason = ("left out: damaged", _about_it(error, shown(path)))
        except OSError as error:
            reason = ("left out: unreadable", f"the file cannot be opened: {error.strerror}")
        if reason:
            self.leave_out(path, *reason)

    def reason_against(self, path: str, entry: "os.DirEntry[str]", ignored: Ignored) -> tuple[str, str] | None:
        """(what, why) when the file is not to be read; otherwise lists it."""
        name, mode = shown(path), entry.stat(follow_symlinks=False).st_mode
        if entry.is_symlink():
            return "left out: link", _where_link_leads(self.root, Path(entry.path))
        if not stat.S_ISREG(mode):
            return "left out: not a file", "it is a named pipe, a socket or a device, and those are never opened"
        if path in ignored:
            return "left out: ignored", "a .gitignore names it"
        size = entry.stat(follow_symlinks=False).st_size
        if reason := leftout.by_name(name):
            return reason
        if size > self.limits.max_file_bytes:
            limit = self.limits.max_file_bytes // MIB
            return "left out: too large", f"it has {size // MIB:,} MiB, and the limit is {limit:,} MiB for one file"
        if size == 0:
            self.empty.append(name)
            return None
        return self.list_by_content(path, name)

    def list_by_content(self, path: str, name: str) -> tuple[str, str] | None:
        found = detect(self.root / path, name)
        if found.package in ("ingest.code", "ingest.text") and (reason := leftout.by_content(self.root / path, name)):
            return reason
        while name in self.names:  # two names that differ only in bytes that are not UTF-8
            name = str(PurePosixPath(name).with_stem(PurePosixPath(name).stem + "\N{REPLACEMENT CHARACTER}"))
        self.names.add(name)
        self.files.append(Listed(path, name, found.is_archive))
        return None

    def leave_out(self, path: str, what: str, why: str) -> None:
        self.left_out[what].append(_LeftOut(path, why))

    def leave_out_folder(self, path: str, what: str, why: str) -> None:
        """One problem for a whole folder, with the number of its files."""
        count = sum(len(files) for _, _, files in os.walk(self.root / path))
        self.left_out[what].append(_LeftOut(path + "/", why, count))

    def result(self) -> Survey:
        problems = (problem for what, group in self.left_out.items() for problem in _told(what, group))
        unreadable = [(shown(each.path), each.why) for what in _UNREADABLE for each in self.left_out.get(what, ())]
        return Survey(tuple(self.files), tuple(self.empty), tuple(problems), tuple(unreadable))


def _told(what: str, left_out: list[_LeftOut]) -> Iterator[Problem]:
    """One problem for each; where they are many for one reason, one for each folder that holds several."""
    parents = [PurePosixPath(shown(each.path)).parent.parts for each in left_out]
    depths = range(max(map(len, parents)), -1, -1)
    depth = next(depth for depth in depths if len({parts[:depth] for parts in parents}) <= MAX_NAMED or not depth)
    by_folder: dict[tuple[str, ...], list[_LeftOut]] = defaultdict(list)
    for parts, each in zip(parents, left_out, strict=True):
        by_folder[parts[:depth]].append(each)
    severity = Severity.NOTICE if what == leftout.VERSION_CONTROL_WHAT else Severity.LEFT_OUT
    for parts, group in by_folder.items():
        if len(group) == 1 or len(left_out) <= MAX_NAMED:
            yield from (Problem(shown(each.path), None, what, each.told(), severity) for each in group)
            continue
        first = ", ".join(shown(each.path) for each in group[:3])
        why = f"{_files(sum(each.num_files for each in group))} such as {first}: {group[0].why}"
        yield Problem("/".join(parts) + "/" if parts else "(everywhere)", None, what, why, severity)


def _about_it(error: IngestError, name: str) -> str:
    """The error's sentence without the name, which stands beside it."""
    sentence = str(error)
    return "it " + sentence.removeprefix(name + " ") if sentence.startswith(name + " ") else sentence


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"


def _where_link_leads(root: Path, link: Path) -> str:
    target = shown(os.readlink(link))
    try:
        resolved = link.resolve(strict=True)
    except (OSError, RuntimeError):
        return f"it is a link to {target}, which leads nowhere or in a circle"
    inside = resolved.is_relative_to(root.resolve())
    return f"it is a link to {target}, " + ("which is read under its own name" if inside else "outside the folder")
