# Two commands do all the set-up: `make demo` runs the main job on the sample, `make test` passes all tests.
PYTHON ?= $(shell command -v python3.13 || command -v python3.12 || command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2

.PHONY: demo test lint types unit notebooks sample clean

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

# The sample is written by landplan itself; a test holds the committed files equal to what this writes.
sample: $(VENV)/.user
	rm -rf gis_data/sample
	$(BIN)/python -c "from pathlib import Path; from landplan.demo import write_sample; write_sample(Path('gis_data/sample'))"

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.user: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@ $(VENV)/.user

clean:
	rm -rf $(VENV) demo
