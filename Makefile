# Two commands on a fresh machine: `make demo` and `make test`. Both make .venv by themselves.

PYTHON ?= python3
VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
INSTALLED := $(VENV)/installed

.PHONY: demo test check unit e2e clean

demo: $(INSTALLED)
	$(BIN)/mobile-export demo

test: check unit e2e

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(INSTALLED)
	$(BIN)/python -m pytest -q -m "not e2e"

e2e: $(INSTALLED)
	$(BIN)/python -m pytest -q -m e2e

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[convert,dev]"
	$(BIN)/python -c "open('$(INSTALLED)', 'w').close()"

clean:
	$(PYTHON) -c "import shutil; [shutil.rmtree(p, ignore_errors=True) for p in ('$(VENV)', 'out', 'examples/digits/model')]"
