"""Nothing that was acknowledged is lost when a server is, and whoever writes goes on by itself."""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Final

import pytest

from rag.errors import StoreError, Unreachable
from rag.store.postgres import PostgresStore, Server, migrate
from rag.store.postgres import server as server_module
from tests.fakes import make_document, ready
from tests.postgres import PostgresServer, programs, running_server, running_standby

STANDBY: Final = "standby"


@contextmanager
def replicated() -> Iterator[tuple[PostgresServer, PostgresServer, str]]:
    """Run a primary whose commits wait for a standby; give both, and a url that names both."""
    directory = programs()
    if directory is None:
        pytest.skip("there is no server to be killed")
    with running_server(directory) as primary:
        url = primary.make_database()
        migrate(url)
        with running_standby(primary, name=STANDBY) as standby:
            primary.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{STANDBY}'")
            primary.execute("SELECT pg_reload_conf()")
            one = f"127.0.0.1:{primary.port}"
            yield primary, standby, url.replace(one, f"{one},127.0.0.1:{standby.port}")


@dataclass(kw_only=True)
class Writer:
    """Puts one document after another, each until it is acknowledged."""

    store: PostgresStore
    name: str
    acknowledged: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    longest: float = 0.0
    last: float = 0.0
    stopped: bool = False

    def run(self) -> None:
        """Write until `stopped`."""
        number = 0
        while not self.stopped:
            uri, text = f"file:{self.name}/{number}", f"text {number} of {self.name}\nand more"
            began = time.monotonic()
            try:
                self.store.put(ready(make_document(text, uri=uri)))
            except StoreError as error:
                self.refused.append(str(error))
                time.sleep(0.05)
            else:
                self.acknowledged[uri] = text
                self.last = time.monotonic()
                number += 1
            self.longest = max(self.longest, time.monotonic() - began)


def wait(condition: Callable[[], bool], *, seconds: float = 60) -> None:
    """Wait until something is so."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "this takes too long"
        time.sleep(0.01)


def found(store: PostgresStore) -> dict[str, str]:
    """Return the texts of all documents, verified."""
    with store.snapshot() as snapshot:
        snapshot.verify()
        return {
            summary.uri: snapshot.document(summary.id).text
            for summary in snapshot.summaries(limit=10_000)
        }


@pytest.mark.long
def test_a_standby_that_takes_over_has_all_that_was_acknowledged() -> None:
    """The primary is killed under writes: 0 acknowledged documents are lost, none is there twice.

    Meanwhile each write is refused in time, and afterwards the same stores go on.
    """
    with replicated() as (primary, standby, url), closing(Server(url)) as server:
        writers = [
            Writer(store=PostgresStore(server, collection, fingerprint="f"), name=name)
            for collection, name in (("a", "one"), ("a", "two"), ("b", "three"))
        ]
        threads = [threading.Thread(target=writer.run) for writer in writers]
        for thread in threads:
            thread.start()
        try:
            wait(lambda: all(len(writer.acknowledged) >= 15 for writer in writers))
            primary.kill()
            killed = time.monotonic()
            before = sum(len(writer.acknowledged) for writer in writers)
            time.sleep(3)
            wait(lambda: all(writer.refused for writer in writers))
            standby.promote()
            promoted = time.monotonic()
            wait(lambda: all(writer.last > promoted for writer in writers))
            back = max(writer.last for writer in writers)
            wait(lambda: sum(len(writer.acknowledged) for writer in writers) >= before + 30)
        finally:
            for writer in writers:
                writer.stopped = True
            for thread in threads:
                thread.join()
        for name in ("a", "b"):
            with closing(Server(url)) as another:
                stored = found(PostgresStore(another, name, fingerprint="f"))
            for writer in writers:
                if (name == "b") == (writer.name == "three"):
                    lost = writer.acknowledged.items() - stored.items()
                    assert not lost
                    # The last one may have arrived although nobody was told.
                    own = {uri for uri in stored if f"file:{writer.name}/" in uri}
                    assert len(own - writer.acknowledged.keys()) <= 1
        refused = [message for writer in writers for message in writer.refused]
        assert all("Try again" in message or "try again" in message for message in refused)
        sys.stdout.write(
            f"acknowledged {before} before, {sum(len(w.acknowledged) for w in writers) - before} "
            f"after, 0 lost; refused {len(refused)}, the longest wait "
            f"{max(w.longest for w in writers):.1f} s; killed to promoted {promoted - killed:.1f} "
            f"s, promoted to all writing {back - promoted:.1f} s\n"
        )


@pytest.mark.long
@pytest.mark.parametrize("how", ["nobody helps", "somebody ends the wait"])
def test_without_the_standby_nothing_is_acknowledged(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """A commit that the standby has not is told as unknown; once it is back, writes go on.

    Neither does it count when an administrator makes the server wait no longer for its standby.
    """
    monkeypatch.setattr(server_module, "_SETTLING_SECONDS", 3)
    monkeypatch.setattr(server_module, "_NETWORK_SECONDS", 1)
    with (
        replicated() as (primary, standby, url),
        closing(Server(url, statement_seconds=2)) as server,
    ):
        store = PostgresStore(server, "a", fingerprint="f")
        store.put(ready(make_document("old")))
        standby.stop()
        refused: list[str] = []

        def write() -> None:
            try:
                store.put(ready(make_document("new")))
            except Unreachable as error:
                refused.append(str(error))

        thread = threading.Thread(target=write)
        thread.start()
        waiting = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        wait(lambda: primary.execute(f"SELECT count(*) {waiting}")[0][0] > 0)
        if how == "somebody ends the wait":
            primary.execute(f"SELECT pg_cancel_backend(pid) {waiting}")
        thread.join()
        assert len(refused) == 1
        assert "whether it was cannot be found out" in refused[0]
        standby.start()
        wait(lambda: bool(primary.execute("SELECT 1 FROM pg_stat_replication")))
        assert store.put(ready(make_document("new"))) >= 2
        assert found(store) == {"file:a.txt": "new"}


def test_servers_of_which_none_waits_for_another_are_told(
    caplog: pytest.LogCaptureFixture, postgres_server: PostgresServer
) -> None:
    """Of several addresses one is to take over: without a synchronous standby that is warned of."""
    url = postgres_server.make_database()
    migrate(url)
    with caplog.at_level(logging.WARNING, logger="rag"):
        Server(url).close()
        assert caplog.text == ""
        there = f"127.0.0.1:{postgres_server.port}"
        Server(url.replace(there, f"{there},{there}")).close()
    assert "no commit waits for a standby" in caplog.text


def test_a_server_that_only_reads_is_not_the_primary() -> None:
    """The address of a standby alone is refused at once, not at the first write."""
    directory = programs()
    if directory is None:
        pytest.skip("there is no server to stand by")
    with running_server(directory) as primary:
        url = primary.make_database()
        migrate(url)
        with running_standby(primary) as standby:
            there = url.replace(f":{primary.port}/", f":{standby.port}/")
            with pytest.raises(Unreachable, match="session is read-only"):
                Server(there)
            first = url.replace("127.0.0.1:", f"127.0.0.1:{standby.port},127.0.0.1:")
            with closing(Server(first)) as server:
                store = PostgresStore(server, "a", fingerprint="f")
                assert store.put(ready(make_document("text"))) == 1
