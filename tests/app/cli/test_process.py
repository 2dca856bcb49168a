"""The door as a process: quick to start, quiet, and well-behaved with pipes, wrong settings and folders."""

import os
import subprocess
import sys
from pathlib import Path

from app.cli.reference import reference

ROOT = Path(__file__).resolve().parents[3]


def start(*args: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "app.py", *args], cwd=ROOT, env={**os.environ, **environ}, text=True, capture_output=True,
        timeout=60, check=False,
    )  # fmt: skip


def test_help_loads_neither_torch_nor_gradio() -> None:
    code = (
        "import sys, runpy\nsys.argv = ['app.py', '--help']\n"
        "try: runpy.run_path('app.py', run_name='__main__')\nexcept SystemExit as end: assert end.code == 0\n"
        "print(sorted({'torch', 'transformers', 'gradio', 'rich', 'pymupdf', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_library_is_listed_without_torch(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "app.py", "library", "list", "--json", "--data-dir", str(tmp_path / "x")],
        cwd=ROOT, text=True, capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["{", '"documents":', "[]", "}"]
    modules = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "app.cli.library" in modules
    assert not modules & {"torch", "transformers", "gradio"}


def test_a_misspelt_setting_is_one_line() -> None:
    done = start("library", "list", LONGLEAF_DATADIR="/x")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: unknown environment variable LONGLEAF_DATADIR; known are LONGLEAF_ADAPTER")
    assert done.stderr.count("\n") == 1


def test_a_data_folder_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("not a folder", encoding="utf-8")
    below = start("library", "list", "--data-dir", str(file / "below"))
    assert (below.returncode, below.stderr) == (
        2, f"Error: the folder {file / 'below'} cannot be used (Not a directory); choose another --data-dir\n"
    )  # fmt: skip
    (tmp_path / "catalogue.sqlite").write_bytes(b"this is no database " * 100)
    damaged = start("library", "list", "--data-dir", str(tmp_path))
    assert damaged.returncode == 2
    assert "cannot be opened (file is not a database); choose another --data-dir" in damaged.stderr
    assert damaged.stderr.count("\n") == 1


def test_a_newer_catalogue_is_refused(tmp_path: Path) -> None:
    import sqlite3

    connection = sqlite3.connect(tmp_path / "catalogue.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    done = start("library", "list", "--data-dir", str(tmp_path))
    assert done.returncode == 2
    assert "has format 99, and this Longleaf reads up to 2; update Longleaf or choose another --data-dir" in done.stderr


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    command = f"{sys.executable} app.py ask --help | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode in (0, 141)
    assert done.stderr == ""


def test_ctrl_c_while_python_imports_is_130_without_a_traceback(tmp_path: Path) -> None:
    """The interrupt comes from an import hook: the earliest moment that the door can answer for."""
    code = (
        "import builtins, runpy, sys\nreal = builtins.__import__\n"
        "def stop(name, *rest):\n    if name == 'app.cli': raise KeyboardInterrupt\n    return real(name, *rest)\n"
        "builtins.__import__ = stop\nrunpy.run_path('app.py', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_no_verb_means_serve() -> None:
    done = start("--port", "70000")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: Invalid value for '--port': 70000 is not in the range 0<=x<=65535.")


def test_the_page_of_commands_is_current() -> None:
    written = (ROOT / "docs" / "COMMANDS.md").read_text("utf-8")
    assert written == reference(), "run: python -m app.cli.reference > docs/COMMANDS.md"
