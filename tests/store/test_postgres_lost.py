"""A connection or a server that is lost costs nothing that was acknowledged, and is told."""

import logging
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from rag.errors import StoreError, Unreachable
from rag.store import NewDocument
from rag.store.postgres import PostgresStore, Server, migrate
from tests.fakes import make_document, ready
from tests.postgres import PostgresServer, programs, running_server
from tests.store.conformance.opening import everything
from tests.store.proxy import proxy_to


def end_all_but_own(url: str) -> int:
    """End every other connection to a database, as a restart of the server does."""
    with psycopg.connect(url) as connection:
        return len(
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid() "
                "AND backend_type = 'client backend'"
            ).fetchall()
        )


def test_idle_connections_that_were_ended_are_replaced(
    postgres_server: PostgresServer,
) -> None:
    """Who comes next reads and writes as if nothing had been."""
    url = postgres_server.make_database()
    migrate(url)
    with closing(Server(url, connections=3)) as server:
        store = PostgresStore(server, "a", fingerprint="f")
        with store.snapshot(), store.snapshot(), store.snapshot():
            pass
        assert end_all_but_own(url) == 3
        assert store.put(ready(make_document("text"))) == 1
        assert end_all_but_own(url) >= 1
        with store.snapshot() as snapshot:
            assert snapshot.count() == (1, 1)


def test_a_connection_that_is_lost_in_a_snapshot_is_told(postgres_server: PostgresServer) -> None:
    """The read is refused; the next one has another connection."""
    url = postgres_server.make_database()
    migrate(url)
    with closing(Server(url)) as server:
        store = PostgresStore(server, "a", fingerprint="f")
        store.put(ready(make_document("text")))

        def lost() -> None:
            with store.snapshot() as snapshot:
                end_all_but_own(url)
                snapshot.versions()

        with pytest.raises(Unreachable, match="cannot be read now"):
            lost()
        with store.snapshot() as snapshot:
            assert snapshot.count() == (1, 1)


def test_a_connection_that_is_lost_in_a_write_changes_nothing(
    postgres_server: PostgresServer,
) -> None:
    """It is told, that it was not changed too; the same write works afterwards."""
    url = postgres_server.make_database()
    migrate(url)
    with closing(Server(url)) as server:
        store = PostgresStore(server, "a", fingerprint="f")
        store.put(ready(make_document("old")))
        before = everything(store)

        def documents() -> Iterator[NewDocument]:
            yield from ready(make_document("new"))
            end_all_but_own(url)
            yield from ready(make_document("more", uri="file:more"))

        with pytest.raises(Unreachable, match=r"was not changed: .* then try again"):
            store.put(documents())
        assert everything(store) == before
        assert store.put(ready(make_document("new"))) == 2


@pytest.mark.parametrize("arrives", ["it arrives", "it does not"])
def test_a_commit_whose_reply_is_lost_is_looked_up(
    postgres_server: PostgresServer, caplog: pytest.LogCaptureFixture, arrives: str
) -> None:
    """Where the server has committed the write is acknowledged, else it is told to be undone."""
    passed_on = arrives == "it arrives"
    url = postgres_server.make_database()
    migrate(url)
    with proxy_to(postgres_server.port) as proxy:
        through = url.replace(f":{postgres_server.port}/", f":{proxy.port}/")
        with closing(Server(through)) as server, caplog.at_level(logging.WARNING):
            store = PostgresStore(server, "a", fingerprint="f")
            store.put(ready(make_document("old")))
            proxy.word, proxy.passed_on = b"COMMIT", passed_on
            if passed_on:
                assert store.put(ready(make_document("new"))) == 2
            else:
                with pytest.raises(Unreachable, match="was not changed"):
                    store.put(ready(make_document("new")))
            assert proxy.cut == 1
            assert "a commit was not acknowledged" in caplog.text
            expected = (2, "new") if passed_on else (1, "old")
            with store.snapshot() as snapshot:
                document = snapshot.document(make_document("").id)
                assert (snapshot.generation, document.text) == expected


def test_a_server_that_is_killed_and_comes_back_goes_on() -> None:
    """What was acknowledged is there; meanwhile all is refused in time, and nothing is reopened."""
    directory = programs()
    if directory is None:
        pytest.skip("there is no server to be killed")
    with running_server(directory) as postgres:
        url = postgres.make_database()
        migrate(url)
        with closing(Server(url, wait_seconds=1)) as server:
            store = PostgresStore(server, "a", fingerprint="f")
            for n in range(5):
                store.put(ready(make_document(f"text {n}", uri=f"file:{n}")))
            before = everything(store)
            postgres.stop(mode="immediate")
            with pytest.raises(StoreError, match="was not changed"):
                store.put(ready(make_document("more", uri="file:more")))
            with pytest.raises(StoreError, match="cannot be read now"), store.snapshot():
                pass
            postgres.start()
            assert everything(store) == before
            assert store.put(ready(make_document("more", uri="file:more"))) == 6
