"""A connection to a store's file, whose errors say what happened and what to do about it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

import apsw

from rag.durable import NO_ROOM
from rag.errors import DamagedStore, StoreError, StoreFull
from rag.store.checksums import Value
from rag.store.filtering import folded

_BUSY_TIMEOUT_MS: Final = 30_000
_MAX_IDLE_WAL_BYTES: Final = 64_000_000

# The statements are fixed and the schema is ours, so that a table or column that SQLite does not
# find, or a value of another type, is damage too.
_DAMAGE: Final = (apsw.CorruptError, apsw.NotADBError, apsw.SQLError, apsw.MismatchError)
# The caller's own mistake, such as a row asked for after its snapshot has ended.
_MISUSE: Final = (apsw.CursorClosedError, apsw.ConnectionClosedError, apsw.ThreadingViolationError)
# A connection that met one of these holds nothing that the disk is known not to hold.
HARMLESS: Final = (apsw.BusyError, apsw.ConstraintError)

Row: TypeAlias = tuple[Any, ...]


class Database:
    """A connection, with the path of its file."""

    def __init__(self, connection: apsw.Connection, *, path: Path) -> None:
        self.connection: Final = connection
        self.path: Final = path

    def rows(self, statement: str, values: tuple[Value, ...] = ()) -> Iterator[Row]:
        """Yield the rows of a query."""
        try:
            yield from self.connection.execute(statement, values)
        except UnicodeDecodeError as error:
            raise self.damaged("a text in it is no UTF-8") from error
        except _DAMAGE as error:
            raise self.damaged(_reason(error)) from error

    def row(self, statement: str, values: tuple[Value, ...] = ()) -> Row | None:
        """Return the first row of a query, if it has any."""
        return next(iter(list(self.rows(statement, values))), None)

    def change(self, statement: str, values: tuple[Value, ...] = ()) -> int:
        """Run a statement that changes rows and return how many it changed."""
        self.connection.execute(statement, values)
        return self.connection.changes()

    def damaged(self, what: str) -> DamagedStore:
        """Return the error to raise for what cannot be as it was written."""
        return damaged(self.path, what)


def connect(path: Path) -> apsw.Connection:
    """Open a store's file, which must exist, without changing anything of it."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(_BUSY_TIMEOUT_MS)
    connection.create_scalar_function(
        "folded", lambda *values: folded(str(values[0])), 1, deterministic=True
    )
    # What was refused at opening must not be written to at closing.
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.execute(
        "PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON; "
        f"PRAGMA trusted_schema = OFF; PRAGMA journal_size_limit = {_MAX_IDLE_WAL_BYTES}"
    )
    return connection


def damaged(path: Path, what: str) -> DamagedStore:
    """Return the error to raise for a file that is not as it was written."""
    return DamagedStore(
        f"The index at {path} is damaged: {what}. Restore a snapshot of it (rag snapshot list, rag "
        f"snapshot restore NAME --replace), or move {path.parent} away and ingest again."
    )


@contextmanager
def translated(path: Path, outcome: str, *, system: bool = False) -> Iterator[None]:
    """Turn what SQLite raises inside into errors that tell the outcome and what to do.

    With `system` what the operating system raises too: not where others' code runs inside.
    """
    try:
        yield
    except _MISUSE:
        raise
    except _DAMAGE as error:
        raise damaged(path, _reason(error)) from error
    except (apsw.Error, OSError) as error:
        if isinstance(error, OSError) and not system:
            raise
        if _no_room(error):
            raise StoreFull(
                f"The index at {path} {outcome}: there is no room on the disk. Make some, then try "
                "again."
            ) from error
        raise StoreError(
            f"The index at {path} {outcome}: {_reason(error)}. Check the disk, the directory's "
            "permissions and the limit of open files, then try again."
        ) from error


def _no_room(error: apsw.Error | OSError) -> bool:
    full = isinstance(error, OSError) and error.errno in NO_ROOM
    return full or isinstance(error, apsw.FullError)


def _reason(error: apsw.Error | OSError) -> str:
    if isinstance(error, apsw.BusyError):
        return "another process has kept it locked for long"
    return str(error).removeprefix(f"{type(error).__name__}: ")
