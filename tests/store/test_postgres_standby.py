"""Reads from a standby are those of the primary, or go to the primary."""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Final

import pytest

from rag.errors import NotFound, SettingsError, StoreError, Unreachable
from rag.store.postgres import PostgresStore, Server, Standby, migrate
from rag.store.postgres import collections as catalog
from tests.fakes import make_document, ready
from tests.postgres import PostgresServer, follow, programs, running_server, running_standby
from tests.store.conformance.opening import everything
from tests.store.proxy import proxy_to

PAUSE: Final = "SELECT pg_wal_replay_pause()"
RESUME: Final = "SELECT pg_wal_replay_resume()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A primary and its standby, with the url of a migrated database on each."""

    primary: PostgresServer
    standby: PostgresServer
    url: str
    standby_url: str

    def follow(self) -> None:
        """Wait until the standby has all that the primary has."""
        follow(self.primary, self.standby)


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    directory = programs()
    if directory is None:
        pytest.skip("there is no server to follow")
    with running_server(directory) as primary:
        url = primary.make_database()
        migrate(url)
        with running_standby(primary) as standby:
            there = url.replace(f":{primary.port}/", f":{standby.port}/")
            yield Pair(primary=primary, standby=standby, url=url, standby_url=there)


@contextmanager
def opened(
    pair: Pair,
    name: str,
    *,
    lag_seconds: float = 0,
    standby_url: str = "",
    now: Callable[[], float] = time.monotonic,
) -> Iterator[tuple[PostgresStore, Standby]]:
    """Open a collection as a service of its own does, with the standby to read from."""
    reading = Server(standby_url or pair.standby_url, primary=False, wait_seconds=1)
    with closing(Server(pair.url)) as server, closing(reading):
        standby = Standby(reading, lag_seconds=lag_seconds, now=now)
        yield PostgresStore(server, name, fingerprint="f", standby=standby), standby


def texts(store: PostgresStore) -> dict[str, str]:
    """Return the texts of all documents, and that all there is belongs together."""
    with store.snapshot() as snapshot:
        snapshot.verify()
        found = snapshot.summaries(limit=1000)
        return {summary.uri: snapshot.document(summary.id).text for summary in found}


def test_what_the_standby_has_is_read_there(pair: Pair) -> None:
    """It is equal in every bit; nothing but the row that binds all is asked of the primary."""
    with opened(pair, "there") as (store, standby):
        for n in range(5):
            store.put(ready(make_document(f"text {n}", uri=f"file:{n % 3}")))
        pair.follow()
        with closing(Server(pair.url)) as server:
            expected = everything(PostgresStore(server, "there", fingerprint="f"))
        assert everything(store) == expected
        assert dict(standby.reads) == {"standby": 1, "behind": 0, "away": 0}


def test_a_standby_that_is_behind_is_not_read(pair: Pair) -> None:
    """While it replays nothing each read goes to the primary, by own and others' writes alike."""
    with opened(pair, "behind") as (store, standby), opened(pair, "behind") as (other, _):
        store.put(ready(make_document("old")))
        pair.follow()
        assert texts(other) == {"file:a.txt": "old"}
        pair.standby.execute(PAUSE)
        try:
            store.put(ready(make_document("new")))
            assert texts(store) == texts(other) == {"file:a.txt": "new"}
            store.delete(make_document("").id)
            assert texts(store) == texts(other) == {}
            assert dict(standby.reads) == {"standby": 0, "behind": 2, "away": 0}
        finally:
            pair.standby.execute(RESUME)
        pair.follow()
        assert texts(store) == texts(other) == {}
        assert dict(standby.reads) == {"standby": 1, "behind": 2, "away": 0}


def test_within_the_lag_others_writes_may_be_missed_but_not_own_ones(pair: Pair) -> None:
    """What the primary had up to 60 seconds ago is read without it; own writes are seen at once.

    Nothing is seen that is older than what was seen before.
    """
    now = [1000.0]
    with (
        opened(pair, "lag", lag_seconds=60, now=lambda: now[0]) as (store, _),
        opened(pair, "lag") as (other, _),
    ):
        now[0] += 1
        other.put(ready(make_document("old")))
        pair.follow()
        now[0] += 1
        assert texts(store) == {"file:a.txt": "old"}
        pair.standby.execute(PAUSE)
        try:
            now[0] += 1
            other.put(ready(make_document("new")))
            now[0] += 58
            assert texts(store) == {"file:a.txt": "old"}  # asked 59 seconds ago
            now[0] += 1
            assert texts(store) == {"file:a.txt": "new"}
            now[0] += 1
            assert texts(store) == {"file:a.txt": "new"}
            store.put(ready(make_document("own", uri="file:b.txt")))
            now[0] += 1
            assert texts(store) == {"file:a.txt": "new", "file:b.txt": "own"}
        finally:
            pair.standby.execute(RESUME)


def test_within_the_lag_is_answered_without_the_primary(pair: Pair) -> None:
    """As long as the bound allows, while nobody reaches the primary; then it is told."""
    now = [1000.0]
    with proxy_to(pair.primary.port) as proxy:
        through = pair.url.replace(f":{pair.primary.port}/", f":{proxy.port}/")
        reading = Server(pair.standby_url, primary=False, wait_seconds=1)
        with closing(Server(through, wait_seconds=0.5)) as server, closing(reading):
            standby = Standby(reading, lag_seconds=60, now=lambda: now[0])
            store = PostgresStore(server, "alone", fingerprint="f", standby=standby)
            store.put(ready(make_document("text")))
            pair.follow()
            now[0] += 1
            assert texts(store) == {"file:a.txt": "text"}
            proxy.refusing = True
            proxy.end_all()
            now[0] += 59
            assert not store.superseded
            assert texts(store) == {"file:a.txt": "text"}
            now[0] += 1
            with pytest.raises(Unreachable, match="no connection to the database"):
                _ = store.superseded
            with pytest.raises(Unreachable, match="no connection to the database"):
                texts(store)


def test_a_collection_of_another_server_is_not_read(pair: Pair) -> None:
    """An address that is not a standby's, whatever it has under the same number, is told."""
    with closing(Server(pair.url)) as server:
        PostgresStore(server, "mine", fingerprint="f").put(ready(make_document("mine")))
        found = catalog.find(server, "mine")
        assert found is not None
    elsewhere = pair.primary.make_database()
    migrate(elsewhere)
    with closing(Server(elsewhere)) as server:
        for n in range(found.number):
            PostgresStore(server, f"another {n}", fingerprint="f").put(
                ready(make_document("not mine"))
            )
    with opened(pair, "mine", standby_url=elsewhere) as (store, standby):
        assert texts(store) == {"file:a.txt": "mine"}
        assert dict(standby.reads) == {"standby": 0, "behind": 1, "away": 0}


def test_a_collection_that_was_deleted_is_not_read(pair: Pair) -> None:
    """However far behind the standby is: who asks for it afterwards is told."""
    with opened(pair, "deleted") as (store, _), closing(Server(pair.url)) as server:
        store.put(ready(make_document("text")))
        pair.follow()
        assert texts(store)
        pair.standby.execute(PAUSE)
        try:
            catalog.remove(server, "deleted")
            assert store.superseded
            with pytest.raises(StoreError, match="was deleted since"):
                texts(store)
            with pytest.raises(NotFound):
                PostgresStore(server, "deleted", fingerprint=None)
        finally:
            pair.standby.execute(RESUME)


def test_a_lost_standby_costs_no_read(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    """The primary is read from instead and that is told once; seconds later the standby again."""
    now = [1000.0]
    with (
        proxy_to(pair.standby.port) as proxy,
        opened(
            pair,
            "lost",
            standby_url=pair.standby_url.replace(f":{pair.standby.port}/", f":{proxy.port}/"),
            now=lambda: now[0],
        ) as (store, standby),
        caplog.at_level(logging.WARNING, logger="rag"),
    ):
        store.put(ready(make_document("text")))
        pair.follow()
        assert texts(store) == {"file:a.txt": "text"}
        proxy.refusing = True
        proxy.end_all()
        for _ in range(3):
            assert texts(store) == {"file:a.txt": "text"}
        assert dict(standby.reads) == {"standby": 1, "behind": 0, "away": 3}
        assert caplog.text.count("The primary is read from instead of postgresql://127.0.0.1:") == 1
        proxy.refusing = False
        now[0] += 4
        assert texts(store) == {"file:a.txt": "text"}
        assert standby.reads["standby"] == 1
        now[0] += 1
        assert texts(store) == {"file:a.txt": "text"}
        assert standby.reads["standby"] == 2
        assert caplog.text.count("is read from again") == 1


def test_a_read_whose_standby_is_lost_half_way_is_told(pair: Pair) -> None:
    """It cannot go on elsewhere; the one after it is the primary's."""
    with (
        proxy_to(pair.standby.port) as proxy,
        opened(
            pair,
            "half",
            standby_url=pair.standby_url.replace(f":{pair.standby.port}/", f":{proxy.port}/"),
        ) as (store, standby),
    ):
        store.put(ready(make_document("text")))
        pair.follow()

        def lost() -> None:
            with store.snapshot() as snapshot:
                proxy.end_all()
                snapshot.versions()

        with pytest.raises(Unreachable, match="cannot be read now"):
            lost()
        assert texts(store) == {"file:a.txt": "text"}
        assert dict(standby.reads) == {"standby": 1, "behind": 0, "away": 2}


def test_an_address_that_is_none_is_told_by_its_setting() -> None:
    """The setting is named, and no password."""
    with pytest.raises(SettingsError, match="RAG_STORE_READ is no address") as caught:
        Server("postgresql://anna:secret@[/mine", primary=False)
    assert "secret" not in str(caught.value)


def test_two_services_never_read_what_was_deleted_before(pair: Pair) -> None:
    """One writes and deletes, the other reads all the while: nothing acknowledged is missed.

    Each read finds the generation that was acknowledged before it began, or a later one.
    """
    acknowledged = 0
    done = threading.Event()
    with opened(pair, "two") as (writing, _), opened(pair, "two") as (reading, standby):

        def write() -> None:
            nonlocal acknowledged
            try:
                for n in range(60):
                    acknowledged = writing.put(ready(make_document(f"text {n}")))
                    acknowledged = writing.delete(make_document("").id)
            finally:
                done.set()

        thread = threading.Thread(target=write)
        thread.start()
        reads = 0
        while not done.is_set():
            least = acknowledged
            with reading.snapshot() as snapshot:
                assert snapshot.generation >= least
                assert snapshot.count()[0] == snapshot.generation % 2
            reads += 1
        thread.join()
        assert acknowledged == 120
        assert reads == sum(standby.reads.values())
        sys.stdout.write(f"{reads} reads beside 120 writes: {dict(standby.reads)}\n")
