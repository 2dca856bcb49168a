"""The door: `python app.py` serves the web page; `python app.py VERB …` is the command line."""

import sys


def main() -> None:
    from app.settings import calm_environment

    calm_environment()  # before anything loads torch
    from app.cli import cli

    cli()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:  # while Python was still importing; later the verbs see to it
        sys.exit(130)
