"""`run`: the command line on the small engine and a library of its own."""

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.cli import cli
from app.service import Longleaf
from app.settings import Settings


@pytest.fixture
def run(
    open_longleaf: Callable[..., Longleaf], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    monkeypatch.setattr("app.cli.session.Longleaf", open_longleaf)

    def invoke(*args: object, **named: Any) -> Result:
        words = [str(arg) for arg in args]
        return CliRunner().invoke(
            cli, prog_name="python app.py", args=[*words, "--data-dir", str(settings.data_dir)], **named
        )

    return invoke
