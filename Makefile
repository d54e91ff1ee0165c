# Everything starts here: `make help`. Set PYTHON to use another interpreter than python3, ARGS to pass overrides on.
PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help install train test test-all bench check format clean clean-cache

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/.installed  ## Make .venv and install the project with the versions tested together

train: .venv/.installed  ## Train the default experiment; overrides: make train ARGS="model=fnn data=mnist"
	@$(BIN)/python -m experiments.train $(ARGS)

test: check  ## Lint, check types, run the tests (under 10 minutes on two cores)
	$(BIN)/python -m pytest -n auto --maxprocesses=4 -m "not slow" $(ARGS)

test-all: check  ## As test, and the slow proofs besides
	$(BIN)/python -m pytest -n auto --maxprocesses=4 $(ARGS)

bench: .venv-bench/.installed  ## Race PyTorch, Keras and plain JAX: half an hour, on an idle machine
	.venv-bench/bin/python -m benchmarks $(ARGS)

check: .venv/.installed-dev  ## Lint and check types
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

format: .venv/.installed-dev  ## Format the code and mend what the linter can
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

clean:  ## Remove .venv and the caches of the tools; outputs/ stays
	rm -rf .venv .venv-bench .pytest_cache .mypy_cache .ruff_cache .hypothesis

clean-cache:  ## Remove compiled programs and decoded data, which the next start makes again
	rm -rf "$${NNJAX_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/nnjax}"

# Debian's python3 without python3-venv cannot put pip into an environment, but its pip can.
.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("nnjax needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@echo "Installing into .venv (once; a minute or two) ..."
	@$(PYTHON) -m venv .venv >/dev/null 2>&1 \
		|| { $(PYTHON) -m venv --without-pip .venv && $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; } \
		|| { echo "$(PYTHON) can make no environment with pip; on Debian: apt install python3-venv"; exit 1; }
	@$(PIP) install --quiet --constraint constraints.txt --editable .
	@touch $@

.venv/.installed-dev: .venv/.installed
	@echo "Installing what the tests need ..."
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

# .venv has pip in any case, and puts everything into this one.
.venv-bench/.installed: .venv/.installed benchmarks/requirements.txt
	@echo "Installing PyTorch, Keras and the project into .venv-bench ..."
	@$(BIN)/python -m venv --without-pip .venv-bench
	@$(PIP) --python .venv-bench/bin/python install --quiet --constraint constraints.txt --requirement benchmarks/requirements.txt --editable .
	@touch $@
