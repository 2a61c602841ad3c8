"""`rag doctor`: every fault is named with the way to mend it."""

from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from click.testing import Result

from tests import stores

Rag = Callable[..., Result]


def wrong(result: Result) -> dict[str, str]:
    """Return what the doctor finds wrong, by the name of the check."""
    lines = [line.split(maxsplit=1) for line in result.stdout.splitlines()]
    assert {line[0] for line in lines} <= {"ok", "WRONG"}
    found = dict(rest.split(": ", 1) for state, rest in lines if state == "WRONG")
    assert result.exit_code == (1 if found else 0)
    return found


def test_nothing_is_wrong_with_a_sound_index(rag: Rag, seeded: Path) -> None:
    """Status 0; models, documents and quotes were looked at."""
    result = rag("doctor", home=seeded)
    assert wrong(result) == {}
    assert "5 documents" in result.stdout
    assert "384 dimensions" in result.stdout
    assert "3 quotes agree with their documents" in result.stdout


def test_an_empty_index_is_named(rag: Rag, home: Path) -> None:
    """With the command that fills it; none is made."""
    found = wrong(rag("doctor", home=home))
    assert set(found) == {"index", "answers"}
    assert "rag ingest PATH..." in found["index"]
    assert stores.names(home) == []


def test_a_stale_index_is_named(rag: Rag, make_home: Callable[..., Path]) -> None:
    """Built with other settings: it says which, and the command that brings it up to them."""
    found = wrong(rag("doctor", home=make_home(seeded=True), RAG_CHUNK_TOKENS="150"))
    assert set(found) == {"index", "answers"}
    assert "chunks of at most 200 tokens" in found["index"]
    assert "chunks of at most 150 tokens" in found["index"]
    assert "rag reindex" in found["index"]


@pytest.mark.files_only
def test_a_damaged_index_is_named(rag: Rag, make_home: Callable[..., Path]) -> None:
    """A passage that was altered, and a file that is no database."""
    home = make_home(seeded=True)
    file = home / "collections" / "default" / "store.sqlite"
    with apsw.Connection(str(file)) as connection:
        connection.execute("UPDATE chunks SET text = 'x' || text WHERE id = 1")
    connection.close()
    found = wrong(rag("doctor", home=home))
    assert set(found) == {"index", "answers"}
    assert "the passage 1 is not as it was written" in found["index"]
    assert "rag snapshot restore" in found["index"]
    for leftover in file.parent.iterdir():
        leftover.write_bytes(b"no database" * 1000)
    found = wrong(rag("doctor", home=home))
    assert set(found) == {"index", "answers"}
    assert "ingest again" in found["index"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"RAG_EMBEDDER": "/nowhere"}, "No embedder at /nowhere"),
        ({"RAG_READER": "/nowhere"}, "/nowhere"),
    ],
)
def test_a_missing_model_is_named(
    rag: Rag, seeded: Path, settings: dict[str, str], message: str
) -> None:
    """The others are checked all the same."""
    result = rag("doctor", home=seeded, **settings)
    found = wrong(result)
    assert all(message in fault for fault in found.values())
    assert "answers" in found
    assert "ok     packages: " in result.stdout


def test_an_unknown_setting_is_one_line(rag: Rag, seeded: Path) -> None:
    """It is refused by name before anything else."""
    result = rag("doctor", home=seeded, RAG_TREADS="2")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: Unknown setting RAG_TREADS.")
