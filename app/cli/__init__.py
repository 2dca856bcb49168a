"""The command line: `python app.py VERB …`. It only calls `app.service`, and shows what comes back."""

from app.cli.verbs import cli

__all__ = ["cli"]
