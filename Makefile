# make demo   a working service's plan from public data, in about five minutes
# make test   the whole test suite with coverage
# make check  everything that CI runs
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
COVERAGE := .pytest_cache/coverage.json
# Not ".": the examples in Markdown are laid out for readers.
CODE := $(wildcard src tests tools examples benchmarks)
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: check test lint types imports docs docs-pages demo format clean constraints audit
.DEFAULT_GOAL := test

# torch comes first and alone, so that the one build that was tested is the one resolved.
$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet -c constraints.txt "$$(grep '^torch==' constraints.txt)"
	$(PIP) install --quiet -c constraints.txt -e '.[dev]'
	touch $@

check: lint types imports docs test
	$(BIN)/python tools/audit.py --may-be-offline

lint: $(INSTALLED)
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)

types: $(INSTALLED)
	$(BIN)/mypy
	$(BIN)/mypy tools

imports: $(INSTALLED)
	$(BIN)/lint-imports

docs: $(INSTALLED)
	$(BIN)/python tools/make_docs.py --check
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# The pages that are made from the source.
docs-pages: $(INSTALLED)
	$(BIN)/python tools/make_docs.py

test: $(INSTALLED)
	$(BIN)/payoff backbones install minilm-l6 wordllama-256 --quiet
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report=json:$(COVERAGE)
	$(BIN)/python tools/coverage_floor.py $(COVERAGE)

# What is known against the pinned versions; without network it fails, and says why.
audit: $(INSTALLED)
	$(BIN)/python tools/audit.py

demo: $(INSTALLED)
	$(BIN)/python examples/questions/fetch.py
	$(BIN)/payoff run examples/questions --minutes 4
	$(BIN)/payoff predict examples/questions/questions.payoff --text "How far is it from Denver to Aspen?"

format: $(INSTALLED)
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

# After changing pyproject.toml: install, test, then write down what was tested.
constraints: $(INSTALLED)
	$(BIN)/python tools/make_constraints.py > constraints.new
	mv constraints.new constraints.txt

clean:
	rm -rf $(VENV) site build dist .coverage .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
