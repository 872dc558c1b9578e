# Set-up, checks and the program itself. `make` alone lists the targets.
# Names of files here are relative, and commands are quoted: the checkout may lie in a folder with spaces in its name.

SHELL := /bin/sh
.DEFAULT_GOAL := help
OUT ?= demo-out
WHEEL ?= dist

# Any Python from 3.11 on that is at hand; `make PYTHON=/path/to/python test` takes another.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	if "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then echo "$$p"; break; fi; done)

PY := .venv/bin/python
# Test files side by side; a linear algebra library that also took every core would make each of them slower.
PYTEST := OPENBLAS_NUM_THREADS=1 $(PY) -m pytest -n auto --maxprocesses 8 --dist loadfile
PHASE := @printf '\n== %s\n'

.PHONY: help setup demo run test test-all lint types layers tests bench bench-search docs wheel clean

help:
	@echo 'make demo       set everything up, then run the whole main job on simulated structures into $(OUT)/'
	@echo 'make run        set everything up, then open the window'
	@echo 'make test       set everything up, then check style, types, layers and run the tests'
	@echo 'make test-all   the same with the slow tests'
	@echo 'make bench      measure: speed of every room, start of the window, its smoothness under load'
	@echo 'make bench-search  compare the engines of the search on recorded learning curves'
	@echo 'make docs       bring the page of every recipe setting up to date'
	@echo 'make wheel      build a wheel into $(WHEEL)/'
	@echo 'make clean      remove everything that was made here, the environment .venv included'

setup:
	@test -n '$(PYTHON)' || { echo 'Microtome needs Python 3.11 or newer, and found none.' >&2; exit 2; }
	@'$(PYTHON)' installer/bootstrap.py

demo: setup
	@$(PY) -m microtome demo --out '$(OUT)'

run: setup
	@$(PY) -m microtome

test: lint types layers tests

lint: setup
	$(PHASE) 'Style'
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

types: setup
	$(PHASE) 'Types'
	@$(PY) -m mypy

layers: setup
	$(PHASE) 'Layers'
	@$(PY) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'

tests: setup
	$(PHASE) 'Tests'
	@$(PYTEST)

test-all: lint types layers
	$(PHASE) 'Tests, the slow ones included'
	@$(PYTEST) -m 'not benchmark' --timeout 900

bench: setup
	@$(PY) -m tests.benchmarks.run_all

bench-search: setup
	@$(PY) -m tests.benchmarks.bench_search

docs: setup
	@$(PY) installer/recipe_reference.py

wheel: setup
	@$(PY) -m pip wheel . --no-deps --wheel-dir '$(WHEEL)'

clean:
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist '$(OUT)'
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
