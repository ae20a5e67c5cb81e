# Needs Python >= 3.11, pip and make. Everything else comes from requirements/, hashed, into .venv.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup dev test check bench reference requirements clean

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
HASHED := $(PIP) install --require-hashes --only-binary=:all:
COMPILE := UV_PYTHON_DOWNLOADS=never $(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links \
	--universal --python-version 3.11 --no-config --custom-compile-command "make requirements"

help:
	@echo "make setup    a virtual environment in .venv with Paywright in it"
	@echo "make dev      server, sandbox, dashboard and demo store on this machine"
	@echo "make test     the whole test suite"
	@echo "make check    formatting, lint, types, docs and the built package"
	@echo "make bench    measurements"

setup: $(STAMPS)/runtime

dev: setup
	$(BIN)/paywright dev

# ARGS is handed to pytest: make test ARGS="tests/ledger -x".
# Bytecode is kept, whatever the environment says: the tests start hundreds of processes, and each would compile everything anew.
test: $(STAMPS)/runtime $(STAMPS)/test $(STAMPS)/node
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(STAMPS)/runtime $(STAMPS)/test $(STAMPS)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/house
	PYTHON=$(BIN)/python tests/house/check_package.sh

bench: $(STAMPS)/runtime $(STAMPS)/test
	$(BIN)/python -m bench $(ARGS)

# The tables in docs/reference, from the code.
reference: $(STAMPS)/runtime $(STAMPS)/test
	$(BIN)/python -m tests.house.reference

# UPGRADE=--upgrade takes the newest versions instead of keeping those already pinned.
requirements: $(STAMPS)/dev
	$(COMPILE) $(UPGRADE) pyproject.toml --output-file requirements/runtime.txt
	$(COMPILE) $(UPGRADE) requirements/build.in --output-file requirements/build.txt
	$(COMPILE) $(UPGRADE) requirements/test.in --output-file requirements/test.txt
	$(COMPILE) $(UPGRADE) requirements/dev.in --output-file requirements/dev.txt
	$(COMPILE) $(UPGRADE) requirements/node.in --output-file requirements/node.txt

clean:
	rm -rf $(VENV) .artifacts build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Debian's Python may come without ensurepip; its pip can still fill a virtual environment from outside.
$(STAMPS)/venv:
	@python=$$(for candidate in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python); do \
		"$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$candidate" && break; done); \
	if [ -z "$$python" ]; then echo "Paywright needs Python 3.11 or newer. Name one: make setup PYTHON=/path/to/python3" >&2; exit 1; fi; \
	if "$$python" -c 'import ensurepip' 2>/dev/null; then "$$python" -m venv $(VENV); \
	else "$$python" -m venv --without-pip $(VENV) && "$$python" -m pip --python $(BIN)/python install --quiet pip; fi
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/runtime: $(STAMPS)/venv requirements/runtime.txt requirements/build.txt pyproject.toml
	$(HASHED) -r requirements/runtime.txt -r requirements/build.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(STAMPS)/test: $(STAMPS)/runtime requirements/test.txt
	$(HASHED) -r requirements/test.txt
	@touch $@

$(STAMPS)/dev: $(STAMPS)/runtime requirements/dev.txt
	$(HASHED) -r requirements/dev.txt
	@touch $@

$(STAMPS)/node: $(STAMPS)/test requirements/node.txt
	@$(BIN)/python -m tests.harness.node || $(HASHED) -r requirements/node.txt
	@touch $@
