"""What a folder holds that is nobody's writing: lock files, vendored trees, minified and generated files.

Each rule says why in one sentence; the survey lists every file that a rule leaves out.
"""

import re
from pathlib import Path, PurePosixPath

SAMPLE_BYTES = 64 * 1024
MAX_LINE_BYTES = 5_000  # one line of code; longer ones no person wrote
MAX_MEAN_LINE_BYTES = 500

VERSION_CONTROL_WHAT = "left out: version control"
_VERSION_CONTROL = frozenset({".git", ".hg", ".svn", ".bzr"})
_VENDORED = frozenset({
    "node_modules", "bower_components", "__pycache__", ".venv", "venv", ".tox", ".nox", "site-packages", ".mypy_cache",
    ".pytest_cache", ".ruff_cache", ".hypothesis", ".eggs", ".gradle", ".terraform", ".next", ".nuxt", ".parcel-cache",
    "__MACOSX", ".ipynb_checkpoints", ".idea", ".cache", "DerivedData", "Pods",
})  # fmt: skip
_LOCK_FILES = frozenset({
    "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb", "poetry.lock",
    "pdm.lock", "uv.lock", "pipfile.lock", "pixi.lock", "conda-lock.yml", "cargo.lock", "gemfile.lock", "composer.lock",
    "go.sum", "mix.lock", "pubspec.lock", "podfile.lock", "packages.lock.json", "package.resolved", "flake.lock",
    "cartfile.resolved", "gradle.lockfile", ".terraform.lock.hcl", "deno.lock",
})  # fmt: skip
_CLUTTER = frozenset({".ds_store", "thumbs.db", "desktop.ini"})
_MINIFIED = re.compile(r"[.-]min\.(?:js|mjs|cjs|css)$", re.I)
_WRITTEN = frozenset(
    {".txt", ".md", ".rst", ".csv", ".tsv", ".json", ".jsonl", ".html", ".htm", ".eml", ".ipynb", ".log"}
)
_GENERATED = re.compile(
    rb"@generated\b|(?:auto-?(?:matically)?[ -]?)?generated\b[^\n]{0,120}\bdo not (?:edit|modify)|"
    rb"do not (?:edit|modify)\b[^\n]{0,80}\bgenerated\b|this file (?:was|is) (?:auto-?|automatically )generated",
    re.I,
)
_HEAD_LINES = 12


def by_folder_name(name: str) -> tuple[str, str] | None:
    """(what, why) for a folder that is not entered, or None."""
    if name in _VERSION_CONTROL:
        return VERSION_CONTROL_WHAT, "version control's own records"
    return ("left out: tool files", "installed or cached files of a tool") if name in _VENDORED else None


def by_name(name: str) -> tuple[str, str] | None:
    """(what, why) for a file that its name leaves out, or None."""
    base = PurePosixPath(name).name.lower()
    if base in _VERSION_CONTROL:
        return VERSION_CONTROL_WHAT, "it points to version control's own records"
    if base in _LOCK_FILES:
        return "left out: lock file", "it was written by a package manager"
    if base in _CLUTTER:
        return "left out: system file", "it was written by the file manager"
    if _MINIFIED.search(base):
        return "left out: minified", "its name says that it is minified code"
    if base.endswith((".js.map", ".css.map", ".mjs.map", ".cjs.map", ".d.ts.map")):
        return "left out: source map", "it maps minified code to its source"
    return None


def by_content(path: Path, name: str) -> tuple[str, str] | None:
    """(what, why) for a code file that a program wrote, or None. Prose and data files are never left out by this."""
    if PurePosixPath(name).suffix.lower() in _WRITTEN:
        return None
    with path.open("rb") as stream:
        sample = stream.read(SAMPLE_BYTES)
    lines = sample.split(b"\n")
    if match := _GENERATED.search(b"\n".join(lines[:_HEAD_LINES])):
        said = match[0].decode("utf-8", "replace").strip()
        return "left out: generated", f'its head says "{said[:80]}"'
    longest, mean = max(map(len, lines)), len(sample) / len(lines)
    if longest > MAX_LINE_BYTES and mean > MAX_MEAN_LINE_BYTES:
        return (
            "left out: very long lines",
            f"it has a line of {longest:,} bytes or more, as minified code has",
        )
    return None
