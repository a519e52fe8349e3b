# Two commands do all the set-up: `make demo` runs the main job on the sample, `make test` passes all tests.
# The first Python that runs, is 3.11 to 3.13 and can make an environment.
PYTHON ?= $(shell for p in python3 python3.12 python3.11 python3.13; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1 \
	&& echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2

.PHONY: demo test lint types unit bench faults fuzz sample clean

demo: $(VENV)/.user
	$(BIN)/landplan demo demo

test: lint types unit

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python -m numpydoc.hooks.validate_docstrings $$(git ls-files 'landplan/*.py')

types: $(VENV)/.dev
	$(BIN)/mypy

unit: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

# The ledger killed at every system call, failed at every write, with the power cut at each: as before or as after.
faults: $(VENV)/.dev
	$(BIN)/python -m tests.faults.run

# Speed is measured, not asserted: each prints its ratios against a peer in the same run.
# DuckDB and SedonaDB come with pip; PostGIS with Debian's `postgresql postgis`; one that is missing is said by name.
bench: $(VENV)/.bench
	@for file in tests/bench/bench_*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

# Ten thousand damaged files across all kinds: no crash, no hang, always data or issues.
fuzz: $(VENV)/.dev
	$(BIN)/python -m tests.fuzz.run 10000

# The sample is written by landplan itself; a test holds the committed files equal to what this writes.
sample: $(VENV)/.user
	rm -rf gis_data/sample
	$(BIN)/python -c "from pathlib import Path; from landplan.demo import write_sample; write_sample(Path('gis_data/sample'))"

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "landplan needs Python 3.11, 3.12 or 3.13 with venv / 需要 Python 3.11 至 3.13（含 venv）"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.user: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@ $(VENV)/.user

$(VENV)/.bench: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,bench]'
	touch $@

clean:
	rm -rf $(VENV) demo
