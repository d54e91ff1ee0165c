# Everything starts here: `make help`. Set PYTHON to use another interpreter than python3, ARGS to pass overrides on.
PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# A file's tests stay together: they share its fixtures.
# A worker more than there are processors, as tests wait for other processes; four at most, for the memory.
PYTEST = -m pytest -n $(shell $(PYTHON) -c 'import os; print(min(4, os.cpu_count() + 1))') --dist loadscope --no-loadscope-reorder
# The browser of `make test-browser`.
CHROMIUM ?= $(firstword $(foreach name,chromium chromium-browser google-chrome,$(shell command -v $(name))))

.DEFAULT_GOAL := help
.PHONY: help install train test test-all test-browser test-engines test-onnx test-trackers test-bench test-newest bench check format clean clean-cache

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/.installed  ## Make .venv and install the project with the versions tested together

train: .venv/.installed  ## Train the default experiment; overrides: make train ARGS="model=fnn data=mnist"
	@$(BIN)/python -m experiments.train $(ARGS)

test: check  ## Lint, check types, run the tests but the slow ones (about 5 minutes on two cores)
	$(BIN)/python $(PYTEST) -m "not slow and not browser and not node and not engines" $(ARGS)

test-all: check  ## As test, and the slow proofs besides
	$(BIN)/python $(PYTEST) -m "not browser and not node and not engines" $(ARGS)

test-browser: .venv/.installed-browser  ## Use the pages of traces and reports and the drawing page in Chromium (on Debian: apt install chromium poppler-utils), and their scripts in Node
	NNJAX_CHROMIUM="$(CHROMIUM)" $(BIN)/python -m pytest -n 2 --dist loadscope -m "browser or node" $(ARGS)

test-engines: .venv/.installed-engines  ## Train under Open MPI and Slurm, which it installs where it can (root on Debian)
	tests/engines/install
	$(BIN)/python -m pytest -m engines $(ARGS) || { [ $$? = 5 ] && [ -z "$$NNJAX_NO_SKIPS" ]; }  # 5: left out, see the first lines

test-onnx: .venv/.installed-onnx  ## Export to ONNX, and run the graphs in ONNX Runtime
	$(BIN)/python -m pytest -m onnx $(ARGS)

test-trackers: .venv-trackers/.installed  ## Write runs with W&B, MLflow and Trackio, without network, and read them back
	.venv-trackers/bin/python -m pytest -m trackers $(ARGS)

test-bench: .venv-bench/.installed-dev  ## Compare with PyTorch, in the environment of bench
	.venv-bench/bin/python -m pytest -m torch $(ARGS)

test-newest: .venv/.installed  ## Run all tests with the newest versions that pyproject.toml allows
	@echo "Installing the newest versions into .venv-newest ..."
	@$(PYTHON) -m venv --without-pip .venv-newest
	@$(PIP) --python .venv-newest/bin/python install --quiet --upgrade --upgrade-strategy eager --editable '.[dev]'
	@.venv-newest/bin/python --version
	@$(PIP) --python .venv-newest/bin/python list --format freeze | grep -iE '^(jax|jaxlib|flax|optax|orbax-checkpoint|hydra-core|numpy)='
	.venv-newest/bin/python $(PYTEST) -m "not browser and not node and not engines" $(ARGS)

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
	rm -rf .venv .venv-bench .venv-newest .venv-trackers .pytest_cache .mypy_cache .ruff_cache .hypothesis

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

# Playwright's Python package alone: the browsers that it can fetch are not needed.
.venv/.installed-browser: .venv/.installed-dev
	@echo "Installing what the page's tests need ..."
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[browser]'
	@touch $@

.venv/.installed-engines: .venv/.installed-dev
	@echo "Installing what the tests under cluster software need ..."
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[engines]'
	@touch $@

.venv/.installed-onnx: .venv/.installed-dev
	@echo "Installing the converter to ONNX ..."
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[onnx]'
	@touch $@

# Trackio allows no Pillow of the tested version, so this is an environment beside .venv, with the newest Pillow that it allows.
.venv-trackers/.installed: .venv/.installed
	@echo "Installing the trackers into .venv-trackers ..."
	@$(BIN)/python -m venv --without-pip .venv-trackers
	@grep -v '^pillow==' constraints.txt > .venv-trackers/constraints.txt
	@$(PIP) --python .venv-trackers/bin/python install --quiet --constraint .venv-trackers/constraints.txt --editable '.[trackers,dev]' tensorboard
	@touch $@

# .venv has pip in any case, and puts everything into this one.
.venv-bench/.installed: .venv/.installed benchmarks/requirements.txt
	@echo "Installing PyTorch, Keras and the project into .venv-bench ..."
	@$(BIN)/python -m venv --without-pip .venv-bench
	@$(PIP) --python .venv-bench/bin/python install --quiet --constraint constraints.txt --requirement benchmarks/requirements.txt --editable '.[serve]'
	@touch $@

.venv-bench/.installed-dev: .venv-bench/.installed
	@$(PIP) --python .venv-bench/bin/python install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@
