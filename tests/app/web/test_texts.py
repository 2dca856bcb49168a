"""The page's texts: all of them go through the catalogue, and each language says all of them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.pofile import read_po

from app.web import texts
from app.web.ask import _status
from app.web.asking import Progress
from app.web.render import answer as answer_fragments
from app.web.render.basics import duration, size
from app.web.render.library import document_list
from app.web.texts import number, speaking, spoken, t, tn, wanted
from llm.answer import Answer

ROOT = Path(__file__).resolve().parents[3]
WEB = ROOT / "app" / "web"
TEXTS = {"t", "tn", "noted"}
# What is no text of the page: the log, what only programs see, what is said before there is a page, messages to us.
NOT_SAID = {
    "BadSetting", "info", "warning", "error", "exception", "getLogger", "ContextVar", "compile", "Counter", "Histogram",
    "GaugeMetricFamily", "CounterMetricFamily", "UnknownToken", "on_text", "print", "Color", "APIRouter", "Lock",
    "find", "get",
}  # fmt: skip
NAMES = {"STYLE", "_MORE", "CONTENT_POLICY", "HEADERS", "SANS", "MONO", "TABLE_TYPES", "CONTENT_TYPE"}
FOR_PROGRAMS = {
    "Indexing", "Reading", "the table",  # a table's state over HTTP
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
}  # fmt: skip
PROPER = {"Longleaf", "MD", "HTML", "JSON", "JSONL", "CSV", "Excel", "kB", "MB", "GB", "KiB"}
SPOKEN = re.compile(r'\b(?:title|aria-label|placeholder|alt|label)="([^"]*)"')
MARKUP = re.compile(r'<[^<>]*>?|[\w-]+="[^"]*"?|[^<>"]*"?>|&\w+;')


def sources() -> list[Path]:
    """Not the guard: what it refuses comes from other sites and programs, before it is known who speaks."""
    return sorted(path for path in WEB.rglob("*.py") if path.name not in ("texts.py", "guard.py"))


def called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def written(node: ast.AST) -> str:
    """A string as it stands in the code, its values as \\0."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    assert isinstance(node, ast.JoinedStr), node
    return "".join(part.value if isinstance(part, ast.Constant) else "\0" for part in node.values)


def strings(node: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, text) of every string below `node` that is not handed to the catalogue, and is no docstring or name."""
    if isinstance(node, ast.Call) and called(node) in TEXTS:
        for value in node.keywords:
            yield from strings(value.value)
        return
    if isinstance(node, ast.Call) and called(node) in NOT_SAID:
        return
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(isinstance(target, ast.Name) and target.id in NAMES for target in targets):
            return
    if isinstance(node, ast.Assert | ast.Expr) and (
        isinstance(node, ast.Assert) or isinstance(node.value, ast.Constant)
    ):
        return
    if isinstance(node, ast.JoinedStr):
        yield node.lineno, written(node)
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                yield from strings(part.value)
        return
    if isinstance(node, ast.Constant):
        yield node.lineno, written(node)
        return
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and name not in ("annotation", "returns"):
                yield from strings(child)


def said(text: str) -> list[str]:
    """What of a piece of HTML, or of a plain string, a person would read as words."""
    parts = SPOKEN.findall(text) + re.split("\0", MARKUP.sub(" \0 ", text))
    return [part.strip() for part in parts if is_words(part.strip(" ·…:,;.()%/–"))]


def is_words(text: str) -> bool:
    if text in PROPER | FOR_PROGRAMS or re.search(
        r"[{}_=/\[\]\\#*$]|ll-|--|\b\w+-\w+-\w+|;$|no-store|same-origin", text
    ):
        return False
    return bool(re.search(r"[A-Za-z’']{2,}[,;:.]? [A-Za-z’']{2,}|^[A-Z][a-z]+$", text))


def outside(code: str) -> list[tuple[int, str]]:
    return [(line, part) for line, text in strings(ast.parse(code)) for part in said(text)]


def messages() -> set[tuple[str, ...]]:
    """Everything that the code hands to the catalogue."""
    found = set()
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and called(node) in TEXTS:
                literal = [
                    arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
                ]
                found |= {tuple(literal)} if literal else set()
    return found


def names_in(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(WEB)))
def test_no_text_stands_outside_of_the_catalogue(path: Path) -> None:
    assert outside(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "code",
    ['x = "Not found"', "x = f'<b>{n} pages left</b>'", "x = '<i title=\"Next page\"></i>'", 'gr.Button("Ask")'],
)
def test_what_stands_outside_is_noticed(code: str) -> None:
    assert outside(code)
    assert outside(f"def f():\n    {code}")


def test_texts_in_the_catalogue_and_markup_are_no_finding() -> None:
    code = (
        "x = f'<p class=\"ll-meta ll-quiet\" data-act=\"open\">{t(\"Not found\")}</p>' + tn('{n} page', '{n} pages', 1)"
    )
    assert outside(code) == []


@pytest.mark.parametrize("language", [each for each in texts.languages() if each != texts.ENGLISH])
def test_each_language_says_everything_with_the_same_values(language: str) -> None:
    with (texts.TEXTS_DIR / f"{language}.po").open("rb") as file:
        catalogue = read_po(file, locale=language, abort_invalid=True)
    there = {
        message.id if isinstance(message.id, tuple) else (message.id,): message for message in catalogue if message.id
    }
    assert messages() - set(there) == set()  # not translated
    assert set(there) - messages() == set()  # said nowhere any more
    for key, message in there.items():
        forms = message.string if isinstance(message.string, tuple) else (message.string,)
        assert all(forms), f"{key} is not translated"
        for form in forms:
            assert names_in(form) == names_in(key[-1]), f"{key}: {form}"
            assert not re.search('[<>"]', form), f"{form} would be markup"
        assert not message.fuzzy


def test_the_script_says_nothing_of_its_own() -> None:
    for path in sorted((ROOT / "assets" / "theme").glob("*.js")):
        code = re.sub(r"/\*.*?\*/", "", path.read_text("utf-8"), flags=re.DOTALL)
        shown = re.findall(r"(?:textContent|title|arg|body)\s*[:=]\s*[\"`]([A-Za-z][^\"`]*)", code)
        assert [text for text in shown if is_words(text)] == []
        for key in re.findall(r"[sS]ay\(\"(\w+)\"", code):
            assert key in script_texts(), key


def script_texts() -> dict[str, str]:
    from app.web.theme import _script_texts

    return _script_texts()


def test_words_numbers_and_amounts_are_those_of_the_language(answer: Answer) -> None:
    with speaking("de"):
        assert t("Not found") == "Nicht gefunden"
        assert (tn("{n} page", "{n} pages", 1), tn("{n} page", "{n} pages", 1200)) == ("1 Seite", "1.200 Seiten")
        assert (number(1234.5, 1), duration(1.25), size(3 * 1024**2)) == ("1.234,5", "1,2 s", "3,0 MB")
        shown = answer_fragments.answered(answer)
        assert "12 von 12 Seiten gelesen, alle 38.211 Tokens." in shown
        assert "lease.pdf</bdi>, Seite 3" in shown
        assert "Noch keine Dokumente." in document_list([], (), None)
    assert t("Not found") == "Not found"
    assert "Read 12 of 12 pages, all 38,211 tokens." in answer_fragments.answered(answer)


@pytest.mark.parametrize(
    ("cookies", "accepted", "language"),
    [
        ({}, "de-AT,de;q=0.9,en;q=0.8", "de"),
        ({}, "fr-FR,fr;q=0.9,de;q=0.5,en;q=0.7", "en"),
        ({}, "fr", "en"),
        ({}, "", "en"),
        ({}, "de;q=nonsense", "en"),
        ({"longleaf_language": "de"}, "en", "de"),
        ({"longleaf_language": "../../etc"}, "de", "de"),
    ],
)
def test_the_language_is_the_chosen_one_else_the_browsers(
    cookies: dict[str, str], accepted: str, language: str
) -> None:
    assert wanted(cookies, accepted) == language


def test_an_event_speaks_its_pages_language_step_by_step() -> None:
    def steps() -> Iterator[str]:
        yield t("Not found")
        yield t("Evidence")

    german = spoken(steps, "de")()
    assert next(german) == "Nicht gefunden"
    assert t("Not found") == "Not found"  # between two steps it is nobody's business
    assert next(german) == "Beleg"
    assert spoken(lambda: t("Not found"), "de")() == "Nicht gefunden"


def test_a_question_says_how_many_are_before_it_in_its_pages_language() -> None:
    assert _status(Progress("When?")) == "Opening the documents and the model"
    assert _status(Progress("When?", ahead=1)) == "1 question is answered before yours"
    with speaking("de"):
        assert _status(Progress("When?", ahead=3)) == "3 Fragen werden vor Ihrer beantwortet"
        assert _status(Progress("When?", status="Writing the answer")) == "Die Antwort wird geschrieben"
