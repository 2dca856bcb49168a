"""Use cases, catalogue, jobs, command line and web page: everything between a person and `llm` and `ingest`.

`import app` always means this folder; `app.py` in the project's root only starts it.
"""
