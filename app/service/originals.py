"""The library's own copies of source files, and its scratch folders. Private: folders 0700, files 0600.

A copy is written under the work folder, checked against its id, and renamed into place only when the catalogue is
about to name it; so what lies under `originals` is always whole. What a killed process left is swept up later.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import psutil

from app.errors import LibraryUnusable, OriginalMissing

CHUNK_BYTES = 1 << 20


def private_dir(path: Path) -> Path:
    """The folder, made if missing, for its owner only. Raises LibraryUnusable."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.chmod(0o700)
    except OSError as error:
        raise LibraryUnusable(
            f"the folder {path} cannot be used ({error.strerror}); choose another --data-dir"
        ) from error
    return path


class Originals:
    """Copies by document id below `folder`."""

    def __init__(self, folder: Path, work_dir: Path) -> None:
        self.folder = private_dir(folder)
        self._work_dir = private_dir(work_dir)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder of this process on the same disk, gone afterwards; after a kill, with the next `sweep_scratch`."""
        name = f"{os.getpid()}-{int(psutil.Process().create_time())}-"
        folder = Path(tempfile.mkdtemp(prefix=name, dir=self._work_dir))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def sweep_scratch(self) -> None:
        """Removes the scratch folders of processes that are gone."""
        for folder in self._work_dir.iterdir():
            pid, _, rest = folder.name.partition("-")
            if pid.isdecimal() and not _runs(int(pid), rest.partition("-")[0]):
                shutil.rmtree(folder, ignore_errors=True)

    def stage(self, files: Mapping[str, Path], names: Mapping[str, str], scratch: Path) -> dict[Path, Path]:
        """Checked copies of what is not there yet, in `scratch`: copy -> its place. Raises OriginalMissing."""
        staging = private_dir(scratch / "originals")
        present = {name.partition(".")[0] for name in os.listdir(self.folder)}
        return {
            self._staged(document_id, file, scratch, staging): self.folder / (document_id + _suffix(names[document_id]))
            for document_id, file in files.items()
            if document_id not in present
        }

    def _staged(self, document_id: str, file: Path, scratch: Path, staging: Path) -> Path:
        target = staging / document_id
        if file.is_relative_to(scratch) and not file.is_symlink():  # unpacked from an archive: ours to move
            file.rename(target)
            target.chmod(0o600)
            return target
        digest = hashlib.sha256()
        with file.open("rb") as source, os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as copy:
            while chunk := source.read(CHUNK_BYTES):
                digest.update(chunk)
                copy.write(chunk)
        if digest.hexdigest() != document_id:
            raise OriginalMissing(f"{file.name} changed while it was being read; hand it over again")
        return target

    def settle(self, staged: Mapping[Path, Path]) -> None:
        """Puts staged copies into place. To be called inside the transaction that names them."""
        for copy, place in staged.items():
            copy.replace(place)

    def path(self, document_id: str) -> Path | None:
        """The copy of a document's file, or None: a folder and a map have none."""
        return next(self.folder.glob(f"{document_id}*"), None)

    def sweep(self, keep: set[str]) -> tuple[int, int]:
        """Removes every copy that is not of one of these ids. Returns (files, bytes)."""
        files = removed_bytes = 0
        for entry in os.scandir(self.folder):
            if entry.name.partition(".")[0] not in keep:
                removed_bytes += entry.stat().st_size
                os.unlink(entry.path)
                files += 1
        return files, removed_bytes


def _suffix(name: str) -> str:
    suffix = PurePosixPath(name.replace("\\", "/")).suffix
    return suffix.lower() if suffix[1:].isalnum() and suffix.isascii() and len(suffix) <= 16 else ""


def _runs(pid: int, created: str) -> bool:
    try:
        process = psutil.Process(pid)
        return int(process.create_time()) == int(created) and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, ValueError):
        return False
