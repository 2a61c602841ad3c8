"""A database: a bounded pool of connections, and the transactions that are run on them."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import psycopg
from psycopg import pq
from psycopg_pool import ConnectionPool

from rag.errors import StoreError
from rag.store.postgres import halfvectors
from rag.store.postgres.migrating import SCHEMA, require_usable
from rag.store.postgres.translating import ConnectionLost, checked, place_of, translated

_CONNECTIONS: Final = 10
_WAIT_SECONDS: Final = 10
_CONNECT_SECONDS: Final = 5
# A read or write takes milliseconds; what takes this long is stuck. The first bounds a statement,
# the second the wait for another writer, the third how long whoever died keeps a generation.
_SEARCH: Final = {
    # A graph that was walked without enough results is walked on, in order of the distances.
    "hnsw.iterative_scan": "strict_order",
    # How many candidates a walk keeps: more find more of the nearest and take longer.
    "hnsw.ef_search": "200",
    "hnsw.max_scan_tuples": "40000",
}
_SESSION: Final = f"""
SET search_path = {SCHEMA}, public;
SET client_encoding = 'UTF8';
SET synchronous_commit = on;
SET statement_timeout = '60s';
SET lock_timeout = '30s';
SET idle_in_transaction_session_timeout = '10min';
"""
_UNREADABLE: Final = "cannot be read now"
_UNCHANGED: Final = "was not changed"
_SETTLING_SECONDS: Final = 20

_LOG: Final = logging.getLogger(__name__)

Connection = psycopg.Connection


class Server:
    """A database and its pool, for all threads of a process. Has to be closed.

    At most `connections` are open; who needs another one, or one while the server is away, waits
    `wait_seconds` and is refused then.

    Raises SettingsError for a url that is none, StoreError for a database that cannot be reached or
    was not migrated to this version, StaleIndex for one of a later version.
    """

    def __init__(
        self, url: str, *, connections: int = _CONNECTIONS, wait_seconds: float = _WAIT_SECONDS
    ) -> None:
        self.place: Final = place_of(url)
        with (
            translated(self.place, "cannot be opened"),
            psycopg.connect(checked(url), connect_timeout=_CONNECT_SECONDS) as connection,
        ):
            require_usable(connection, place=self.place)
            _warn_of_exempt_role(connection, self.place)
            _configure(connection)
            _require_search(connection, self.place)
        self._url: Final = checked(url)
        self._pool: Final = ConnectionPool(
            checked(url),
            kwargs={"autocommit": True, "connect_timeout": _CONNECT_SECONDS},
            min_size=0,
            max_size=connections,
            timeout=wait_seconds,
            reconnect_timeout=wait_seconds,
            configure=_configure,
            # What was idle while the server was restarted is replaced before it is used.
            check=ConnectionPool.check_connection,
            name=self.place,
            open=True,
        )

    def close(self) -> None:
        """Close the pool; what is in use is closed when it is given back."""
        self._pool.close()

    @contextmanager
    def reading(self, collection: int) -> Iterator[Connection]:
        """Hold what is committed now, for reading a collection."""
        with translated(self.place, _UNREADABLE), self._pool.connection() as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            try:
                _enter(connection, collection)
                yield connection
            finally:
                _roll_back(connection)

    @contextmanager
    def writing(self, collection: int) -> Iterator[Connection]:
        """Hold a transaction that changes a collection; durable when this ends without an error."""
        with translated(self.place, _UNCHANGED), self._pool.connection() as connection:
            connection.execute("BEGIN")
            try:
                transaction = _enter(connection, collection, numbered=True)
                yield connection
            except BaseException:
                _roll_back(connection)
                raise
            try:
                connection.execute("COMMIT")
            except psycopg.OperationalError as error:
                if connection.info.transaction_status != pq.TransactionStatus.UNKNOWN:
                    raise
                self._settle(transaction, error)

    @contextmanager
    def looking(self) -> Iterator[Connection]:
        """Hold a connection on which each statement is a transaction, outside any collection."""
        with translated(self.place, _UNREADABLE), self._pool.connection() as connection:
            yield connection

    @contextmanager
    def maintaining(self) -> Iterator[Connection]:
        """Hold a connection of its own, without limits of time, each statement a transaction."""
        with (
            translated(self.place, _UNCHANGED),
            psycopg.connect(
                self._url, autocommit=True, connect_timeout=_CONNECT_SECONDS
            ) as connection,
        ):
            _configure(connection)
            connection.execute("SET statement_timeout = 0; SET lock_timeout = 0")
            yield connection

    def _settle(self, transaction: str, error: psycopg.OperationalError) -> None:
        """Find out what became of a transaction whose commit was sent but not acknowledged.

        Returns if it was committed, raises StoreError if it was not, or if that cannot be told.
        """
        _LOG.warning("%s: the connection was lost at a commit (%s)", self.place, error)
        until = time.monotonic() + _SETTLING_SECONDS
        found = None
        while time.monotonic() < until:
            try:
                with self._pool.connection() as connection:
                    row = connection.execute(
                        "SELECT pg_xact_status(%s::text::xid8)", (transaction,)
                    ).fetchone()
            except psycopg.Error as another:
                _LOG.info("%s: still not back (%s)", self.place, another)
                time.sleep(0.5)
                continue
            found = row[0] if row else None
            if found != "in progress":
                break
            time.sleep(0.1)  # the server has yet to notice that its client is gone
        if found == "committed":
            return
        if found == "aborted":
            raise ConnectionLost(
                f"The index at {self.place} {_UNCHANGED}: the connection was lost. Try again."
            ) from error
        raise StoreError(
            f"The connection to {self.place} was lost while it was being changed, and whether it "
            "was cannot be found out. Try again when the server is back: what is stored already is "
            "not stored twice."
        ) from error


def _roll_back(connection: Connection) -> None:
    """End a transaction of which nothing stays."""
    # Where the connection is lost the server does that, and the pool makes another connection.
    with suppress(psycopg.OperationalError):
        connection.execute("ROLLBACK")


def _configure(connection: Connection) -> None:
    connection.execute(_SESSION)
    halfvectors.register(connection)
    for name, value in _SEARCH.items():
        connection.execute(f"SET {name} = '{value}'")


def _enter(connection: Connection, collection: int, *, numbered: bool = False) -> str:
    """Confine a transaction to a collection; return its own number if that is wanted."""
    row = connection.execute(
        "SELECT set_config('chapterverse.collection', %s, true), "
        + ("pg_current_xact_id()::text" if numbered else "''"),
        (str(collection),),
    ).fetchone()
    return str(row[1]) if row else ""


def _require_search(connection: Connection, place: str) -> None:
    """Raise StoreError unless the server has taken how graphs are to be walked."""
    # With pgvector not loaded any setting of its prefix would be taken.
    connection.execute("SELECT '[1]'::halfvec")
    for name, value in _SEARCH.items():
        row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
        if row is None or row[0] != value:
            raise StoreError(
                f"The database at {place} does not take {name} = {value}. Update pgvector on the "
                "server."
            )


def _warn_of_exempt_role(connection: Connection, place: str) -> None:
    row = connection.execute(
        "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    if row and row[0]:
        _LOG.warning(
            "%s: this role passes over row-level security, so that nothing but the queries keeps "
            "collections apart. Connect as one that is no superuser and has no BYPASSRLS.",
            place,
        )
