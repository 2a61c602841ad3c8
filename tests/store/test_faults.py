"""A write that the disk refuses fails clearly, the state before serves on, the next write works."""

import errno
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import apsw
import pytest

from rag.errors import StoreError, StoreFull
from rag.store import SqliteStore, Store
from tests.fakes import make_document, ready
from tests.store.conformance.opening import content
from tests.store.faults import Plan, injected

pytestmark = pytest.mark.filterwarnings(
    # What an injected error does to SQLite's own clean-up, apsw tells Python's hook for the like.
    "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture
def plan() -> Iterator[Plan]:
    with injected() as planned:
        yield planned


def put(store: Store, n: int) -> int:
    text = "\n".join(f"line {line} of document {n}" for line in range(40))
    return store.put(ready(make_document(text, uri=f"file:{n % 3}")))


def failing(store: Store, n: int, raised: type[StoreError]) -> bool:
    """Put a document and tell whether that failed, clearly."""
    try:
        put(store, n)
    except raised as error:
        return str(error).startswith(f"The index at {store.path} was not changed: ")
    return False


@pytest.mark.parametrize("kind", ["write", "sync"])
@pytest.mark.parametrize(
    ("error", "raised"), [(apsw.FullError, StoreFull), (apsw.IOError, StoreError)]
)
def test_every_call_of_a_write_may_fail(
    tmp_path: Path, plan: Plan, kind: str, error: type[apsw.Error], raised: type[StoreError]
) -> None:
    """Whichever write or sync fails: a clear error, the old state, and the next write works.

    One call after the other is failed until a whole write passes unharmed.
    """
    store = SqliteStore(tmp_path, fingerprint="f")
    put(store, 0)
    failures, at = 0, 0
    while True:
        at += 1
        with store.snapshot() as snapshot:
            generation, before = snapshot.generation, content(snapshot)
        plan.kinds, plan.error, plan.at = frozenset({kind}), error, at
        if not failing(store, at, raised):
            break
        failures += 1
        with store.snapshot() as snapshot:
            assert (snapshot.generation, content(snapshot)) == (generation, before)
        assert put(store, at) == generation + 1
    assert failures > 0
    plan.kinds = frozenset()
    with store.snapshot() as snapshot:
        snapshot.verify()
        expected = content(snapshot)
    store.close()
    again = SqliteStore(tmp_path, fingerprint="f")
    with again.snapshot() as snapshot:
        assert content(snapshot) == expected
    again.close()


def test_a_read_that_fails_is_a_clear_error(tmp_path: Path, plan: Plan) -> None:
    """EIO while reading is StoreError; afterwards the same is read."""
    store = SqliteStore(tmp_path, fingerprint="f")
    for n in range(3):
        put(store, n)
    store.close()
    again = SqliteStore(tmp_path, fingerprint="f")
    plan.kinds, plan.at, plan.lasting = frozenset({"read"}), 1, True
    with pytest.raises(StoreError, match="cannot be read now"), again.snapshot() as snapshot:
        content(snapshot)
    plan.kinds = frozenset()
    with again.snapshot() as snapshot:
        assert len(content(snapshot)) == 120
    assert put(again, 4) == 4
    again.close()


def test_too_many_open_files_is_a_clear_error(tmp_path: Path, plan: Plan) -> None:
    """Where no file can be opened: StoreError for a new reader, while writing goes on."""
    store = SqliteStore(tmp_path, fingerprint="f")
    plan.kinds, plan.error, plan.at, plan.lasting = frozenset({"open"}), apsw.CantOpenError, 1, True
    with pytest.raises(StoreError, match="limit of open files"), store.snapshot():
        pass
    assert put(store, 1) == 1
    plan.kinds = frozenset()
    with store.snapshot() as snapshot:
        assert snapshot.generation == 1
    store.close()


def test_a_connection_is_renewed_after_a_failed_write(tmp_path: Path, plan: Plan) -> None:
    """A connection whose sync failed is not trusted any more: the next write has another one.

    While none can be opened the next write fails as well.
    """
    store = SqliteStore(tmp_path, fingerprint="f")
    plan.kinds, plan.at = frozenset({"sync"}), 1
    with pytest.raises(StoreError):
        put(store, 1)
    before = store._writer
    plan.kinds, plan.error, plan.at, plan.lasting = frozenset({"open"}), apsw.CantOpenError, 1, True
    with pytest.raises(StoreError, match="was not changed"):
        put(store, 1)
    plan.kinds = frozenset()
    assert put(store, 1) == 1
    assert store._writer is not before
    store.close()


def test_below_the_floor_nothing_is_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little room is StoreFull, naming the setting, before anything is written.

    Reading and deleting go on, and with room again adding does.
    """
    free = 1000
    monkeypatch.setattr("rag.store.store.shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    store = SqliteStore(tmp_path, fingerprint="f", min_free_bytes=1000)
    assert put(store, 1) == 1
    free = 999
    with pytest.raises(StoreFull, match="RAG_MIN_FREE_BYTES"):
        put(store, 2)
    with store.snapshot() as snapshot:
        assert snapshot.count() == (1, 40)
    assert store.delete(make_document("", uri="file:1").id) == 2
    free = 1000
    assert put(store, 2) == 3
    store.close()


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_write_stands_when_its_mark_cannot_be_written(
    tmp_path: Path, error: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The transaction is on the disk by then: it is acknowledged, the failure logged, made good."""
    store = SqliteStore(tmp_path, fingerprint="f")
    mark = tmp_path / "store.generation"
    before = mark.read_bytes()

    def fail(_: Any) -> None:
        raise OSError(error, os.strerror(error))

    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
        patched.setattr("rag.durable.os.fsync", fail)
        assert put(store, 1) == 1
    assert "generation could not be noted" in caplog.text
    assert mark.read_bytes() == before
    assert put(store, 2) == 2
    assert mark.read_bytes().split(b" ")[1] == b"2"
    store.close()


def test_a_mark_that_cannot_be_read_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever reading of it fails while a store is opened; the next opening works."""
    SqliteStore(tmp_path, fingerprint="f").close()
    read = Path.read_bytes
    for failing in (1, 2):
        left = failing

        def read_or_fail(path: Path) -> bytes:
            nonlocal left
            left -= path.name == "store.generation"
            if path.name == "store.generation" and not left:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return read(path)

        with monkeypatch.context() as patched:
            patched.setattr(Path, "read_bytes", read_or_fail)
            with pytest.raises(StoreError, match="cannot be opened"):
                SqliteStore(tmp_path, fingerprint="f")
        assert left == 0
        SqliteStore(tmp_path, fingerprint="f").close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_may_not_be_written_is_a_clear_error(tmp_path: Path) -> None:
    """A store cannot be made there, and the error says what to check."""
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match=r"cannot be opened.*permissions"):
        SqliteStore(tmp_path / "index", fingerprint="f")
    tmp_path.chmod(0o700)
