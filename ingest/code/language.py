"""The language of a code file, by its name and its first line, as pygments names it in lower case ("python", "c++")."""

import functools
import re
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

_SHEBANG = re.compile(r"#!\s*(?:\S*/)?(?:env\s+(?:-\S+\s+)*)?([A-Za-z+]+)")
_BY_SUFFIX = {  # where pygments knows several languages for a suffix, the usual one
    ".h": "c", ".cs": "c#", ".ts": "typescript", ".r": "r", ".pl": "perl", ".pm": "perl", ".php": "php", ".inc": "php",
    ".sql": "sql", ".v": "verilog", ".s": "gas", ".asm": "nasm", ".m": "objective-c", ".pro": "prolog",
    ".cls": "apex", ".cfg": "ini", ".conf": "ini", ".env": "bash", ".xml": "xml", ".js": "javascript", ".rs": "rust",
    ".toml": "toml", ".yaml": "yaml", ".yml": "yaml", ".scss": "scss", ".css": "css", ".vue": "vue", ".sh": "bash",
    ".ps1": "powershell", ".tf": "terraform", ".gradle": "groovy", ".ipynb": "jupyter notebook", ".svg": "xml",
    ".gd": "gdscript", ".mod": "go module", ".lua": "lua", ".jl": "julia",
}  # fmt: skip
_BY_NAME = {
    ".bashrc": "bash", ".profile": "bash", ".env": "bash", "jenkinsfile": "groovy", "dockerfile": "docker",
    "cmakelists.txt": "cmake",
}  # fmt: skip
_NOT_CODE = frozenset(
    {"text only", "markdown", "restructuredtext", "tex", "e-mail", "json", "html", "debian control file"}
)


def language_of(name: str, first_line: str = "") -> str | None:
    """None for a file that is not known to be code. `first_line` decides for names without a suffix (a shebang)."""
    path = PurePosixPath(name)
    base, suffix = path.name.lower(), path.suffix.lower()
    if base in _BY_NAME or base.startswith(".env."):
        return _BY_NAME.get(base, "bash")
    found = _BY_SUFFIX.get(suffix) or _by_pattern(path.name, suffix)
    if found is None and not suffix and (shebang := _SHEBANG.match(first_line)):
        found = _by_alias().get({"node": "javascript", "sh": "bash"}.get(shebang[1], shebang[1]))
    return None if found in _NOT_CODE else found


def _by_pattern(name: str, suffix: str) -> str | None:
    """By pygments' own patterns; of several languages the one that sorts first, so that it is always the same."""
    by_suffix, patterns = _pygments_patterns()
    if suffix and suffix in by_suffix:
        return by_suffix[suffix]
    return next((language for pattern, language in patterns if fnmatchcase(name, pattern)), None)


@functools.cache
def _pygments_patterns() -> tuple[dict[str, str], list[tuple[str, str]]]:
    from pygments.lexers import get_all_lexers  # type: ignore[import-untyped]

    by_suffix: dict[str, str] = {}
    patterns = []
    for name, _, globs, _ in sorted(get_all_lexers(plugins=False)):
        for glob in globs:
            if re.fullmatch(r"\*\.[A-Za-z0-9+-]+", glob):
                by_suffix.setdefault(glob[1:].lower(), name.lower())
            else:
                patterns.append((glob, name.lower()))
    return by_suffix, patterns


@functools.cache
def _by_alias() -> dict[str, str]:
    from pygments.lexers import get_all_lexers

    return {alias: name.lower() for name, aliases, _, _ in get_all_lexers(plugins=False) for alias in aliases}
