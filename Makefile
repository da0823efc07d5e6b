# Everything happens in a virtual environment in this folder; nothing else is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= net2vec-demo

.PHONY: demo test slow lint browser bench docs installed lowest clean

demo: $(VENV)/.demo
	$(BIN)/net2vec demo --out $(OUT)

# A process a core already: more threads in each would wait for each other.
test: $(VENV)/.test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not browser and not demo and not docs and not slow" --numprocesses auto --dist loadfile

slow: $(VENV)/.test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow --numprocesses auto --dist loadfile

browser: $(VENV)/.test
	$(BIN)/python -m pytest -m browser

lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The site, into build/site: strict, so that a broken link or reference is an error. No page loads
# anything from elsewhere. Searching needs a server: python -m http.server -d build/site
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@! grep -rhoE '<(script|link|img)[^>]+(src|href)="?https?:[^>]*' --include='*.html' build/site
	@echo build/site/index.html

installed: $(VENV)/.package
	.ci/installed newest

# The lowest versions that pyproject.toml admits; of PyTorch alone that is a download of 3 GB.
lowest: $(VENV)/.package
	.ci/installed oldest

bench: $(VENV)/.test
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "net2vec needs Python 3.11 or newer; $(PYTHON) is older: make PYTHON=python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)

# A mark for every set of dependencies; made again when pyproject.toml changes.
$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[demo]"
	@touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	@touch $@

$(VENV)/.docs: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[docs]"
	@touch $@

$(VENV)/.package: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[package]"
	@touch $@

$(VENV)/.lint: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[test,lint]"
	@touch $@
