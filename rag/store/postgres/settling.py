"""What became of a transaction whose commit was sent and not acknowledged."""

import logging
import time
from typing import Final, Literal
from uuid import UUID

import psycopg
from psycopg_pool import ConnectionPool

from rag.store.postgres.connecting import BoundedConnection

_FORGOTTEN_AFTER: Final = "1 hour"

_LOG: Final = logging.getLogger(__name__)

Fate = Literal["committed", "undone", "unknown"]


def sign(connection: psycopg.Connection, collection: int, *, token: UUID) -> None:
    """Leave a mark in a transaction by which it is found if it was committed.

    Its number would not do: a server that crashed, or a standby that takes over, may give the same
    one to another transaction.
    """
    connection.execute(
        "DELETE FROM writes WHERE collection = %s AND made < now() - %s::interval",
        (collection, _FORGOTTEN_AFTER),
    )
    connection.execute(
        "INSERT INTO writes (collection, token) VALUES (%s, %s)", (collection, token)
    )


def settle(
    pool: ConnectionPool[BoundedConnection], collection: int, *, token: UUID, seconds: float
) -> Fate:
    """Find out what became of a transaction, as long as it takes the server, or `seconds`.

    Once "committed" is told the transaction has reached whatever a commit has to reach, the
    synchronous standby too.
    """
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        try:
            with pool.connection(timeout=left) as connection:
                connection.warned = False
                with connection.transaction():
                    fate = _fate(connection, collection, token=token, seconds=left)
                if not connection.warned:
                    return fate
        except psycopg.Error as error:
            _LOG.info("It is not known yet whether a write was committed (%s).", error)
        time.sleep(min(0.5, max(0.0, until - time.monotonic())))
    return "unknown"


def _fate(
    connection: psycopg.Connection, collection: int, *, token: UUID, seconds: float
) -> Literal["committed", "undone"]:
    connection.execute(
        "SELECT set_config('chapterverse.collection', %s, true), "
        "set_config('lock_timeout', %s, true)",
        (str(collection), f"{max(1, round(seconds * 1000))}ms"),
    )
    # The transaction in question holds this row until it has ended, one way or the other, and to
    # lock it is a change itself, whose commit is waited for as any other.
    connection.execute("SELECT FROM collections WHERE collection = %s FOR UPDATE", (collection,))
    found = connection.execute(
        "SELECT FROM writes WHERE collection = %s AND token = %s", (collection, token)
    ).fetchone()
    return "undone" if found is None else "committed"
