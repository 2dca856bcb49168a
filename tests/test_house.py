"""The house rules that a linter does not know: who imports whom, what an import may do, sizes, and true documents."""

import ast
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RANK = {"ingest": 0, "vision": 1, "llm": 2, "app": 3}
NEVER = {
    "ingest": ("torch", "transformers", "sentence_transformers", "gradio", "requests", "httpx", "urllib.request"),
    "vision": ("gradio", "fastapi", "click"),
    "llm": ("gradio", "fastapi", "click"),
    "app": (),
}
DEVELOPERS_TOOLS = {
    ROOT / "llm/evidence/fit.py",
    ROOT / "llm/loading/narrow.py",
    ROOT / "llm/tables/fit.py",
    ROOT / "app/bench/peers/llama_cpp.py",
}
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
MAX_FORWARD_LINES = 80


def sources(*packages: str) -> Iterator[Path]:
    for package in packages or RANK:
        yield from sorted((ROOT / package).rglob("*.py"))


def shipped() -> list[Path]:
    return [ROOT / "app.py", *sources()]


def imported(tree: ast.AST, path: Path) -> Iterator[tuple[int, str]]:
    """(line, module) of every import, those inside functions and `if TYPE_CHECKING` included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = path.parts[: -node.level] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            yield from ((node.lineno, str(name.value)) for name in node.args[:1] if isinstance(name, ast.Constant))


def wrong_imports(code: str, path: Path) -> list[str]:
    """Imports in `code`, the file at `path` below the root, that go upward or bring what its package never brings."""
    package = path.parts[0]
    wrong = []
    for line, module in imported(ast.parse(code), path):
        goes_up = RANK.get(module.split(".")[0], -1) > RANK[package]
        if goes_up or any(f"{module}.".startswith(f"{name}.") for name in NEVER[package]):
            wrong.append(f"{path}:{line} imports {module}")
    return wrong


def test_imports_go_one_way() -> None:
    wrong = [line for path in sources() for line in wrong_imports(path.read_text("utf-8"), path.relative_to(ROOT))]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("path", "code", "module"),
    [
        ("ingest/pdf/layout.py", "def f():\n    import torch.nn", "torch.nn"),
        ("ingest/door.py", "if TYPE_CHECKING:\n    from llm.answer import Answer", "llm.answer.Answer"),
        ("vision/patches.py", "from llm import Engine", "llm.Engine"),
        ("llm/engine.py", "importlib.import_module('app.settings')", "app.settings"),
        ("llm/engine.py", "import gradio as gr", "gradio"),
    ],
)
def test_a_wrong_import_is_seen(path: str, code: str, module: str) -> None:
    assert [line.endswith(f"imports {module}") for line in wrong_imports(code, Path(path))] == [True]


def test_a_right_import_is_left_alone() -> None:
    assert wrong_imports("from . import links\nfrom ..document import Page\nimport fitz", Path("ingest/pdf/a.py")) == []
    assert wrong_imports("from ingest.document import Page\nimport torch", Path("llm/engine.py")) == []


def run_python(code: str) -> str:
    """Standard output of a fresh interpreter at the root of the project."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("package", "absent"), [("ingest", ("torch", "transformers", "gradio")), ("llm", ("gradio", "fastapi"))]
)
def test_importing_a_package_brings_no(package: str, absent: tuple[str, ...]) -> None:
    assert run_python(f"import sys, {package}; print(*sorted(set({absent!r}) & set(sys.modules)))") == ""


QUIET_IMPORT = """
import logging, os, sys
seen = []
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.bind"):
        seen.append(f"{event} {arguments[1:]}")
sys.addaudithook(watch)
before = {name: value for name, value in os.environ.items() if name.startswith(("LONGLEAF_", "OMP_", "HF_", "CUDA_"))}
import ingest, vision, llm, app
after = {name: value for name, value in os.environ.items() if name.startswith(("LONGLEAF_", "OMP_", "HF_", "CUDA_"))}
if before != after:
    seen.append(f"environment {sorted(set(before.items()) ^ set(after.items()))}")
for name in (None, "ingest", "vision", "llm", "app"):
    logger = logging.getLogger(name)
    if logger.handlers or logger.level != (logging.WARNING if name is None else logging.NOTSET):
        seen.append(f"logging set up for {logger.name}")
if "torch" in sys.modules and sys.modules["torch"].cuda.is_initialized():
    seen.append("a GPU was opened")
print(*seen, sep="; ")
"""


def test_importing_opens_no_network_gpu_environment_or_logging() -> None:
    assert run_python(QUIET_IMPORT) == ""


def test_one_file_reads_the_environment() -> None:
    readers = {
        path.relative_to(ROOT).as_posix()
        for path in shipped()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "environb")
    }
    assert readers <= {"app/settings.py"}


def test_files_and_functions_stay_readable() -> None:
    long = []
    for path in [*sources(), *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "assets").glob("*.py"))]:
        text = path.read_text("utf-8")
        name = path.relative_to(ROOT)
        if (lines := text.count("\n")) > MAX_FILE_LINES:
            long.append(f"{name}: {lines} lines, {MAX_FILE_LINES} allowed")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                allowed = MAX_FORWARD_LINES if node.name == "forward" else MAX_FUNCTION_LINES
                if lines > allowed:
                    long.append(f"{name}:{node.lineno} {node.name}: {lines} lines, {allowed} allowed")
    assert not long, "\n".join(long)


def test_nothing_is_left_for_later() -> None:
    mark = re.compile(r"raise NotImplementedError|\bTO" + r"DO\b|\bFIX" + r"ME\b|coming soon")
    found = [
        f"{path.relative_to(ROOT)}:{number} {line.strip()}"
        for path in shipped()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if mark.search(line)
    ]
    assert not found, "\n".join(found)


def test_every_module_says_what_it_is() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in sources()
        if path.read_text("utf-8").strip() and not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert not silent, "no module docstring: " + ", ".join(silent)


def test_requirements_are_pinned() -> None:
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-weights.txt"):
        lines = [line for line in (ROOT / name).read_text("utf-8").splitlines() if line and not line.startswith("#")]
        loose = [
            line for line in lines if not re.match(r"[\w.-]+(==[\w.]+|>=\d+,<\d+)( --hash=sha256:[0-9a-f]{64})?$", line)
        ]
        assert not loose, f"{name}: {loose}"


def distribution(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def declared(*files: str) -> set[str]:
    """The libraries that requirements files list, and those that the listed ones need, as far as they are installed."""
    lines = [line for name in files for line in (ROOT / name).read_text("utf-8").splitlines() if line]
    listed = {distribution(line) for line in lines}
    return listed | {distribution(line) for name in listed for line in needs(name) if "extra ==" not in line}


def needs(name: str) -> list[str]:
    """What an installed library needs; nothing is known of an extra that is not installed."""
    try:
        return requires(name) or []
    except PackageNotFoundError:
        return []


def test_every_library_is_declared() -> None:
    """In requirements.txt or an extra's file, or needed by what stands there; developers' tools have their own, too."""
    for_people = declared("requirements.txt", "requirements-ray.txt")
    for_developers = declared("requirements.txt", "requirements-dev.txt")
    homes = packages_distributions()
    missing = {
        f"{path.relative_to(ROOT)} imports {top}"
        for path in sources()
        for _, module in imported(ast.parse(path.read_text("utf-8")), path.relative_to(ROOT))
        if (top := module.split(".")[0]) not in {*sys.stdlib_module_names, *RANK}
        and not {distribution(home) for home in homes.get(top, (top,))}
        & (for_developers if path in DEVELOPERS_TOOLS else for_people)
    }
    assert not missing, "\n".join(sorted(missing))


def test_the_sample_repository_is_its_sources(samples: Path) -> None:
    folder = samples / "sources"
    expected = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in (folder / "ferryboard").rglob("*")
        if path.is_file() and not {"__pycache__", ".pytest_cache"} & set(path.parts)
    }
    with zipfile.ZipFile(samples / "ferryboard.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == expected


def test_every_sample_is_small_and_has_questions(samples: Path) -> None:
    questions = json.loads((samples / "questions.json").read_text("utf-8"))
    files = {path.name: path.stat().st_size for path in samples.iterdir() if path.suffix in (".pdf", ".jpg", ".zip")}
    assert {entry["file"] for entry in questions} == set(files)
    assert max(files.values()) < 200_000
    for name in files:
        answers = [entry["expected"] for entry in questions if entry["file"] == name]
        assert answers.count(None) == 1
        assert len(answers) >= 4


def test_every_expected_answer_stands_in_its_sample(samples: Path) -> None:
    folder = samples / "sources"
    texts = {
        "contract.pdf": (folder / "contract.txt").read_text("utf-8"),
        "receipt.jpg": (folder / "receipt.txt").read_text("utf-8"),
        "ferryboard.zip": "\n".join(
            f"{path.relative_to(folder)}\n{path.read_text('utf-8')}"
            for path in (folder / "ferryboard").rglob("*")
            if path.is_file() and path.suffix in (".py", ".js", ".md")
        ),
    }
    for entry in json.loads((samples / "questions.json").read_text("utf-8")):
        assert entry["expected"] is None or entry["expected"] in texts[entry["file"]], entry
