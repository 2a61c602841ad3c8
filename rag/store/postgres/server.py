"""A database: a bounded pool of connections, and the transactions that are run on them."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, TypeAlias
from uuid import uuid4

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool

from rag.errors import StoreError, Unreachable
from rag.store.postgres import halfvectors
from rag.store.postgres.connecting import BoundedConnection, checked, place_of
from rag.store.postgres.migrating import SCHEMA, require_usable
from rag.store.postgres.settling import Fate, settle, sign
from rag.store.postgres.translating import translated

_CONNECTIONS: Final = 10
_WAIT_SECONDS: Final = 10
# A read or write takes milliseconds; what takes this long is stuck. The first bounds a statement,
# the second the wait for another writer, the third how long whoever died keeps a generation.
_STATEMENT_SECONDS: Final = 60
_LOCK_SECONDS: Final = 30
_IDLE_SECONDS: Final = 600
# So much longer than the server itself may take for a statement is waited for its answer.
_NETWORK_SECONDS: Final = 5
# An idle connection that takes longer to say that it lives does not.
_CHECK_SECONDS: Final = 3
_SEARCH: Final = {
    # A graph that was walked without enough results is walked on, in order of the distances.
    "hnsw.iterative_scan": "strict_order",
    # How many candidates a walk keeps: more find more of the nearest and take longer.
    "hnsw.ef_search": "200",
    "hnsw.max_scan_tuples": "40000",
}
# A client that cannot be reached any more loses its locks after ten seconds, as it gives up itself.
# Who wants a commit to be visible on standbys too has set more than that a commit is waited for.
_SESSION: Final = f"""
SET search_path = {SCHEMA}, public;
SET client_encoding = 'UTF8';
SET lock_timeout = '{_LOCK_SECONDS}s';
SET idle_in_transaction_session_timeout = '{_IDLE_SECONDS}s';
SET tcp_keepalives_idle = 4;
SET tcp_keepalives_interval = 2;
SET tcp_keepalives_count = 3;
SET tcp_user_timeout = '10s';
SELECT set_config('synchronous_commit', 'on', false)
WHERE current_setting('synchronous_commit') <> 'remote_apply';
"""
_UNREADABLE: Final = "cannot be read now"
_UNCHANGED: Final = "was not changed"
_SETTLING_SECONDS: Final = 20

_LOG: Final = logging.getLogger(__name__)

Connection: TypeAlias = BoundedConnection


class Server:
    """A database and its pool, for all threads of a process. Has to be closed.

    At most `connections` are open; who needs another one, or one while the server is away, waits
    `wait_seconds` and is refused then. A statement may take `statement_seconds`, and its answer a
    little longer to come. Of several hosts in the url the one that takes writes is used; for one
    that is not `primary` any, and it may be away at first.

    Raises SettingsError for a url that is none, StoreError for a database that cannot be reached or
    was not migrated to this version, StaleIndex for one of a later version.
    """

    def __init__(
        self,
        url: str,
        *,
        connections: int = _CONNECTIONS,
        wait_seconds: float = _WAIT_SECONDS,
        statement_seconds: float = _STATEMENT_SECONDS,
        primary: bool = True,
    ) -> None:
        setting = "RAG_STORE" if primary else "RAG_STORE_READ"
        self._url: Final = checked(url, setting=setting, writing=primary)
        self.place: Final = place_of(self._url)
        self._statement_seconds: Final = statement_seconds
        if primary:
            with (
                translated(self.place, "cannot be opened"),
                BoundedConnection.connect(self._url) as connection,
            ):
                require_usable(connection, place=self.place)
                _warn_of_exempt_role(connection, self.place)
                _warn_of_lone_server(connection, self._url, self.place)
                self._configure(connection)
                _require_search(connection, self.place)
        self._pool: Final = ConnectionPool(
            self._url,
            connection_class=BoundedConnection,
            kwargs={"autocommit": True},
            min_size=0,
            max_size=connections,
            timeout=wait_seconds,
            reconnect_timeout=wait_seconds,
            configure=self._configure,
            # What was idle while the server was restarted is replaced before it is used.
            check=_check,
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
            token = uuid4()
            connection.execute("BEGIN")
            try:
                _enter(connection, collection)
                yield connection
                sign(connection, collection, token=token)
            except BaseException:
                _roll_back(connection)
                raise
            finally:
                connection.patience = self._patience
            connection.warned = False
            lost: psycopg.Error | None = None
            try:
                connection.execute("COMMIT")
            except psycopg.OperationalError as error:
                if connection.info.transaction_status != pq.TransactionStatus.UNKNOWN:
                    raise
                lost = error
            if lost is not None or connection.warned:
                # A warning: somebody made the server wait no longer for its standby.
                _LOG.warning("%s: a commit was not acknowledged (%s)", self.place, lost)
                fate = settle(self._pool, collection, token=token, seconds=_SETTLING_SECONDS)
                self._require_committed(fate, lost)

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
            BoundedConnection.connect(self._url, autocommit=True) as connection,
        ):
            self._configure(connection)
            connection.patience = None
            connection.execute("SET statement_timeout = 0; SET lock_timeout = 0")
            yield connection

    def _require_committed(self, fate: Fate, lost: psycopg.Error | None) -> None:
        if fate == "undone":
            raise Unreachable(
                f"The index at {self.place} {_UNCHANGED}: the connection was lost. Try again."
            ) from lost
        if fate == "unknown":
            raise Unreachable(
                f"The connection to {self.place} was lost while it was being changed, and whether "
                "it was cannot be found out. Try again when the server is back: what is stored "
                "already is not stored twice."
            ) from lost

    @property
    def _patience(self) -> float:
        return self._statement_seconds + _NETWORK_SECONDS

    def _configure(self, connection: Connection) -> None:
        connection.patience = self._patience
        connection.heed_warnings()
        connection.execute(_SESSION)
        milliseconds = max(1, round(self._statement_seconds * 1000))
        connection.execute(f"SET statement_timeout = {milliseconds}")
        halfvectors.register(connection)
        for name, value in _SEARCH.items():
            connection.execute(f"SET {name} = '{value}'")


def _roll_back(connection: Connection) -> None:
    """End a transaction of which nothing stays."""
    # Where the connection is lost the server does that, and the pool makes another connection.
    with suppress(psycopg.OperationalError):
        connection.execute("ROLLBACK")


def _check(connection: Connection) -> None:
    """Raise an error for an idle connection that does not answer soon."""
    patience, connection.patience = connection.patience, _CHECK_SECONDS
    ConnectionPool.check_connection(connection)
    connection.patience = patience


def _enter(connection: Connection, collection: int) -> None:
    """Confine a transaction to a collection."""
    # A command, unlike a call of set_config, is passed on to the servers of a sharded database.
    connection.execute(f"SET LOCAL chapterverse.collection = {int(collection)}")


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


def _warn_of_lone_server(connection: Connection, conninfo: str, place: str) -> None:
    """Warn where another server is to take over and no commit waits for it."""
    if "," not in str(conninfo_to_dict(conninfo).get("host") or ""):
        return
    row = connection.execute("SHOW synchronous_standby_names").fetchone()
    if row and not row[0]:
        _LOG.warning(
            "%s: no commit waits for a standby, so that what was acknowledged last is lost when "
            "one takes over. Set synchronous_standby_names on the servers.",
            place,
        )
