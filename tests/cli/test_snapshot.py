"""`rag snapshot` and `rag reindex`, over stores without models."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import Result

from rag.components import index_fingerprint
from rag.settings import read_settings
from tests import stores
from tests.fakes import make_document, ready

Rag = Callable[..., Result]


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A home whose default collection has two documents."""
    home = tmp_path / "home"
    fingerprint = index_fingerprint(read_settings({"RAG_HOME": str(home)}))
    with (
        closing(stores.catalog_of(home)) as catalog,
        closing(catalog.open_store("default", fingerprint=fingerprint, create=True)) as store,
    ):
        store.put(ready(make_document("a cat"), make_document("a dog", uri="file:b")))
    return home


@pytest.mark.files_only
def test_a_snapshot_is_made_listed_verified_and_restored(rag: Rag, filled: Path) -> None:
    """Each command says what it did, and the restored index lists what was in the snapshot."""
    assert "There are no snapshots" in rag("snapshot", "list", home=filled).stdout
    made = rag("snapshot", "create", "--name", "a", home=filled).stdout
    assert made.startswith("Created a of 2")
    assert "default at generation 1 with 2 documents, " in made
    assert rag("snapshot", "list", home=filled).stdout == made.removeprefix("Created ")
    assert rag("snapshot", "verify", "a", home=filled).stdout.startswith("Sound: a of 2")
    listed = rag("documents", "list", home=filled).stdout
    gone = make_document("").id
    assert rag("documents", "delete", gone, home=filled).exit_code == 0
    refused = rag("snapshot", "restore", "a", home=filled)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "--replace" in refused.stderr
    restored = rag("snapshot", "restore", "a", "--replace", home=filled).stdout.splitlines()
    assert restored[0] == "Restored a. A running service answers from it from its next request on."
    assert Path(restored[1].removeprefix("The index before it lies in ")[:-1]).is_dir()
    assert rag("documents", "list", home=filled).stdout == listed


@pytest.mark.files_only
def test_a_damaged_snapshot_is_told(rag: Rag, filled: Path) -> None:
    """`list` goes on with the others and ends with 1; `verify` and `restore` refuse."""
    for name in ("a", "b"):
        rag("snapshot", "create", "--name", name, home=filled)
    (filled / "snapshots" / "a" / "manifest.json").write_text("{}")
    listed = rag("snapshot", "list", home=filled)
    assert listed.exit_code == 1
    assert listed.stdout.startswith("b of 2")
    assert listed.stderr.startswith("a: The snapshot 'a' is damaged")
    for command in ("verify", "restore"):
        result = rag("snapshot", command, "a", home=filled)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "is damaged" in result.stderr


def test_reindexing_what_is_up_to_date_changes_nothing(
    rag: Rag, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said; a home without an index is told how to make one."""
    monkeypatch.setattr("rag.bootstrap.open_embedder", lambda _: SimpleNamespace(tokens=None))
    result = rag("reindex", home=filled)
    assert (result.exit_code, result.stdout) == (0, "The index is up to the settings already.\n")
    missing = rag("reindex", home=filled / "nothing")
    assert missing.exit_code == 1
    assert "rag ingest PATH..." in missing.stderr


def test_an_index_is_reindexed_for_other_settings(rag: Rag, make_home: Callable[..., Path]) -> None:
    """Refused with smaller chunks, it answers with them after `rag reindex`."""
    home = make_home(seeded=True)
    stale = rag("documents", "list", home=home, RAG_CHUNK_TOKENS="120")
    assert stale.exit_code == 1
    assert "rag reindex" in stale.stderr
    before = rag("documents", "list", home=home).stdout.splitlines()[-1]
    done = rag("reindex", home=home, RAG_CHUNK_TOKENS="120")
    assert done.stdout.startswith("Reindexed 5 documents, generation ")
    after = rag("documents", "list", home=home, RAG_CHUNK_TOKENS="120").stdout.splitlines()[-1]
    assert int(after.split()[2]) > int(before.split()[2])
    assert "WRONG" not in rag("doctor", home=home, RAG_CHUNK_TOKENS="120").stdout
