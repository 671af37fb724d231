# Two commands on a fresh machine: `make demo` and `make test`. Both make .venv by themselves.

PYTHON ?= python3
VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
INSTALLED := $(VENV)/installed

.PHONY: demo test check unit e2e apps clean

demo: $(INSTALLED)
	$(BIN)/mobile-export demo

test: check unit e2e

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(INSTALLED)
	$(BIN)/python -m pytest -q -m "not e2e" --numprocesses auto

# Builds take all cores by themselves; two files of tests at once fill the gaps.
e2e: $(INSTALLED)
	$(BIN)/python -m pytest -q -m e2e --numprocesses 2 --dist loadfile

# What the two example apps have in the repository, made anew: after a change of what is generated.
apps: demo
	cd android_demo && ../$(BIN)/mobile-export build ../targets/android_demo.toml --out ../out
	cd android_demo && ../$(BIN)/mobile-export lock ../out/android_demo --copy-to models
	cd android_demo && ../$(BIN)/mobile-export gradle app --write
	cd ios_demo && ../$(BIN)/mobile-export build ../targets/ios_demo.toml --out ../out
	cd ios_demo && ../$(BIN)/mobile-export lock ../out/ios_demo --copy-to models
	cd ios_demo && ../$(BIN)/mobile-export pack ../out/ios_demo --to DigitsKit/Sources/CDigitsModel --shim
	cd ios_demo && ../$(BIN)/mobile-export xcode --write
	cd ios_demo && ../$(BIN)/mobile-export swiftpm DigitsKit --write

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[convert,dev]"
	$(BIN)/python -c "open('$(INSTALLED)', 'w').close()"

clean:
	$(PYTHON) -c "import shutil; [shutil.rmtree(p, ignore_errors=True) for p in ('$(VENV)', 'out', 'examples/digits/model')]"
