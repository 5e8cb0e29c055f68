# Every target sets up .venv by itself, once; a changed lock file sets it up again.
PYTHON ?= python3
BIN := .venv/bin
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help demo app test test-slow check format bench peers schemas lock clean

help: ## say what can be made
	@echo "UniVG-Bench. Two commands to begin with:"
	@echo "  make demo   tiny models generate, are scored, and end on a page; nothing to download"
	@echo "  make test   every test this machine can run"
	@echo "And to compare videos by eye: make app"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/installed ## protocol -> generated samples -> metrics -> table and page, in a few minutes, into demo/
	$(BIN)/univg-bench demo --dest demo

app: .venv/installed ## the annotation app on a study made on the spot: prints an address and a code; into app-demo/
	$(BIN)/univg-bench human demo --dest app-demo

test: .venv/installed ## every quick test; says which could not run and why
	$(BIN)/python -m pytest -m "not slow" --numprocesses auto --dist loadfile

test-slow: .venv/installed ## long simulations and crash loops
	$(BIN)/python -m pytest -m slow

check: .venv/installed ## format, lint, types, import layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/conventions/test_layers.py tests/conventions/test_files.py

format: .venv/installed ## put all files into the common format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/installed ## cost per clip of decoding, I3D and CLIP, memory per worker, a million ratings
	$(BIN)/python -m benchmarks.features
	$(BIN)/python -m benchmarks.worker_memory
	$(BIN)/python -m benchmarks.human_million

peers: .venv-peers/installed ## a second environment, of other people's packages to compare numbers with (6 GB)

schemas: .venv/installed ## write the JSON schemas of protocol and result files again
	$(BIN)/univg-bench protocol schema --dest protocols/protocol.schema.json
	$(BIN)/univg-bench evaluate --schema > results/result.schema.json

lock: .venv/installed ## resolve pyproject.toml into requirements.lock (versions and hashes, no addresses)
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-annotate --quiet --output-file requirements.lock

clean: ## remove .venv, caches and the demos
	rm -rf .venv .venv-peers .pytest_cache .mypy_cache .ruff_cache .hypothesis demo app-demo dist

# torch and torchvision come together from one index: a CPU-only torch beside another torchvision fails at import.
.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "found Python %d.%d, expected 3.11 or newer: make PYTHON=python3.12 ..." % sys.version_info[:2])'
	@echo "setting up .venv (about two minutes and 6 GB, once)"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv-peers/installed: tests/parity/peers.lock
	@echo "setting up .venv-peers (some minutes and 6 GB, once)"
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/parity/peers.lock
	@touch $@
