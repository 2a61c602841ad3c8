"""What is altered, missing or too much is noticed, and never answered from."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from rag.documents import document_id
from rag.errors import DamagedStore, NotFound, StaleIndex
from rag.store import Filters, SqliteStore, verify_file
from tests.fakes import make_document, ready
from tests.store.conformance.opening import content
from tests.store.conftest import everything_in

URIS = [f"file:{n}" for n in range(4)]
KEPT = document_id("file:1")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A closed store of four documents, of which one was replaced, and a fifth deleted."""
    store = SqliteStore(tmp_path / "index", fingerprint="f")
    for n, uri in enumerate([*URIS, "file:gone", URIS[0]]):
        store.put(ready(make_document(f"text {n}\nline two\nline three of {n}", uri=uri)))
    store.delete(document_id("file:gone"))
    store.close()
    return tmp_path / "index"


def alter(directory: Path, statement: str) -> None:
    """Change a store's file behind its back."""
    connection = apsw.Connection(str(directory / "store.sqlite"))
    connection.execute(statement)
    connection.close()


def read_all(directory: Path) -> dict[str, object]:
    """Open a store and ask it everything it can be asked."""
    store = SqliteStore(directory, fingerprint="f", create=False)
    try:
        with store.snapshot() as snapshot:
            listed = snapshot.summaries(limit=100)
            ids = [summary.id for summary in listed]
            return {
                "generation": snapshot.generation,
                "count": snapshot.count(),
                "listed": listed,
                "documents": [snapshot.document(id_) for id_ in ids],
                "one by one": [snapshot.summary(document_id(uri)) for uri in URIS],
                "matching": snapshot.matching(Filters(media_types=("text/plain",))),
                "chunks": snapshot.chunks(snapshot.chunk_ids(ids).tolist()),
                "content": content(snapshot),
                "versions": snapshot.versions(),
                "former": [snapshot.former_versions(id_) for id_ in ids],
                "later": [list(snapshot.added_since(g)) and None for g in range(1, 8)],
                "removed": [snapshot.removed_since(g).tolist() for g in range(1, 8)],
            }
    finally:
        store.close()


ALTERED = [
    pytest.param("UPDATE meta SET content = replace(content, '4', '5')", id="meta"),
    pytest.param("DELETE FROM meta", id="no-meta"),
    pytest.param("UPDATE documents SET title = 'x' WHERE number = 2", id="title"),
    pytest.param("UPDATE documents SET published = '2020-01-01' WHERE number = 2", id="date"),
    pytest.param("UPDATE documents SET characters = characters + 1", id="characters"),
    pytest.param("DELETE FROM documents WHERE number = 3", id="no-document"),
    pytest.param("DROP TABLE bodies", id="no-table"),
    pytest.param("UPDATE bodies SET text = text || ' ' WHERE number = 2", id="text"),
    pytest.param("UPDATE bodies SET sections = '[]' WHERE number = 2", id="sections"),
    pytest.param("DELETE FROM bodies WHERE number = 2", id="no-text"),
    pytest.param("UPDATE chunks SET text = upper(text) WHERE id = 5", id="passage"),
    pytest.param("UPDATE chunks SET text = CAST(x'ff' AS TEXT) WHERE id = 5", id="no-utf-8"),
    pytest.param("UPDATE chunks SET vector = zeroblob(128) WHERE id = 5", id="vector"),
    pytest.param("UPDATE chunks SET page = 0 WHERE id = 5", id="null-becomes-0"),
    pytest.param(
        "UPDATE chunks SET id = CASE id WHEN 5 THEN 1000 ELSE id END WHERE id = 5", id="other-id"
    ),
    pytest.param("DELETE FROM chunks WHERE id = 6", id="no-passage"),
    pytest.param("UPDATE versions SET until = until + 1", id="version"),
    pytest.param("UPDATE changes SET removed = '[]' WHERE generation = 7", id="log"),
    pytest.param("DELETE FROM changes WHERE generation = 6", id="gap-in-log"),
]


@pytest.mark.parametrize("statement", ALTERED)
def test_an_altered_row_is_noticed(directory: Path, statement: str) -> None:
    """Whatever row is altered or lost: reading it all, and verifying, is DamagedStore."""
    read_all(directory)
    alter(directory, statement)
    with pytest.raises(DamagedStore, match=r"is damaged: .*rag snapshot restore"):
        read_all(directory)
    with pytest.raises(DamagedStore):
        verify_file(directory / "store.sqlite")


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(
            "INSERT INTO chunks SELECT id + 500, document, start_, end_, page, tokens, section, "
            "text, vector, checksum FROM chunks WHERE id = 5",
            id="passage",
        ),
        pytest.param("INSERT INTO bodies VALUES (99, '[]', '[]', 'x')", id="text"),
        pytest.param("DELETE FROM versions", id="no-versions"),
    ],
)
def test_what_no_question_meets_is_noticed_by_verifying(directory: Path, statement: str) -> None:
    """Rows that nothing refers to, and lost ones that may not have been, are found by `verify`."""
    alter(directory, statement)
    store = SqliteStore(directory, fingerprint="f")
    with store.snapshot() as snapshot, pytest.raises(DamagedStore):
        snapshot.verify()
    store.close()


def test_a_sound_store_verifies(directory: Path) -> None:
    """`verify` finds nothing in a store that was only written to, and changes nothing."""
    before = everything_in(directory)
    assert verify_file(directory / "store.sqlite").generation == 7
    assert everything_in(directory) == before
    store = SqliteStore(directory, fingerprint="f")
    with store.snapshot() as snapshot:
        snapshot.verify()
    store.close()


def test_a_damaged_passage_does_not_keep_others_from_being_read(directory: Path) -> None:
    """Only what is read is verified: the document beside the damaged one is still there."""
    alter(directory, "UPDATE chunks SET text = 'x' WHERE id = 5")
    store = SqliteStore(directory, fingerprint="f")
    with store.snapshot() as snapshot:
        assert snapshot.document(KEPT).uri == "file:1"
        with pytest.raises(DamagedStore, match="the passage 5 is not as it was written"):
            snapshot.chunks([5])
        assert [chunk.id for chunk in snapshot.chunks([7, 8])] == [7, 8]
    store.close()


def test_a_damaged_index_of_ids_hides_no_document(directory: Path) -> None:
    """A document that SQLite's own index does not lead to is damage, not NotFound."""
    alter(
        directory,
        "PRAGMA writable_schema = ON; "
        "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = "
        "'sqlite_autoindex_documents_2') WHERE name = 'sqlite_autoindex_documents_1'",
    )
    with pytest.raises(DamagedStore):
        read_all(directory)


def test_a_write_onto_damage_changes_nothing(directory: Path) -> None:
    """Replacing a document whose rows are missing is refused, and the others stay as they are."""
    alter(directory, "DELETE FROM chunks WHERE id = 6")
    store = SqliteStore(directory, fingerprint="f")
    with pytest.raises(DamagedStore):
        store.put(ready(make_document("new", uri="file:1")))
    with store.snapshot() as snapshot:
        assert snapshot.generation == 7
    assert store.put(ready(make_document("new", uri="file:new"))) == 8
    store.close()


def zero_block(data: bytearray, rng: random.Random) -> None:
    start = rng.randrange(0, len(data), 512)
    data[start : start + 512] = bytes(min(512, len(data) - start))


def flip_bit(data: bytearray, rng: random.Random) -> None:
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def cut(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


@pytest.mark.parametrize("name", ["store.sqlite", "store.sqlite-wal", "store.generation"])
@pytest.mark.parametrize("damage", [zero_block, flip_bit, cut])
def test_random_damage_gives_no_wrong_answer(
    tmp_path: Path, name: str, damage: Callable[[bytearray, random.Random], None]
) -> None:
    """After random damage to a file, all is answered as before, or refused.

    The files are as a kill leaves them with all writes in the log, or closed with none there.
    """
    store = SqliteStore(tmp_path / "live", fingerprint="f")
    for n in range(12):
        text = "\n".join(f"line {line} of document {n}" for line in range(8))
        store.put(ready(make_document(text, uri=URIS[n % 4])))
    if name == "store.sqlite":
        store._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    shutil.copytree(tmp_path / "live", tmp_path / "sound")
    store.close()
    shutil.copytree(tmp_path / "sound", tmp_path / "read")
    expected = read_all(tmp_path / "read")
    refused = 0
    for seed in range(8):
        directory = tmp_path / str(seed)
        shutil.copytree(tmp_path / "sound", directory)
        data = bytearray((directory / name).read_bytes())
        damage(data, random.Random(seed))
        (directory / name).write_bytes(data)
        try:
            assert read_all(directory) == expected
        except (DamagedStore, StaleIndex):
            refused += 1
    assert refused == 0 if name == "store.generation" else refused > 0


def test_damage_is_named_with_the_place_and_the_way_out(directory: Path) -> None:
    """The message holds the file, the command that restores and what else can be done."""
    (directory / "store.sqlite").write_bytes(b"x" * 5000)
    with pytest.raises(DamagedStore) as caught:
        SqliteStore(directory, fingerprint="f")
    for part in (str(directory / "store.sqlite"), "rag snapshot restore NAME", "ingest again"):
        assert part in str(caught.value)


def test_an_unknown_id_is_not_damage(directory: Path) -> None:
    """What never was, or was deleted, is KeyError or NotFound."""
    store = SqliteStore(directory, fingerprint="f")
    with store.snapshot() as snapshot:
        for id_ in (10**6, 14, 0, -1):
            with pytest.raises(KeyError):
                snapshot.chunks([id_])
        with pytest.raises(NotFound):
            snapshot.document(document_id("file:gone"))
    store.close()
