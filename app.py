"""The door: `python app.py` serves the web page; `python app.py VERB …` is the command line."""

import sys

from app.settings import calm_environment

if __name__ == "__main__":
    calm_environment()  # before anything loads torch
    from app.cli import cli

    sys.exit(cli())
