"""What is opened, made or refused; what is refused keeps its bytes."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from rag.errors import DamagedStore, NotFound, StaleIndex, StoreError
from rag.store import SqliteStore, Store
from tests.fakes import make_document, ready
from tests.store.conftest import everything_in

FORMAT_1 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('format', '1'), ('generation', '0'), ('fingerprint', 'f');
"""


def filled(directory: Path, *, documents: int = 1, fingerprint: str = "f") -> Store:
    """Make a store of some generations and close it."""
    store = SqliteStore(directory, fingerprint=fingerprint)
    for n in range(documents):
        store.put(ready(make_document(f"text {n}", uri=f"file:{n}")))
    store.close()
    return store


def test_an_index_of_other_settings_is_refused(tmp_path: Path) -> None:
    """Another fingerprint is refused, naming what differs and the command that mends it."""
    filled(tmp_path, fingerprint="model a; chunks of 200; rule 1")
    before = everything_in(tmp_path)
    with pytest.raises(
        StaleIndex, match=r"built with chunks of 200, .* are chunks of 100\. .*rag reindex"
    ):
        SqliteStore(tmp_path, fingerprint="model a; chunks of 100; rule 1")
    with pytest.raises(StaleIndex, match=r"built with model a; chunks of 200; rule 1, .* other"):
        SqliteStore(tmp_path, fingerprint="other")
    assert everything_in(tmp_path).items() >= before.items()
    again = SqliteStore(tmp_path, fingerprint=None)
    assert again.fingerprint == "model a; chunks of 200; rule 1"
    with again.snapshot() as snapshot:
        assert snapshot.count() == (1, 1)
    again.close()


@pytest.mark.parametrize(
    ("script", "found"),
    [
        pytest.param("PRAGMA journal_mode = WAL;" + FORMAT_1, "has format 1", id="1"),
        pytest.param("PRAGMA application_id = 0x43685665; PRAGMA user_version = 99", "99", id="99"),
    ],
)
def test_an_index_of_another_format_is_refused(tmp_path: Path, script: str, found: str) -> None:
    """A format this version does not know is refused, naming it and what to do, not altered."""
    connection = apsw.Connection(str(tmp_path / "store.sqlite"))
    connection.execute(script).fetchall()
    connection.close()
    before = everything_in(tmp_path)
    with pytest.raises(StaleIndex, match=f"{found}.*ingest the documents again"):
        SqliteStore(tmp_path, fingerprint="f")
    assert everything_in(tmp_path) == before


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"A letter to my aunt, not a database.\n" * 100, id="letter"),
        pytest.param(b"SQLite", id="short"),
        pytest.param(b"", id="empty"),
    ],
)
def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path, data: bytes) -> None:
    """Something else under the store's name is refused, naming it, and keeps its bytes."""
    (tmp_path / "store.sqlite").write_bytes(data)
    with pytest.raises(DamagedStore, match=r"store\.sqlite is damaged: it is no SQLite file"):
        SqliteStore(tmp_path, fingerprint="f")
    assert everything_in(tmp_path) == {"store.sqlite": data}


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_a_database_of_another_program_is_left_alone(tmp_path: Path, journal: str) -> None:
    """A database with other tables under the store's name is refused and keeps every byte."""
    connection = apsw.Connection(str(tmp_path / "store.sqlite"))
    connection.execute(f"PRAGMA journal_mode = {journal}").fetchall()
    connection.execute("CREATE TABLE letters (text); INSERT INTO letters VALUES ('Dear aunt')")
    connection.close()
    before = everything_in(tmp_path)
    with pytest.raises(DamagedStore, match=r"store\.sqlite is damaged: it is another program's"):
        SqliteStore(tmp_path, fingerprint="f")
    assert everything_in(tmp_path) == before


def test_nothing_is_made_where_only_reading_is_wanted(tmp_path: Path) -> None:
    """Without a store NotFound names the command that makes one, and no directory appears."""
    for fingerprint in ("f", None):
        with pytest.raises(NotFound, match=r"no index at .*rag ingest PATH"):
            SqliteStore(tmp_path / "home", fingerprint=fingerprint, create=False)
    with pytest.raises(NotFound, match="rag ingest"):
        SqliteStore(tmp_path / "home", fingerprint=None)
    assert not (tmp_path / "home").exists()


def test_a_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    """Where a file stands in the way of the directory, the error names the store's path."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"file/store\.sqlite cannot be opened"):
        SqliteStore(tmp_path / "file", fingerprint="f")


def test_every_connection_writes_through_to_the_disk(store: Store) -> None:
    """The journal is WAL and `synchronous` FULL (2), read back, for writing and for reading."""
    with store.snapshot() as snapshot:
        for connection in (store._writer, snapshot._tables.connection):
            assert connection.execute("PRAGMA journal_mode").get == "wal"
            assert connection.execute("PRAGMA synchronous").get == 2


def test_an_older_copy_is_refused(tmp_path: Path) -> None:
    """A copy of an earlier generation in the store's place would lack what was acknowledged."""
    filled(tmp_path, documents=1)
    old = (tmp_path / "store.sqlite").read_bytes()
    filled(tmp_path, documents=2)
    (tmp_path / "store.sqlite").write_bytes(old)
    before = everything_in(tmp_path)
    with pytest.raises(DamagedStore, match="at generation 1, but had reached 3"):
        SqliteStore(tmp_path, fingerprint="f")
    assert everything_in(tmp_path).items() >= before.items()


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.99])
def test_a_lost_or_cut_log_is_refused(tmp_path: Path, keep: float) -> None:
    """Without the end of its log a database looks sound to SQLite; the mark knows better."""
    store = SqliteStore(tmp_path / "a", fingerprint="f")
    for n in range(3):
        store.put(ready(make_document(f"text {n}", uri=f"file:{n}")))
    shutil.copytree(tmp_path / "a", tmp_path / "b")  # as a kill would leave it
    store.close()
    log = tmp_path / "b" / "store.sqlite-wal"
    os.truncate(log, int(keep * log.stat().st_size))
    with pytest.raises(DamagedStore, match="later writes are missing"):
        SqliteStore(tmp_path / "b", fingerprint="f")


def test_the_store_of_another_index_is_refused(tmp_path: Path) -> None:
    """Two stores that changed places are noticed, whatever their generations."""
    filled(tmp_path / "a", documents=1)
    filled(tmp_path / "b", documents=2)
    shutil.copy(tmp_path / "b" / "store.sqlite", tmp_path / "a" / "store.sqlite")
    with pytest.raises(DamagedStore, match="is another index's"):
        SqliteStore(tmp_path / "a", fingerprint="f")


def test_a_store_whose_file_is_gone_is_not_begun_anew(tmp_path: Path) -> None:
    """What is left beside the place of the file tells that there was one."""
    filled(tmp_path)
    (tmp_path / "store.sqlite").unlink()
    with pytest.raises(DamagedStore, match=r"missing, while store\.generation is there"):
        SqliteStore(tmp_path, fingerprint="f")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda mark: mark.unlink(), id="missing"),
        pytest.param(lambda mark: mark.write_bytes(b""), id="empty"),
        pytest.param(lambda mark: mark.write_bytes(b"\xff \xff \xff"), id="no-text"),
        pytest.param(
            lambda mark: mark.write_bytes(mark.read_bytes().replace(b" 2 ", b" 9 ")), id="altered"
        ),
        pytest.param(lambda mark: shutil.copy(mark.parent / "older", mark), id="older"),
    ],
)
def test_a_mark_that_tells_nothing_is_made_anew(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    """A mark that is missing, altered or, after a kill, behind is no harm: it is written again."""
    filled(tmp_path, documents=1)
    mark = tmp_path / "store.generation"
    shutil.copy(mark, tmp_path / "older")
    filled(tmp_path, documents=1)
    right = mark.read_bytes()
    change(mark)
    assert not mark.exists() or mark.read_bytes() != right
    store = SqliteStore(tmp_path, fingerprint="f")
    assert mark.read_bytes() == right
    store.close()


def test_a_store_that_was_moved_away_takes_no_more_writes(tmp_path: Path) -> None:
    """Writes to a file that is no longer in its place would be lost: they are refused, as reads."""
    store = SqliteStore(tmp_path / "a", fingerprint="f")
    store.put(ready(make_document("text")))
    (tmp_path / "a").rename(tmp_path / "b")
    for place in ("nothing", "another"):
        if place == "another":
            filled(tmp_path / "a")
        with pytest.raises(StoreError, match=r"moved, deleted or restored.*Restart"):
            store.put(ready(make_document("more", uri="file:b")))
        with pytest.raises(StoreError, match="moved, deleted or restored"), store.snapshot():
            pass
    store.close()
