"""A connection to a store's file, whose errors say what happened and what to do about it."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw

from rag.durable import NO_ROOM
from rag.errors import DamagedStore, StoreError, StoreFull
from rag.store import filtering
from rag.store.checksums import Value
from rag.store.records import Filters, bindable
from rag.store.schema import CLEAR_STAGING, PUBLISH_STAGING
from rag.store.tables import COLUMNS, Row

_BUSY_TIMEOUT_MS: Final = 30_000
_MAX_IDLE_WAL_BYTES: Final = 64_000_000

# The statements are fixed and the schema is ours, so that a table or column that SQLite does not
# find, or a value of another type, is damage too.
_DAMAGE: Final = (apsw.CorruptError, apsw.NotADBError, apsw.SQLError, apsw.MismatchError)
# The caller's own mistake, such as a row asked for after its snapshot has ended.
_MISUSE: Final = (apsw.CursorClosedError, apsw.ConnectionClosedError, apsw.ThreadingViolationError)
# A connection that met one of these holds nothing that the disk is known not to hold.
HARMLESS: Final = (apsw.BusyError, apsw.ConstraintError)


class Database:
    """The tables of a file of SQLite, over a connection to it."""

    def __init__(self, connection: apsw.Connection, *, path: Path) -> None:
        self.connection: Final = connection
        self.path: Final = path

    @property
    def place(self) -> str:
        """The path of the file."""
        return str(self.path)

    def select(
        self,
        table: str,
        condition: str = "TRUE",
        values: tuple[Value, ...] = (),
        *,
        columns: tuple[str, ...] = (),
        order: str = "",
        limit: int | None = None,
        offset: int = 0,
        streamed: bool = False,  # noqa: ARG002  (SQLite always does)
    ) -> Iterator[Row]:
        """Yield rows that meet a condition."""
        wanted = ", ".join(columns or COLUMNS[table])
        statement = f"SELECT {wanted} FROM {table} WHERE {condition}"  # noqa: S608
        if order:
            statement += f" ORDER BY {order}"
        if limit is not None:
            statement += " LIMIT ? OFFSET ?"
            values = (*values, limit, offset)
        return self.rows(statement, values)

    def number(
        self,
        table: str,
        expression: str = "count(*)",
        condition: str = "TRUE",
        values: tuple[Value, ...] = (),
    ) -> int:
        """Return an aggregate of the rows that meet a condition."""
        row = self.row(f"SELECT {expression} FROM {table} WHERE {condition}", values)  # noqa: S608
        return int(row[0]) if row else 0

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        """Insert rows."""
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            self.connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608

    def delete(self, table: str, condition: str, values: tuple[Value, ...] = ()) -> int:
        """Delete the rows that meet a condition and return how many there were."""
        return self.change(f"DELETE FROM {table} WHERE {condition}", values)  # noqa: S608

    def among(
        self, column: str, values: Iterable[str] | Iterable[int]
    ) -> tuple[str, tuple[Value, ...]]:
        """Return the condition that a column has one of some values, and its own values."""
        known = [bindable(value) if isinstance(value, str) else int(value) for value in values]
        condition = f"{column} IN (SELECT value FROM json_each(?))"  # noqa: S608
        return condition, (json.dumps(known),)

    def where(self, filters: Filters) -> tuple[str, tuple[Value, ...]]:
        """Return the condition that documents which meet the filters meet, and its values."""
        return filtering.where(filters)

    def containing(self, search: str) -> tuple[str, tuple[Value, ...]]:
        """Return the condition that documents with a text in title or uri meet, and its values."""
        return filtering.containing(search)

    def read_meta(self) -> tuple[str, bytes] | None:
        """Return the row that binds all others and its checksum, None where there is none."""
        row = self.row("SELECT content, checksum FROM meta WHERE one = 1")
        return None if row is None else (row[0], row[1])

    def write_meta(self, content: str, checksum: bytes) -> None:
        """Put the row that binds all others in the place of the one before."""
        self.change("INSERT OR REPLACE INTO meta VALUES (1, ?, ?)", (content, checksum))

    def clear_staged(self) -> None:
        """Delete all that is staged."""
        self.connection.execute(CLEAR_STAGING)

    def publish_staged(self) -> None:
        """Put the staged chunks in the place of all others, and forget all changes."""
        self.connection.execute(PUBLISH_STAGING)

    def check_structure(self, table: str = "") -> None:
        """Let SQLite compare a table, or all of them, with its indexes and the pages it has."""
        scope = f"({table})" if table else ""
        found = self.row(f"PRAGMA integrity_check{scope}")
        if found != ("ok",):
            raise self.damaged(f"SQLite finds {found[0] if found else 'nothing'}")

    def copy_to(self, path: Path) -> None:
        """Write what this transaction sees to a file that does not exist yet."""
        target = apsw.Connection(str(path))
        try:
            with target.backup("main", self.connection, "main") as backup:
                backup.step()
        finally:
            target.close()

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
        "folded", lambda *values: filtering.folded(str(values[0])), 1, deterministic=True
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
