# make setup | test | demo | bench   (what each one does stands beside it; all of them prepare .venv first)
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

.PHONY: setup test demo bench lint lock clean help

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## a virtual environment in .venv with the locked packages; no root, no Debian packages

$(STAMP): requirements.lock pyproject.toml
	@echo "setup: virtual environment in $(VENV), locked packages with hashes (about half a minute)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "setup: Python 3.11 or newer is needed; name one with PYTHON=..."; exit 2; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

test: setup ## the one gate: lint, types, import contracts, tests
	@echo "test 1/4: lint and format (ruff)";  $(BIN)/ruff check . && $(BIN)/ruff format --check .
	@echo "test 2/4: types (mypy --strict)";   $(BIN)/mypy
	@echo "test 3/4: import contracts";        $(BIN)/lint-imports --no-cache
	@echo "test 4/4: tests (pytest)";          $(BIN)/python -m pytest

demo: setup ## both cases on the in-process bench, live in the terminal; report, traces and panel picture in out/
	@$(BIN)/leeze-hil demo --out out

bench: setup ## speed and memory beside named peers, as ratios in one run
	@$(BIN)/python -m tests.benchmarks

lock: ## renew requirements.lock (hashes, no index addresses); needs uv
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml --group dev -o requirements.lock

clean: ## remove what set-up and runs have made
	rm -rf $(VENV) out dist
