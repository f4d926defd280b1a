# Every target does its own set-up: the virtual environment is built once and again when a pinned file changes.
PYTHON ?= python3
override TEXT := $(value TEXT)
export TEXT
ARGS ?=
VENV := .venv
RUN := $(VENV)/bin/python
PYTEST := $(RUN) -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile
PIP := $(RUN) -m pip --disable-pip-version-check install --quiet
COMPILE := $(RUN) -m piptools compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-header \
	--annotation-style line --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

.DEFAULT_GOAL := help
.PHONY: help demo test test-full lint docs lock clean

help:  ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: $(VENV)/.core  ## classify a few sentences, and yours: make demo TEXT="..."
	@$(RUN) scripts/demo.py $(if $(strip $(TEXT)),"$$TEXT")
	@echo "Picture: runs/demo.png"

test: $(VENV)/.dev  ## what a developer runs before each commit (ARGS="-k mask" to choose)
	$(PYTEST) -m "not slow" $(ARGS)

test-full: $(VENV)/.dev  ## the same and the long checks
	$(PYTEST) $(ARGS)

lint: $(VENV)/.dev  ## ruff: faults and form
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

docs: $(VENV)/.dev  ## the pages under docs/_build/html, and the generated tables of the README
	$(RUN) docs/generate.py
	$(RUN) -m sphinx -q -W --keep-going -n -b html docs docs/_build/html

lock: $(VENV)/.dev  ## choose the newest versions that pyproject.toml allows and pin them
	$(COMPILE) --upgrade --build-deps-for editable --build-deps-for wheel -o requirements.txt pyproject.toml
	$(RUN) -c 'import tomllib as t; e = t.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]; \
		print(*e["dev"], *e["docs"], sep="\n")' \
		| $(COMPILE) --upgrade --constraint requirements.txt --no-annotate -o requirements-dev.txt -

clean:  ## remove what was built, the virtual environment too; runs/ stays
	rm -rf $(VENV) .venv-ci dist build docs/_build docs/_generated .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

$(VENV)/.core: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
		echo "make: Python 3.11, 3.12 or 3.13 is needed and $(PYTHON) is not one:" \
		"name one, as in make $(firstword $(MAKECMDGOALS)) PYTHON=python3.12" >&2; exit 1; }
	@echo "Setting up $(VENV): a few minutes, once."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --require-hashes -r requirements.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.core requirements-dev.txt
	@$(PIP) --require-hashes -r requirements-dev.txt
	@touch $@
