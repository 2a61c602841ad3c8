"""`rag store`: the database is prepared, and collections are copied into it."""

from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rag.catalog import Recipe
from rag.catalogs import DirectoryCatalog
from rag.cli import main
from tests.fakes import make_document, ready
from tests.postgres import PostgresServer


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_a_database_is_prepared_filled_and_listed(
    postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From files into the database and on into other files; what is there already stays."""
    url = postgres_server.make_database()
    catalog = DirectoryCatalog(tmp_path / "home")
    recipe = Recipe(embedder="minilm", chunk_tokens=100, created="2026-01-31T12:00:00+00:00")
    catalog.create("notes", recipe=recipe, fingerprint="f", limit=9)
    with closing(catalog.open_store("notes", fingerprint="f")) as store:
        store.put(ready(make_document("one\ntwo"), make_document("three", uri="file:b")))
    refused = run("store", "copy", str(tmp_path / "home"), url)
    assert refused.exit_code == 1
    assert "Run rag store migrate" in refused.output

    monkeypatch.setenv("RAG_STORE", url)
    assert run("store", "migrate").output == "Done: collections, search, writes.\n"
    assert run("store", "migrate").output == "The tables are up to date.\n"
    for _ in range(2):
        copied = run("store", "copy", str(tmp_path / "home"), url)
        assert copied.exit_code == 0, copied.output
        assert "notes: 2 documents of generation 1, every row as it was written." in copied.output
    copied = run("store", "copy", url, str(tmp_path / "other"))
    assert copied.exit_code == 0, copied.output
    other = DirectoryCatalog(tmp_path / "other")
    assert other.names() == ["notes"]
    assert other.recipe_of("notes") == recipe


def test_what_needs_files_or_a_database_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Migrating without a database, and snapshots with one, are refused with what to do."""
    refused = run("store", "migrate")
    assert refused.exit_code == 1
    assert "RAG_STORE names no database" in refused.output
    monkeypatch.setenv("RAG_STORE", "postgresql://service@127.0.0.1:1/none")
    refused = run("snapshot", "create")
    assert refused.exit_code == 1
    assert "pg_dump" in refused.output
