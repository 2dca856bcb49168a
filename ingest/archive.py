"""Unpacks zip and tar archives below a folder of ours, safely; their members are then read as a folder's.

Guarantees: nothing is written outside the target; absolute names, "..", links and devices are refused as problems;
permission bits are not taken over; sizes are checked as declared before, and as counted while, unpacking. Runs in the
child process.
"""

import bz2
import gzip
import io
import json
import lzma
import os
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from ingest.document import Problem, Severity
from ingest.errors import PasswordRequired, SourceTooLarge, UnreadableSource, UnsupportedSource
from ingest.options import MIB, Limits, ReadOptions
from ingest.reader import OnProgress

MAX_DEPTH = 100  # folders in a member's name
PIECE_BYTES = 256 * 1024
EXPANSION_FROM_BYTES = MIB  # smaller members may expand as they like
MAX_HELD_BYTES = 64 * MIB  # that a tar header may ask to be held in memory
AES = 99  # zip's number for a member encrypted with AES, which the standard library cannot undo
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, ValueError)
_UNPACKERS: dict[bytes, Callable[[Path], Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What came out of an archive."""

    top: str  # the single top folder that all members share, "" when there is none
    problems: tuple[Problem, ...]
    written_bytes: int

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode("ascii")

    @classmethod
    def from_json(cls, data: bytes) -> "Unpacked":
        raw = json.loads(data)
        problems = (Problem(**{**each, "severity": Severity(each["severity"])}) for each in raw["problems"])
        return cls(raw["top"], tuple(problems), raw["written_bytes"])


def unpack_archive(path: Path, name: str, target: Path, options: ReadOptions, on_progress: OnProgress) -> bytes:
    """The task that the door runs in the child: unpacks below `target`, gives `Unpacked` as JSON.

    Raises PasswordRequired, SourceTooLarge, UnreadableSource, UnsupportedSource.
    """
    unpacking = _Unpacking(name, path.stat().st_size, target, options.limits, on_progress)
    with path.open("rb") as stream:
        head = stream.read(512)
    try:
        if head.startswith(b"PK"):
            _unpack_zip(path, unpacking, options.password)
        else:
            _unpack_tar(path, head, unpacking)
    except (*_DAMAGED, OSError) as error:
        raise UnreadableSource(f"{name} cannot be unpacked ({error or type(error).__name__}); get it again") from error
    return Unpacked(unpacking.top(), tuple(unpacking.problems), unpacking.written_bytes).to_json()


@dataclass
class _Unpacking:
    """Where one archive's members go, and what they may cost."""

    name: str
    packed_bytes: int
    target: Path
    limits: Limits
    on_progress: OnProgress
    problems: list[Problem] = field(default_factory=list)
    tops: set[str] = field(default_factory=set)
    members: int = 0
    written_bytes: int = 0

    def refuse(self, member: str, why: str) -> None:
        shown = member.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        self.problems.append(Problem(shown, None, "left out: refused from archive", why))

    def place(self, member: str, declared_bytes: int) -> Path | None:
        """Where a member is to be written; None, with a problem, when it must not be. Raises SourceTooLarge."""
        self.members += 1
        self.on_progress(self.members, 0)
        if self.members > self.limits.max_archive_members:
            raise SourceTooLarge(f"{self.name} has more than {self.limits.max_archive_members:,} members, the limit")
        self.check_total(declared_bytes)
        parts = [part for part in PurePosixPath(member).parts if part != "."]
        if why := self.why_not(member, parts):
            self.refuse(member, why)
            return None
        self.tops.add(parts[0] if len(parts) > 1 else "")
        return self.target.joinpath(*parts)

    def why_not(self, member: str, parts: list[str]) -> str | None:
        """Why a member's name is refused; otherwise its folder is made."""
        if member.startswith("/") or ".." in parts or re.match(r"[A-Za-z]:", member) or "\0" in member or not parts:
            return "its name leads outside the archive"
        if len(parts) > MAX_DEPTH:
            return f"it lies more than {MAX_DEPTH} folders deep"
        destination = self.target.joinpath(*parts)
        try:
            destination.parent.mkdir(parents=True, exist_ok=True)
            return "the archive has a member of that name already" if os.path.lexists(destination) else None
        except OSError as error:
            return f"its name cannot be written here: {error.strerror}"

    def write(self, source: IO[bytes], destination: Path, packed_bytes: int) -> None:
        """Raises SourceTooLarge as soon as a limit is passed, whatever the archive declared."""
        count = 0
        with destination.open("xb") as out:
            while piece := source.read(PIECE_BYTES):
                self.check_total(len(piece))
                count += len(piece)
                if count > EXPANSION_FROM_BYTES and count > packed_bytes * self.limits.max_expansion:
                    raise SourceTooLarge(
                        f"{self.name} expands {destination.name} to more than {self.limits.max_expansion} times its "
                        "packed size, the limit; it looks like a decompression bomb"
                    )
                out.write(piece)
                self.written_bytes += len(piece)

    def check_total(self, more_bytes: int) -> None:
        if self.written_bytes + more_bytes > self.limits.max_archive_bytes:
            limit = self.limits.max_archive_bytes // MIB
            raise SourceTooLarge(f"{self.name} unpacks to more than {limit:,} MiB, the limit; hand over a part of it")

    def top(self) -> str:
        return next(iter(self.tops)) if len(self.tops) == 1 else ""


def _unpack_zip(path: Path, unpacking: _Unpacking, password: str | None) -> None:
    with zipfile.ZipFile(path) as archive:
        members = [info for info in archive.infolist() if not info.is_dir()]
        finder = [info for info in members if info.filename.startswith("__MACOSX/")]
        if finder:
            unpacking.refuse("__MACOSX/", f"{len(finder)} files are the Finder's own records")
        for info in members:
            if info not in finder:
                _unpack_zip_member(archive, info, unpacking, password)


def _unpack_zip_member(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, unpacking: _Unpacking, password: str | None
) -> None:
    member = info.filename.replace("\\", "/")
    if stat.S_ISLNK(info.external_attr >> 16):
        unpacking.refuse(member, "it is a link")
        return
    if info.compress_type == AES:
        raise UnsupportedSource(f"{unpacking.name} is encrypted with AES; unpack it yourself, or pack it without AES")
    if (destination := unpacking.place(member, info.file_size)) is None:
        return
    encrypted = bool(info.flag_bits & 1)
    if encrypted and password is None:
        raise PasswordRequired(f"{unpacking.name} is encrypted; give its password")
    try:
        with archive.open(info, pwd=password.encode() if encrypted and password else None) as source:
            unpacking.write(source, destination, info.compress_size)
    except (*_DAMAGED, NotImplementedError, RuntimeError) as error:
        destination.unlink(missing_ok=True)
        if encrypted:
            raise PasswordRequired(f"{unpacking.name} does not open with the password given; give another") from error
        unpacking.refuse(member, f"it cannot be unpacked: {error}")


class _Bounded(io.RawIOBase):
    """A stream that never gives more than `MAX_HELD_BYTES` at once: tarfile holds extended headers in memory."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_HELD_BYTES:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        return self._stream.read(size)

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        return self._stream.seek(position, whence)

    def tell(self) -> int:
        return self._stream.tell()


def _unpack_tar(path: Path, head: bytes, unpacking: _Unpacking) -> None:
    opener = next((opener for magic, opener in _UNPACKERS.items() if head.startswith(magic)), None)
    with opener(path) if opener else path.open("rb") as stream:
        start = stream.read(512)
        stream.seek(0)
        if start[257:262] != b"ustar" and not _is_old_tar(start):
            _unpack_single(stream, unpacking)
            return
        with tarfile.open(fileobj=cast(IO[bytes], _Bounded(stream)), mode="r:") as archive:
            for info in archive:
                _unpack_tar_member(archive, info, unpacking)
                archive.members.clear()  # type: ignore[attr-defined]  # tarfile keeps every header otherwise


def _is_old_tar(block: bytes) -> bool:
    """A tar without the mark "ustar": its header's checksum is right."""
    try:
        tarfile.TarInfo.frombuf(block, tarfile.ENCODING, "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _unpack_single(stream: IO[bytes], unpacking: _Unpacking) -> None:
    """One packed file that is no archive: notes.txt.gz."""
    name = PurePosixPath(unpacking.name).name
    if name.lower().endswith((".tgz", ".tbz2", ".txz", ".tar", ".tar.gz", ".tar.bz2", ".tar.xz")):
        raise UnreadableSource(f"{unpacking.name} is named as a tar archive but does not hold one; get it again")
    destination = unpacking.place(re.sub(r"(?i)\.(gz|bz2|xz)$", "", name), 0)
    if destination is not None:
        unpacking.write(stream, destination, unpacking.packed_bytes)


def _unpack_tar_member(archive: tarfile.TarFile, info: tarfile.TarInfo, unpacking: _Unpacking) -> None:
    if info.isdir():
        return
    if not info.isreg():
        unpacking.refuse(
            info.name, "it is a link" if info.issym() or info.islnk() else "it is a device or a named pipe"
        )
        return
    destination = unpacking.place(info.name, info.size)
    source = archive.extractfile(info) if destination is not None else None
    if destination is not None and source is not None:
        unpacking.write(source, destination, unpacking.packed_bytes)
