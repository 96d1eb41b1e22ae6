# `make` or `make help` lists the targets; each target's line of help stands beside it.
# Needed beforehand: Python >= 3.11 and a Rust toolchain >= 1.92. Everything else goes into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DIST_VENV := .venv-dist
BENCH_VENV := .venv-bench
ENGINES_VENV := .venv-engines
# Clippy compiles the Python binding too, and asks this interpreter for its version.
export PYO3_PYTHON := $(abspath $(BIN)/python)
# Arguments for pytest, as in `make test PYTEST="-k stream"`.
PYTEST ?=
# Arguments for the demo, as in `make demo DEMO="--source books/"`, and for the benchmark.
DEMO ?=
BENCH ?=

.DEFAULT_GOAL := help
.PHONY: help venv build demo test lint types rust-test python-test test-engines fmt bench dist docs golden clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("bpetok needs Python >= 3.11, and $(PYTHON) is " + sys.version) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"

# Stamps, so that a second `make` installs nothing; pip is asked again when pyproject.toml changes.
$(VENV)/installed-%: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --group $*
	@touch $@

venv: $(VENV)/installed-all ## .venv with all development tools

build: $(VENV)/installed-build ## the extension in release mode, importable from .venv
	$(BIN)/maturin develop --release --quiet

demo: build ## train, save, encode and decode Python's own sources, and show it
	$(BIN)/bpetok demo $(DEMO)

test: lint types rust-test python-test ## formatting, lint, types, all Rust and Python tests

lint: $(VENV)/installed-all build ## formatting, clippy, ruff, direction of imports
	cargo fmt --check
	cargo clippy --quiet --all-targets -- -D warnings
	cargo clippy --quiet --all-targets --features python -- -D warnings
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

types: $(VENV)/installed-all build ## mypy --strict, and the stub against the built module
	$(BIN)/mypy
	MYPYPATH=python $(BIN)/stubtest bpetok._bpetok

rust-test: ## all Rust tests (nextest if it is installed)
	if cargo nextest --version >/dev/null 2>&1; then cargo nextest run && cargo test --quiet --doc; else cargo test --quiet; fi

python-test: $(VENV)/installed-all build ## all Python tests and docstring examples
	$(BIN)/python -m pytest $(PYTEST)

test-engines: $(VENV)/installed-build ## counting on real local Ray and Spark processes (installs both)
	rm -rf $(ENGINES_VENV)/dist
	$(BIN)/python -m venv $(ENGINES_VENV)
	$(ENGINES_VENV)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/maturin build --release --quiet --out $(ENGINES_VENV)/dist
	$(ENGINES_VENV)/bin/python -m pip install --quiet --group engines "$$(echo $(ENGINES_VENV)/dist/*.whl)[ray,spark]"
	$(ENGINES_VENV)/bin/python -m pip install --quiet --force-reinstall --no-deps $(ENGINES_VENV)/dist/*.whl
	$(ENGINES_VENV)/bin/python -m pytest tests/engines -W default $(PYTEST)

fmt: $(VENV)/installed-all ## format Rust and Python
	cargo fmt
	$(BIN)/ruff check --fix --quiet
	$(BIN)/ruff format

bench: $(VENV)/installed-build ## speed beside other libraries (an hour; BENCH="--quick" for less)
	rm -rf $(BENCH_VENV)/dist
	$(BIN)/python -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BENCH_VENV)/bin/python -m pip install --quiet -r benches/requirements.txt
	$(BIN)/maturin build --release --quiet --out $(BENCH_VENV)/dist
	$(BENCH_VENV)/bin/python -m pip install --quiet --force-reinstall --no-deps $(BENCH_VENV)/dist/*.whl
	$(BENCH_VENV)/bin/python benches/compare.py $(BENCH)

dist: $(VENV)/installed-build ## sdist and wheel in dist/; the wheel passes the Python tests in a fresh environment
	rm -rf dist $(DIST_VENV)
	$(BIN)/maturin build --release --sdist --out dist
	$(BIN)/python -m venv $(DIST_VENV)
	$(DIST_VENV)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(DIST_VENV)/bin/python -m pip install --quiet --group test dist/*.whl
	$(DIST_VENV)/bin/python -c 'import bpetok, sys; assert bpetok.__file__.startswith(sys.prefix), bpetok.__file__'
	$(DIST_VENV)/bin/python -m pytest tests/python $(PYTEST)

docs: $(VENV)/installed-docs build ## the documentation as a site, in site/
	$(BIN)/zensical build --clean --strict

golden: $(VENV)/installed-all ## rewrite tests/vectors and tests/golden/nn/made from the peers (read the diff)
	$(BIN)/python tests/vectors/make.py
	if $(BIN)/python -c 'import torch' 2>/dev/null; then $(BIN)/python tests/python/nn/make_golden.py; else echo "tests/golden/nn/made stays as it is: torch is not installed in $(VENV)"; fi

clean: ## remove what was built; .venv too
	rm -rf $(VENV) $(DIST_VENV) $(BENCH_VENV) $(ENGINES_VENV) target dist site demo.bpetok
