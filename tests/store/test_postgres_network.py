"""However a network fails, who waits is told in time, and what was half written is nowhere."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import psycopg
import pytest

from rag.errors import Unreachable
from rag.store import NewDocument
from rag.store.postgres import PostgresStore, Server, migrate
from rag.store.postgres import collections as catalog
from rag.store.postgres import server as server_module
from tests.fakes import make_document, ready
from tests.postgres import PostgresServer
from tests.store.conformance.opening import everything
from tests.store.proxy import Proxy, proxy_to

# A write over a lost network may take ten seconds to be refused, more on a busy machine.
BOUND = 20.0


def stay_silent(proxy: Proxy) -> None:
    proxy.silent = True


def drop_packets(proxy: Proxy) -> None:
    proxy.drop_packets()
    proxy.silent = True


@pytest.fixture
def url(postgres_server: PostgresServer) -> str:
    """The url of a migrated database."""
    made = postgres_server.make_database()
    migrate(made)
    return made


def half(then: Callable[[], None]) -> Iterator[NewDocument]:
    """Yield two documents, and do something between them."""
    yield from ready(make_document("one", uri="file:1"))
    then()
    yield from ready(make_document("two", uri="file:2"))


@pytest.mark.long
@pytest.mark.parametrize("failing", [stay_silent, drop_packets])
def test_a_network_that_fails_in_a_write_is_told_in_time(
    postgres_server: PostgresServer,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    failing: Callable[[Proxy], None],
) -> None:
    """Whether packets are lost or somebody between takes all and says nothing: nothing has changed.

    Others can write again soon, and so can the same service once the network is back.
    """
    if failing is stay_silent:
        # Nothing but our own patience ends this; it is a minute longer else.
        monkeypatch.setattr(server_module, "_STATEMENT_SECONDS", 3)
        monkeypatch.setattr(server_module, "_NETWORK_SECONDS", 1)
    with proxy_to(postgres_server.port) as proxy, closing(Server(url)) as direct:
        through = url.replace(f":{postgres_server.port}/", f":{proxy.port}/")
        seconds = server_module._STATEMENT_SECONDS
        with closing(Server(through, statement_seconds=seconds)) as server:
            store = PostgresStore(server, "a", fingerprint="f")
            store.put(ready(make_document("old")))
            before = everything(store)
            began = time.monotonic()
            with pytest.raises(Unreachable, match=r"was not changed: .* then try again"):
                store.put(half(lambda: failing(proxy)))
            refused = time.monotonic() - began
            another = PostgresStore(direct, "a", fingerprint="f")
            assert everything(another) == before
            assert another.put(ready(make_document("another's", uri="file:3"))) == 2
            written = time.monotonic() - began
            assert max(refused, written) < BOUND
            with pytest.raises(Unreachable, match="cannot be read now"):
                everything(store)
            proxy.silent = False
            back = time.monotonic()
            assert store.put(half(lambda: None)) == 3
            sys.stdout.write(
                f"{failing.__name__}: refused after {refused:.1f} s, another wrote after "
                f"{written:.1f} s, the same service {time.monotonic() - back:.1f} s after the "
                "network was back\n"
            )


def test_a_statement_that_takes_too_long_is_ended(url: str) -> None:
    """By the server, which tells that; the connection serves the next one."""
    with closing(Server(url, connections=1, statement_seconds=0.3)) as server:
        PostgresStore(server, "a", fingerprint="f")
        found = catalog.find(server, "a")
        assert found is not None

        def sleep() -> None:
            with server.reading(found.number) as connection:
                connection.execute("SELECT pg_sleep(30)")

        with pytest.raises(Unreachable, match=r"took too long \(canceling statement due to statem"):
            sleep()
        assert catalog.find(server, "a") == found


def test_a_write_waits_for_another_one_only_so_long(url: str) -> None:
    """Who is kept out by a writer that does not end is told; nothing has changed."""
    with (
        closing(Server(url)) as server,
        closing(Server(url, statement_seconds=0.3)) as hasty,
    ):
        store = PostgresStore(server, "a", fingerprint="f")
        waiting = PostgresStore(hasty, "a", fingerprint="f")
        with (
            store.tables(writing=True),
            pytest.raises(Unreachable, match=r"was not changed: it took too long"),
        ):
            waiting.put(ready(make_document("text")))
        assert waiting.put(ready(make_document("text"))) == 1


def test_no_more_connections_are_made_than_allowed(url: str) -> None:
    """Who needs one more is told after a while; one that is given back serves the next."""
    with closing(Server(url, connections=3, wait_seconds=3)) as server, ExitStack() as held:
        store = PostgresStore(server, "a", fingerprint="f")
        for _ in range(3):
            held.enter_context(store.snapshot())
        with pytest.raises(Unreachable, match="no connection to the database was free"):
            held.enter_context(store.snapshot())
        with psycopg.connect(url) as connection:
            ((count,),) = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND application_name = 'chapterverse'"
            ).fetchall()
            assert count == 3
        held.close()
        with store.snapshot() as snapshot:
            assert snapshot.generation == 0


def test_many_writers_share_few_connections(url: str) -> None:
    """Each of twelve threads writes in its turn over three connections; no write is lost."""
    with closing(Server(url, connections=3)) as server:
        store = PostgresStore(server, "a", fingerprint="f")
        generations: list[int] = []

        def write(number: int) -> None:
            document = make_document(f"text {number}", uri=f"file:{number}")
            generations.append(store.put(ready(document)))

        threads = [threading.Thread(target=write, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(generations) == list(range(1, 13))
        with store.snapshot() as snapshot:
            snapshot.verify()
            assert snapshot.count() == (12, 12)
