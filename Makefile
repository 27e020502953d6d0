# make setup | test | test-long | demo | bench   (what each one does stands beside it; all of them prepare .venv first)
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

RPI_GPIO := $(VENV)/rpi-gpio
EMULATOR := $(VENV)/rgbmatrix-emulator
MUTMUT := $(VENV)/mutmut

.PHONY: setup test test-long demo bench mutants lock boards-lock machines clean help

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 13

setup: $(STAMP) ## a virtual environment in .venv with the locked packages; no root, no Debian packages

$(STAMP): requirements.lock pyproject.toml
	@echo "setup: virtual environment in $(VENV), locked packages with hashes (about half a minute)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "setup: Python 3.11 or newer is needed; name one with PYTHON=..."; exit 2; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

test: setup ## the one gate: lint, types, import contracts, tests
	@echo "test 1/6: Debian packages that some tests need"; .ci/debian-packages $(BIN)/python
	@echo "test 2/6: RPi.GPIO and RGBMatrixEmulator in folders of their own"
	@$(MAKE) --silent $(RPI_GPIO)/.ready 2>/dev/null \
		|| echo "  RPi.GPIO does not build here (see $(RPI_GPIO).log); its test is skipped"
	@$(MAKE) --silent $(EMULATOR)/.ready 2>/dev/null \
		|| echo "  RGBMatrixEmulator cannot be had here (see $(EMULATOR).log); its test is skipped"
	@echo "test 3/6: lint and format (ruff)";  $(BIN)/ruff check . && $(BIN)/ruff format --check .
	@echo "test 4/6: types (mypy --strict)";   $(BIN)/mypy
	@echo "test 5/6: import contracts";        $(BIN)/lint-imports --no-cache
	@echo "test 6/6: tests (pytest)";          $(BIN)/python -m pytest -n auto --dist worksteal -m "not long"

# Not a part of the gate: benches in real time, a minute a case, kill -9 and mosquitto; a quarter of an hour and more. CI's
# run has to end within ten minutes; run this before a release and after work on benches, loop or recorder.
test-long: setup ## tests that take too long for the gate
	@$(BIN)/python -m pytest -n auto --dist worksteal -m long

# RPi.GPIO as it is, for one test; never in .venv itself, where rpi-lgpio may stand. A C compiler is needed.
$(RPI_GPIO)/.ready: requirements-rpi.lock
	@rm -rf $(RPI_GPIO)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --require-hashes \
		--target $(RPI_GPIO) -r requirements-rpi.lock 2>$(RPI_GPIO).log
	@touch $@

$(EMULATOR)/.ready: requirements-emulator.lock
	@rm -rf $(EMULATOR)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
		--target $(EMULATOR) -r requirements-emulator.lock 2>$(EMULATOR).log
	@touch $@

demo: setup ## both cases on the in-process bench, live in the terminal; report, traces and panel picture in out/
	@$(BIN)/leeze-hil demo --out out

bench: setup ## speed and memory beside named peers, as ratios in one run
	@$(BIN)/python -m tests.benchmarks

# Not a part of the gate: some four thousand mutants, each with the tests that enter its function. Broken off, it goes on.
mutants: setup $(MUTMUT)/.ready ## does every change of the last gate and the lamps' policy fail a test? FILES=sun: of one file
	@$(BIN)/python tools/mutants.py $(FILES)

$(MUTMUT)/.ready: requirements-mutants.lock
	@rm -rf $(MUTMUT)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
		--target $(MUTMUT) -r requirements-mutants.lock
	@touch $@

lock: ## renew requirements.lock (hashes, no index addresses); needs uv
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml --group dev -o requirements.lock

# Not a part of the gate: it asks the package index for wheels of another machine than this one, twice for each package.
boards-lock: setup ## does the lock install on the boards it claims? a table, by pip; about five minutes
	@$(BIN)/python tools/boards_lock.py

# Not a part of the gate: it needs root, mmdebstrap and qemu-user-static, a Debian mirror and the package index, and emulates.
machines: setup ## one digest on Python 3.11 and 3.13, on amd64 and arm64? a table; about ten minutes
	@$(BIN)/python tools/same_digest.py

clean: ## remove what set-up and runs have made
	rm -rf $(VENV) out dist mutants
