# Works with GNU make 3.81 (the one on macOS) and newer. Everything is installed into .venv, nothing outside it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
NEEDS := requirements.txt constraints/locked.txt pyproject.toml
PIP := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help lab test bench bench-gpu format badges lock clean environment

help:  ## say what each command does
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*##/|/' | awk -F'|' '{printf "make %-12s%s\n", $$1, $$2}'

# lessons keep what JAX compiles, so that the next start is quicker
lab: export JAX_COMPILATION_CACHE_DIR := $(CURDIR)/.jax_cache
lab: export JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS := 0
lab: export JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES := -1
lab: $(READY)  ## open the first lesson in JupyterLab
	$(BIN)/python -m jupyterlab $(ROOT_MAY) --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb

# a program that one test has compiled serves the others; lessons go without, and one by one, for their time is measured
COMPILED := JAX_COMPILATION_CACHE_DIR=$(CURDIR)/.artefacts/compiled JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0 \
	JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES=-1
# compiling is most of the unit tests' time
QUICK := JAX_DISABLE_MOST_OPTIMIZATIONS=1
PYTEST := $(BIN)/python -m pytest -ra
# the longest files first, so that both workers end together; a file named twice is collected once
BROWSER := tests/test_browser_robust.py tests/test_platforms.py $(wildcard tests/test_browser*.py)

test: $(READY)  ## check format and types, run every test
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy
	rm -rf .artefacts/compiled
	failed=0; \
	$(COMPILED) $(QUICK) $(PYTEST) -n auto -m "not notebook and not browser and not tour" || failed=1; \
	$(COMPILED) $(QUICK) $(PYTEST) -n 2 --dist loadfile --no-loadscope-reorder -m browser $(BROWSER) || failed=1; \
	$(PYTEST) -m notebook || failed=1; \
	exit $$failed

bench: $(READY)  ## measure speed against PyTorch, which it installs when missing
	@$(BIN)/python -c "import torch" 2>/dev/null || $(PIP) install -c constraints/locked.txt -e ".[bench]"
	$(BIN)/python benchmarks/run.py

bench-gpu: $(READY)  ## measure a DCGAN on a GPU: steps, images, share of its peak
	$(BIN)/python benchmarks/gpu.py

format: $(READY)  ## format the code, strip the notebooks' outputs
	$(BIN)/python -m ruff format .
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m jupyter nbconvert --log-level WARN --clear-output --inplace notebooks/*.ipynb

badges: $(READY)  ## write the repository's address from pyproject.toml into README, notebooks, CITATION.cff
	$(BIN)/python tests/address.py

lock: | $(BIN)/pip  ## pin anew what requirements.txt needs in turn; with UPGRADE=--upgrade, all at the newest
	$(PIP) install --quiet uv
	grep -v '^-c ' requirements.txt | $(BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 $(UPGRADE) \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links - -o constraints/locked.txt

clean:  ## remove the environment and everything that was made by a command
	rm -rf $(VENV) .venv-colab .artefacts .jax_cache .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find . -name .ipynb_checkpoints -type d -prune -exec rm -rf {} +

# JupyterLab would ask each newcomer whether it may fetch its news
OVERRIDES := $(VENV)/share/jupyter/lab/settings/overrides.json
NO_NEWS := {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}

environment: $(READY)  ## install, and do nothing more

$(READY): $(NEEDS) | $(BIN)/pip
	$(PIP) install -r requirements.txt
	$(PIP) install --no-deps -e .
	@mkdir -p $(dir $(OVERRIDES)) && echo '$(NO_NEWS)' > $(OVERRIDES)
	@touch $(READY)

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "gan_jax needs Python 3.11 or newer; $(PYTHON) is: $$($(PYTHON) --version 2>&1)."; \
		echo "Install one, then name it: make $(or $(MAKECMDGOALS),lab) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { \
		echo "Python could not make the environment $(VENV). On Debian and Ubuntu its venv module is a package:"; \
		echo "    sudo apt install python3-venv"; exit 1; }

# the Jupyter server will not run as root unless told to; in a container root is often the only user
ROOT_MAY = $(if $(filter 0,$(shell id -u)),--allow-root)
