"""Which files git would ignore: nested `.gitignore` files, negation, and `.git/info/exclude`.

As git does: the deepest file with an opinion decides, and nothing inside an ignored folder comes back. Not known
here: files that were added although ignored, and the person's own global excludes.
"""

from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

MAX_BYTES = 1024 * 1024  # of one .gitignore


@dataclass(frozen=True, slots=True)
class Ignored:
    """The ignore rules that hold in one folder, from the root's down to its own."""

    specs: tuple[tuple[str, GitIgnoreSpec], ...] = ()  # (folder below the root with "/" at its end, its rules)

    @classmethod
    def at_root(cls, root: Path) -> "Ignored":
        exclude = _spec(root / ".git" / "info" / "exclude")
        return cls((("", exclude),) if exclude else ()).inside(root, "")

    def inside(self, folder: Path, below: str) -> "Ignored":
        """The rules with those of the folder's own .gitignore added. `below` is its path below the root, with "/"."""
        own = _spec(folder / ".gitignore")
        return Ignored((*self.specs, (below, own))) if own else self

    def __contains__(self, path: object) -> bool:
        """Whether a path below the root is ignored; a folder's path ends in "/"."""
        for below, spec in reversed(self.specs):
            decided = spec.check_file(str(path)[len(below) :]).include
            if decided is not None:
                return decided
        return False


def _spec(path: Path) -> GitIgnoreSpec | None:
    if path.is_symlink() or not path.is_file():
        return None
    with path.open("rb") as stream:
        lines = stream.read(MAX_BYTES).decode("utf-8", "replace").splitlines()
    return GitIgnoreSpec.from_lines(line for line in lines if _is_pattern(line))


def _is_pattern(line: str) -> bool:
    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False  # git passes over what it does not understand, too
    return True
