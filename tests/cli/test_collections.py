"""`rag collections`, and `--collection` of the other commands."""

import json
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from click.testing import Result

from tests import stores

Rag = Callable[..., Result]


def test_collections_are_created_listed_and_deleted(rag: Rag, tmp_path: Path) -> None:
    """None at first; each is listed with what it holds; a deleted one lies where it is said."""
    home = tmp_path / "home"
    assert "rag ingest" in rag("collections", "list", home=home).stdout
    for name in ("letters", "7_notes-b"):
        created = rag("collections", "create", name, home=home)
        assert created.exit_code == 0
        assert f"rag ingest --collection {name} " in created.stdout
    listed = rag("collections", "list", home=home)
    assert listed.stdout.splitlines() == [
        "7_notes-b: 0 documents, 0 chunks",
        "letters: 0 documents, 0 chunks",
    ]
    deleted = rag("collections", "delete", "letters", "--yes", home=home)
    assert deleted.exit_code == 0
    (kept,) = re.findall(r"deleted/\S+Z|collection number \d+", deleted.stdout)
    assert stores.names(home) == ["7_notes-b"]
    stores.bring_back(home, kept=kept.replace("number ", ""), name="letters")
    assert rag("collections", "list", home=home).stdout == listed.stdout


def test_a_deletion_is_asked_for(rag: Rag, tmp_path: Path) -> None:
    """Without --yes and without an answer nothing happens."""
    rag("collections", "create", "letters", home=tmp_path)
    refused = rag("collections", "delete", "letters", home=tmp_path)
    assert refused.exit_code == 1
    assert "Delete letters (0 documents, 0 chunks)?" in refused.output
    assert stores.names(tmp_path) == ["letters"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("create", "letters"), "There is a collection 'letters' already"),
        (("create", "Letters"), "'Letters' cannot name a collection"),
        (("create", "third"), "RAG_COLLECTIONS"),
        (("create", "x", "--embedder", "/nowhere"), "No embedder at /nowhere"),
        (("delete", "no", "--yes"), "There is no collection 'no'. See which there are"),
        (("delete", "default", "--yes"), "There is no collection 'default'"),
        (("delete", "../letters", "--yes"), "There is no collection '../letters'"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    rag: Rag, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    """Status 1 and what to do; the collections are as before."""
    for name in ("letters", "other"):
        rag("collections", "create", name, home=tmp_path)
    refused = rag("collections", *arguments, home=tmp_path, RAG_COLLECTIONS="2")
    assert (refused.exit_code, refused.stdout) == (1, "")
    (line,) = refused.stderr.splitlines()
    assert line.startswith("Error: ")
    assert message in line
    assert stores.names(tmp_path) == ["letters", "other"]


def test_a_stale_collection_is_listed_with_its_command(rag: Rag, tmp_path: Path) -> None:
    """Status 1 and the reason on stderr, after its recipe was changed by hand; reindexing mends."""
    rag("collections", "create", "letters", "--chunk-tokens", 100, home=tmp_path)
    with closing(stores.catalog_of(tmp_path)) as catalog:
        recipe = catalog.recipe_of("letters")
    assert recipe is not None
    assert (recipe.embedder, recipe.chunk_tokens) == ("minilm", 100)
    # The environment's setting is not its own.
    assert rag("collections", "list", home=tmp_path, RAG_CHUNK_TOKENS="50").exit_code == 0
    changed = msgspec.structs.replace(recipe, chunk_tokens=60)
    stores.write_recipe(tmp_path, "letters", msgspec.json.encode(changed).decode())
    listed = rag("collections", "list", home=tmp_path)
    assert (listed.exit_code, listed.stdout) == (1, "letters: stale, 0 documents, 0 chunks\n")
    assert "rag reindex --collection letters" in listed.stderr


@pytest.mark.parametrize(
    "command", [("ask", "Why?"), ("search", "Why?"), ("documents", "list"), ("reindex",)]
)
def test_an_unknown_collection_is_not_made(
    rag: Rag, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """Status 1 naming it and the command that would make it."""
    refused = rag(*command, "--collection", "no", home=tmp_path)
    assert refused.exit_code == 1
    assert "There is no collection 'no'" in refused.stderr
    assert "rag collections create" in refused.stderr
    assert stores.names(tmp_path) == []


def test_documents_go_where_they_are_told_and_nowhere_else(
    rag: Rag, home: Path, tmp_path: Path
) -> None:
    """Ingested, listed, searched, asked and deleted in one collection; the other sees nothing."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "cats.txt").write_text("The cat Mimi sleeps on the red sofa.")
    rag("collections", "create", "pets", "--chunk-tokens", 64, home=home)
    first = rag("ingest", tmp_path / "docs", "--collection", "pets", home=home)
    assert first.exit_code == 0, first.output
    again = rag("ingest", tmp_path / "docs", "--collection", "pets", home=home)
    assert "unchanged 1" in " ".join(again.stdout.split())
    assert stores.names(home) == ["pets"]

    def ids(collection: str) -> list[str]:
        arguments = ("documents", "list", "--json", "--collection", collection)
        listed = rag(*arguments, home=home)
        if listed.exit_code:
            return []
        return [document["id"] for document in json.loads(listed.stdout)["documents"]]

    (id_,) = ids("pets")
    assert ids("default") == []
    question = "Where does the cat Mimi sleep?"
    asked = rag("ask", question, "--collection", "pets", home=home)
    assert "red sofa" in asked.stdout
    assert rag("search", question, "--collection", "default", home=home).exit_code == 1
    shown = rag("documents", "show", id_, "--collection", "pets", home=home)
    assert shown.stdout == "The cat Mimi sleeps on the red sofa."
    assert rag("documents", "delete", id_, "--collection", "default", home=home).exit_code == 1
    assert rag("documents", "delete", id_, "--collection", "pets", home=home).exit_code == 0
    assert ids("pets") == []
