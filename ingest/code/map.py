"""The map of a folder: a document that says what lies where, made from the members after they are read.

Its text is plain sentences ("class Foo is defined in src/foo.py, line 12"), because it is read, searched and cited
like any other document. Bounded: where a repository has more names than fit, the least telling kinds are left out
first, and the map says how many.
"""

import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import PurePosixPath

from ingest.code.definitions import has_definitions
from ingest.document import Definition, Document, Kind, Page, Problem, Severity

MAP_NAME = "(map)"
MAX_NAMES_CHARS = 400_000  # of the sentences about names: about 100,000 tokens
MAX_TREE_LINES = 5_000
MAX_EMPTY = 20
_TELLING = (  # the kinds that are kept longest come first
    {"class", "interface", "struct", "trait", "enum", "record", "protocol", "object", "module", "namespace", "type"},
    {"function", "macro", "union", "annotation", "delegate", "mixin", "extension"},
    {"method"},
    {"constant"},
)
_IN_SENTENCES = (0, 1)


def make_map(
    folder_name: str, members: Sequence[Document], empty: Sequence[str], count_tokens: Callable[[str], int] | None
) -> Document:
    """The map of the members. Sizes are in tokens: counted, or a quarter of the characters and marked "about"."""
    names, num_dropped = _names(members)
    parts = [
        *_summary(folder_name, members, count_tokens),
        "",
        *_tree(members, empty, count_tokens),
        "",
        *_without_names(members),
        *names,
    ]
    text = "\n".join(parts) + "\n"
    dropped = f"{num_dropped:,} of the less telling names (constants first, then methods) are not listed in the map"
    problems = (Problem(MAP_NAME, None, "map shortened", dropped, Severity.NOTICE),) if num_dropped else ()
    data = text.encode("utf-8")
    identity = hashlib.sha256(data).hexdigest()
    return Document(identity, MAP_NAME, Kind.MAP, (Page(1, text),), size_bytes=len(data), problems=problems)


def _summary(folder_name: str, members: Sequence[Document], count_tokens: Callable[[str], int] | None) -> Iterator[str]:
    languages = Counter(member.language for member in members if member.language)
    yield f"Map of {folder_name}"
    yield f"{folder_name} has {_number(len(members), 'file')}, {_tokens(members, count_tokens)} in all."
    if languages:
        yield "Languages: " + ", ".join(f"{name} ({_number(n, 'file')})" for name, n in languages.most_common(20)) + "."


def _tree(
    members: Sequence[Document], empty: Sequence[str], count_tokens: Callable[[str], int] | None
) -> Iterator[str]:
    """The files with their sizes, indented below their folders."""
    yield "Files:"
    shown_folders: tuple[str, ...] = ()
    for member in members[:MAX_TREE_LINES]:
        path = PurePosixPath(member.name)
        folders = path.parts[:-1]
        for depth, folder in enumerate(folders):
            if folders[: depth + 1] != shown_folders[: depth + 1]:
                yield "  " * (depth + 1) + folder + "/"
        shown_folders = folders
        pages = f", {_number(len(member.pages), 'page')}" if len(member.pages) > 1 else ""
        language = f", {member.language}" if member.language else ""
        yield f"{'  ' * len(path.parts)}{path.name} ({_tokens([member], count_tokens)}{pages}{language})"
    if len(members) > MAX_TREE_LINES:
        yield f"  and {len(members) - MAX_TREE_LINES:,} more files, which are not listed here."
    if empty:
        more = f" and {len(empty) - MAX_EMPTY:,} more" if len(empty) > MAX_EMPTY else ""
        yield f"Empty files: {', '.join(empty[:MAX_EMPTY])}{more}."


def _without_names(members: Sequence[Document]) -> Iterator[str]:
    languages = {m.language for m in members if m.language and m.kind is Kind.CODE and not has_definitions(m.language)}
    if languages:
        yield f"Defined names are not listed for these languages: {', '.join(sorted(languages))}."


def _names(members: Sequence[Document]) -> tuple[list[str], int]:
    """The lines about defined names, by file, and the number of names that found no room."""
    num_all = sum(len(member.definitions) for member in members)
    sentences = next((ranks for ranks in (_IN_SENTENCES, ()) if _kept(members, ranks) >= set(ranks)), ())
    kept = _kept(members, sentences)
    num_listed, room = 0, MAX_NAMES_CHARS
    lines: list[str] = []
    for member in members:
        told = [each for each in member.definitions if _rank(each) in kept]
        head = ["", f"Names defined in {member.name}:"] if sentences else []
        block = [*head, *_told(told, member.name, sentences)] if told else []
        room -= sum(map(len, block)) + len(block)
        if told and room >= 0:
            num_listed += len(told)
            lines += block
    if num_listed < num_all:
        lines += ["", f"This map is shortened: {num_all - num_listed:,} of {num_all:,} defined names are not listed."]
    return lines, num_all - num_listed


def _told(definitions: Sequence[Definition], file_name: str, sentences: Collection[int]) -> Iterator[str]:
    """A sentence for each name of the ranks in `sentences`; of the others a line for each owner, to save room."""
    by_owner: dict[str, list[str]] = {}
    for each in definitions:
        if _rank(each) in sentences:
            yield f"{each.kind} {each.name} is defined in {file_name}, line {each.line}"
        else:
            owner, _, name = each.name.rpartition("::" if "::" in each.name else ".")
            by_owner.setdefault(owner, []).append(f"{each.kind} {name} (line {each.line})")
    for owner, names in by_owner.items():
        yield f"{f'{owner} in {file_name}' if owner else file_name} has {', '.join(names)}"


def _kept(members: Sequence[Document], sentences: Collection[int]) -> set[int]:
    """The ranks that fit together, the most telling first, when those in `sentences` get one each."""
    chars: Counter[int] = Counter()
    for member in members:
        chars[-1] += 2 * len(member.name) + 30 if member.definitions else 0
        for each in member.definitions:
            around = 26 + len(member.name) if _rank(each) in sentences else 14
            chars[_rank(each)] += len(each.kind) + len(each.name) + around
    fitting = itertools.takewhile(lambda upto: upto[1] <= MAX_NAMES_CHARS, _running(sorted(chars.items())))
    return {rank for rank, _ in fitting} | {0}  # -1 is what the files themselves take


def _running(chars: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """(rank, characters up to and with it)"""
    total = 0
    for rank, count in chars:
        total += count
        yield rank, total


def _rank(definition: Definition) -> int:
    return next((rank for rank, kinds in enumerate(_TELLING) if definition.kind in kinds), len(_TELLING))


def _tokens(members: Sequence[Document], count_tokens: Callable[[str], int] | None) -> str:
    texts = [page.text for member in members for page in member.pages]
    if count_tokens is None:
        return f"about {_number((sum(map(len, texts)) + 3) // 4, 'token')}"
    return _number(sum(map(count_tokens, texts)), "token")


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
