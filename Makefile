# Fresh machine: `make demo` and `make test` need Python 3.11 or later, make, a C++ compiler and a package index.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# Named alone and exactly: where an index has a build for the processor under this version, it is that one that is taken.
TORCH  := 2.13.0
PIP    := $(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt

.PHONY: demo test lint bench chaos fix clean

# Stamps: each set of extras is installed once, and again when what it depends on changes.
$(VENV)/base: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[ray,lm]'
	$(BIN)/tamis compile
	touch $@

$(VENV)/test: $(VENV)/base
	$(PIP) torch==$(TORCH)
	$(PIP) -e '.[ray,lm,train,gpu,cloud,compat,report,test]'
	touch $@

# Types are checked against the libraries the tests use, so that both see the same world.
$(VENV)/lint: $(VENV)/test
	$(PIP) -e '.[lint]'
	touch $@

demo: $(VENV)/base
	$(BIN)/tamis demo demo-out

test: $(VENV)/test
	$(BIN)/python -m pytest -n 2 --dist loadscope

lint: $(VENV)/lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/lint_text.py
	$(BIN)/python tools/lint_sizes.py

# Faults at full size: kills, bombs, memory, many pages, speed. About two hours on 2 cores; parts by name.
chaos: $(VENV)/test
	$(BIN)/python benchmarks/chaos.py

fix: $(VENV)/lint
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/test
	$(BIN)/python benchmarks/end_to_end.py

clean:
	rm -rf $(VENV) demo-out build dist
