"""What is asked of a database before it is used, and what keeps its collections apart."""

import logging
from typing import Any

import psycopg
import pytest

from rag.errors import DamagedStore, NotFound, SettingsError, StaleIndex, StoreError
from rag.store import Filters
from rag.store.postgres import PostgresStore, Server, migrate
from tests.fakes import make_document, ready
from tests.postgres import SUPERUSER, PostgresServer
from tests.store.conformance.opening import content, everything


def as_superuser(url: str) -> str:
    return url.replace("service@", f"{SUPERUSER}@")


def number_of(url: str, name: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT collection FROM chapterverse.collections WHERE name = %s", (name,)
        ).fetchone()
        assert row is not None
        return int(row[0])


def test_migrating_again_does_nothing(database: str) -> None:
    """Only what is new is done; here, nothing."""
    assert migrate(database) == []


def test_a_database_without_tables_is_refused(postgres_server: PostgresServer) -> None:
    """It is named, with the command that makes them; afterwards it is taken."""
    url = postgres_server.make_database()
    with pytest.raises(StoreError, match=r"version 0, this program needs \d+\. Run rag store mig"):
        Server(url)
    assert migrate(url)[0] == "collections"
    Server(url).close()


def test_a_database_of_a_later_version_is_refused(postgres_server: PostgresServer) -> None:
    """Neither used nor migrated: this program does not know what is in it."""
    url = postgres_server.make_database()
    migrate(url)
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO chapterverse.migrations VALUES (99, 'later')")
    for use in (Server, migrate):
        with pytest.raises(StaleIndex, match=r"version 99.*Update this program"):
            use(url)


def test_a_database_without_pgvector_is_refused(postgres_server: PostgresServer) -> None:
    """The version that is needed is named."""
    url = postgres_server.make_database()
    migrate(url)
    with psycopg.connect(as_superuser(url)) as connection:
        connection.execute("DROP EXTENSION vector CASCADE")
    with pytest.raises(StoreError, match=r"has pgvector 0, 0\.8\.4 or later is needed"):
        Server(url)


def test_a_server_that_is_not_there_is_told_without_the_password() -> None:
    """The message names host, port and database, no user and no password."""
    with pytest.raises(StoreError, match=r"postgresql://127\.0\.0\.1:1/mine cannot be opened") as e:
        Server("postgresql://anna:secret@127.0.0.1:1/mine")
    assert "secret" not in str(e.value)
    with pytest.raises(SettingsError, match="RAG_STORE is no address") as e:
        Server("postgresql://anna:secret@[/mine")
    assert "secret" not in str(e.value)


def test_every_connection_writes_through_to_the_disk(server: Server) -> None:
    """A commit waits for the server's log, whatever the server's own setting; times are bounded."""
    with server.looking() as connection:
        shown = {
            name: connection.execute(f"SHOW {name}").fetchone()
            for name in ("synchronous_commit", "statement_timeout", "lock_timeout")
        }
    assert shown == {
        "synchronous_commit": ("on",),
        "statement_timeout": ("1min",),
        "lock_timeout": ("30s",),
    }


def test_a_role_that_passes_over_the_second_wall_is_told(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A superuser is let in, with a warning; the usual role without one."""
    with caplog.at_level(logging.WARNING):
        Server(database).close()
        assert caplog.text == ""
        Server(as_superuser(database)).close()
    assert "passes over row-level security" in caplog.text


def test_nothing_is_made_where_only_reading_is_wanted(server: Server) -> None:
    """Without a collection NotFound names the command that makes one, and there is none after."""
    for fingerprint in ("f", None):
        with pytest.raises(NotFound, match=r"no index at .*collection none yet.*rag ingest"):
            PostgresStore(server, "none", fingerprint=fingerprint, create=False)
    with pytest.raises(NotFound):
        PostgresStore(server, "none", fingerprint=None)


def test_an_index_of_other_settings_is_refused(server: Server) -> None:
    """Another fingerprint is refused, naming what differs and the command that mends it."""
    PostgresStore(server, "settings", fingerprint="model a; chunks of 200; rule 1")
    with pytest.raises(
        StaleIndex, match=r"built with chunks of 200, .* are chunks of 100\. .*rag reindex"
    ):
        PostgresStore(server, "settings", fingerprint="model a; chunks of 100; rule 1")


def test_a_query_that_forgets_the_collection_sees_one_at_most(
    server: Server, database: str
) -> None:
    """Row-level security: without a collection no row is seen, with one its own alone.

    Neither is a row changed or added for another one.
    """
    for name in ("wall one", "wall two"):
        PostgresStore(server, name, fingerprint="f").put(ready(make_document(name)))
    one, two = number_of(database, "wall one"), number_of(database, "wall two")
    with psycopg.connect(database, options="-c search_path=chapterverse") as connection:
        texts = "SELECT collection, text FROM chunks"
        assert connection.execute(texts).fetchall() == []
        connection.execute("SELECT set_config('chapterverse.collection', %s, true)", (str(one),))
        assert connection.execute(texts).fetchall() == [(one, "wall one")]
        assert connection.execute("DELETE FROM bodies").rowcount == 1
        assert connection.execute("UPDATE collections SET content = ''").rowcount == 1
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            connection.execute("UPDATE documents SET collection = %s", (two,))
        connection.rollback()
    with psycopg.connect(as_superuser(database)) as connection:
        walls = connection.execute(
            "SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class "
            "WHERE relnamespace = 'chapterverse'::regnamespace AND relkind = 'r'"
        ).fetchall()
    assert {name for name, on, forced in walls if not (on and forced)} == {"migrations"}


ALTERED = [
    pytest.param("UPDATE collections SET content = replace(content, '4', '5')", id="meta"),
    pytest.param("UPDATE documents SET title = 'x' WHERE number = 2", id="title"),
    pytest.param("UPDATE documents SET characters = characters + 1", id="characters"),
    pytest.param("DELETE FROM documents WHERE number = 3", id="no-document"),
    pytest.param("UPDATE bodies SET text = text || ' ' WHERE number = 2", id="text"),
    pytest.param("DELETE FROM bodies WHERE number = 2", id="no-text"),
    pytest.param("UPDATE chunks SET text = upper(text) WHERE id = 5", id="passage"),
    pytest.param("UPDATE chunks SET vector = '' WHERE id = 5", id="vector"),
    pytest.param("UPDATE chunks SET page = 0 WHERE id = 5", id="null-becomes-0"),
    pytest.param("DELETE FROM chunks WHERE id = 6", id="no-passage"),
    pytest.param("UPDATE versions SET until = until + 1", id="version"),
    pytest.param("UPDATE changes SET removed = '[]' WHERE generation = 5", id="log"),
    pytest.param("DELETE FROM changes WHERE generation = 4", id="gap-in-log"),
]


@pytest.mark.parametrize("statement", ALTERED)
def test_an_altered_row_is_noticed(
    server: Server, database: str, request: pytest.FixtureRequest, statement: str
) -> None:
    """Whatever row is altered or lost behind the store's back: reading it all is DamagedStore."""
    store = PostgresStore(server, request.node.name, fingerprint="f")
    for n in (0, 1, 2, 3, 0):
        store.put(ready(make_document(f"text {n}\nline two\nline three of {n}", uri=f"file:{n}")))
    everything(store)
    with psycopg.connect(database, options="-c search_path=chapterverse") as connection:
        number = number_of(database, request.node.name)
        connection.execute("SELECT set_config('chapterverse.collection', %s, true)", (str(number),))
        assert connection.execute(statement).rowcount > 0
    with pytest.raises(DamagedStore, match=r"is damaged: .*Restore a backup"):
        read_all(store)
    with pytest.raises(DamagedStore), store.snapshot() as snapshot:
        snapshot.verify()


def read_all(store: PostgresStore) -> Any:
    """Read what a user can ask for, without verifying all."""
    with store.snapshot() as snapshot:
        ids = [summary.id for summary in snapshot.summaries(limit=100)]
        return (
            [snapshot.document(id_) for id_ in ids],
            snapshot.chunks(snapshot.chunk_ids(ids).tolist()),
            content(snapshot),
            snapshot.matching(Filters()),
            [snapshot.former_versions(make_document("", uri=f"file:{n}").id) for n in range(4)],
            [snapshot.removed_since(g).tolist() for g in range(1, 6)],
        )
