"""What PostgreSQL raises, as errors that say what happened and what to do about it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg import errors
from psycopg_pool import PoolClosed, PoolTimeout

from rag.errors import DamagedStore, StoreError, StoreFull, Unreachable

_SLOW: Final = (
    errors.QueryCanceled,
    errors.LockNotAvailable,
    errors.IdleInTransactionSessionTimeout,
)
_DAMAGE: Final = (errors.DataCorrupted, errors.IndexCorrupted)
_UNPREPARED: Final = (errors.UndefinedTable, errors.UndefinedColumn, errors.InvalidSchemaName)


def damaged(place: str, what: str) -> DamagedStore:
    """Return the error to raise for a collection that is not as it was written."""
    return DamagedStore(
        f"The index at {place} is damaged: {what}. Restore a backup of the database, or delete the "
        "collection and ingest again."
    )


@contextmanager
def translated(place: str, outcome: str) -> Iterator[None]:
    """Turn what psycopg raises inside into errors that tell the outcome and what to do."""
    try:
        yield
    except _DAMAGE as error:
        raise damaged(place, _reason(error)) from error
    except errors.DiskFull as error:
        raise StoreFull(
            f"The index at {place} {outcome}: there is no room on the server's disk. Make some, "
            "then try again."
        ) from error
    except _SLOW as error:
        raise Unreachable(
            f"The index at {place} {outcome}: it took too long ({_reason(error)}). Try again, or "
            "look what the server is busy with."
        ) from error
    except _UNPREPARED as error:
        raise StoreError(
            f"The index at {place} {outcome}: its tables are not there ({_reason(error)}). Run rag "
            "store migrate."
        ) from error
    except PoolClosed:
        raise
    except PoolTimeout as error:
        raise Unreachable(
            f"The index at {place} {outcome}: no connection to the database was free, or could be "
            "made, in time. Is the server up? Then try again."
        ) from error
    except errors.SerializationFailure as error:
        # On a standby: what it read was removed on the primary long enough ago.
        raise Unreachable(
            f"The index at {place} {outcome}: {_reason(error)}. Try again."
        ) from error
    except psycopg.OperationalError as error:
        raise Unreachable(
            f"The index at {place} {outcome}: {_reason(error)}. Check the server and the network, "
            "then try again."
        ) from error
    except psycopg.Error as error:
        raise StoreError(
            f"The index at {place} {outcome}: {_reason(error)}. See the server's log."
        ) from error


def _reason(error: psycopg.Error) -> str:
    """Return the first line of what the server or libpq says, without its full stop."""
    said = error.diag.message_primary or str(error) or type(error).__name__
    return said.strip().splitlines()[0].rstrip(".")
