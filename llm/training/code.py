"""Questions about real source code, made from Python's own standard library. Every answer stands in the source."""

import ast
import random
import sysconfig
from collections import Counter
from functools import cache
from pathlib import Path

from llm.training.sources import Part, Passage, Question, part_of

_PACKAGES = ("", "json", "email", "http", "logging", "concurrent/futures", "importlib", "asyncio", "urllib", "xml/dom")
_MAX_CHARS, _MIN_CHARS = 1_300, 120


def code_passages(part: Part) -> list[Passage]:
    """Functions and classes of the standard library with questions on them. Held out by file."""
    return [passage for passage in _every_passage() if part_of("code", passage.name or "") == part]


@cache
def _every_passage() -> tuple[Passage, ...]:
    root = Path(sysconfig.get_paths()["stdlib"])
    passages: list[Passage] = []
    for package in _PACKAGES:
        for path in sorted((root / package).glob("*.py")):
            source = path.read_text(encoding="utf-8", errors="replace")
            passages += _of_file(path.relative_to(root).as_posix(), source)
    times = Counter(passage.context for passage in passages)
    return tuple(passage for passage in passages if times[passage.context] == 1)  # of two, no file can be named


def _of_file(name: str, source: str) -> list[Passage]:
    try:
        tree = ast.parse(source)
    except SyntaxError:  # files that test the parser
        return []
    passages, lines = [], source.split("\n")
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef):
            continue
        text = "\n".join(lines[node.lineno - 1 : node.end_lineno])
        if not _MIN_CHARS <= len(text) <= _MAX_CHARS:
            continue
        alone = ast.parse(text).body[0]  # places in a short text are found faster than in the whole file
        assert isinstance(alone, ast.FunctionDef | ast.ClassDef), "the lines of one definition parse as one"
        questions = _questions(alone, text, name)
        if questions:
            passages.append(Passage("code", text, tuple(questions), name))
    return passages


def _questions(node: ast.FunctionDef | ast.ClassDef, source: str, file: str) -> list[Question]:
    rng = random.Random(f"{file}:{node.name}")
    asks = ["Which file defines {}?", "Where is {} defined?", "In which file is {} defined?"]
    questions = [Question(rng.choice(asks).format(node.name), (file,))]
    functions = (
        [node] if isinstance(node, ast.FunctionDef) else [n for n in node.body if isinstance(n, ast.FunctionDef)]
    )
    for function in functions[:4]:
        owner = f"{node.name}.{function.name}" if function is not node else function.name
        questions += _on_function(function, owner, source, rng)
    if isinstance(node, ast.ClassDef):
        if len(node.bases) == 1:
            questions.append(Question(f"Which class does {node.name} inherit from?", (ast.unparse(node.bases[0]),)))
        questions += [Question(f"Which class has the method {f.name}?", (node.name,)) for f in functions[:1]]
    return questions


def _on_function(function: ast.FunctionDef, owner: str, source: str, rng: random.Random) -> list[Question]:
    found: list[tuple[str, str | None]] = []
    returns = [n.value for n in ast.walk(function) if isinstance(n, ast.Return) and n.value is not None]
    if len(returns) == 1:
        ask = rng.choice(["What does {} return?", "What is the return value of {}?", "What is returned by {}?"])
        found.append((ask.format(owner), ast.get_source_segment(source, returns[0])))
    raised = [n.exc for n in ast.walk(function) if isinstance(n, ast.Raise) and isinstance(n.exc, ast.Call)]
    if len(raised) == 1 and isinstance(raised[0], ast.Call):
        ask = rng.choice(["Which exception does {} raise?", "What error can {} raise?"])
        found.append((ask.format(owner), ast.get_source_segment(source, raised[0].func)))
    arguments = function.args
    with_default = list(zip(arguments.args[::-1], arguments.defaults[::-1], strict=False))
    with_default += [(a, d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d is not None]
    for argument, default in with_default[:2]:
        ask = rng.choice(["What is the default of parameter {0} of {1}?", "What is the default value of {0} in {1}?"])
        found.append((ask.format(argument.arg, owner), ast.get_source_segment(source, default)))
    documentation = ast.get_docstring(function)
    if documentation and len(first := documentation.strip().split("\n")[0]) <= 90:
        found.append((rng.choice(["What does {} do?", "What is {} for?"]).format(owner), first))
    return [Question(ask, (answer,)) for ask, answer in found if answer and len(answer) <= 90 and "\n" not in answer]
