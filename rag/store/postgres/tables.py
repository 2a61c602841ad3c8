"""The tables of one collection in PostgreSQL, and the queries of the truth.

Those of what searches use are written in `filling`, `segments`, `words`, `searching`, `graphs` and
`checking`. Each names the collection.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from rag.errors import DamagedStore, StoreError
from rag.store.checksums import Value
from rag.store.filtering import folded
from rag.store.postgres.filling import Filling
from rag.store.postgres.server import Connection
from rag.store.postgres.translating import damaged
from rag.store.records import Filters, bindable
from rag.store.tables import COLUMNS, Row

_ROWS: Final = 500
# The tables whose rows are searched, and the types of their columns.
_SEARCHED: Final = ("chunks", "staged_chunks")
_TYPES: Final = (
    *("bigint", "text", "bigint", "bigint", "bigint"),
    *("bigint", "text", "text", "bytea", "bytea"),
)
# Kept beside what they are made of, because the server folds letters by other rules than we do.
_FOLDED: Final = ("folded_uri", "folded_title")
_URI: Final = COLUMNS["documents"].index("uri")
_TITLE: Final = COLUMNS["documents"].index("title")


class PostgresTables:
    """The rows of a collection, by its number, over a connection in a transaction.

    Who is `writing` makes other writers of the collection wait, from its first `read_meta` on.
    """

    def __init__(
        self, connection: Connection, *, collection: int, place: str, writing: bool
    ) -> None:
        self._connection: Final = connection
        self._collection: Final = collection
        self._place: Final = place
        self._writing: Final = writing
        self._filling: Final = Filling(connection, collection=collection)
        self._cursors = 0
        self._ended = False

    @property
    def place(self) -> str:
        """The database and the collection's name."""
        return self._place

    @property
    def collection(self) -> int:
        """The number of the collection."""
        return self._collection

    def query(self, statement: str, values: tuple[Any, ...]) -> list[Row]:
        """Return the rows of a query of our own tables, which names the collection itself."""
        # A plan that holds for all values would pass over the index of one collection.
        found = self._open().execute(statement, values, prepare=False, binary=True)
        return found.fetchall()

    def flush(self) -> None:
        """Write what searches need of the chunks that were added."""
        self._filling.flush()

    def end(self) -> None:
        """Refuse from now on: the connection is another's."""
        self._ended = True

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
        streamed: bool = False,
    ) -> Iterator[Row]:
        """Yield rows that meet a condition."""
        wanted = ", ".join(columns or COLUMNS[table])
        statement = f"SELECT {wanted} FROM {table} WHERE collection = %s AND ({condition})"  # noqa: S608
        if order:
            statement += f" ORDER BY {order}"
        if limit is not None:
            statement += " LIMIT ? OFFSET ?"
            values = (*values, limit, offset)
        return self._streamed(statement, values) if streamed else self._rows(statement, values)

    def number(
        self,
        table: str,
        expression: str = "count(*)",
        condition: str = "TRUE",
        values: tuple[Value, ...] = (),
    ) -> int:
        """Return an aggregate of the rows that meet a condition."""
        statement = f"SELECT {expression} FROM {table} WHERE collection = %s AND ({condition})"  # noqa: S608
        ((found,),) = self._rows(statement, values)
        return int(found)

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        """Insert rows."""
        if not rows:
            return
        columns = COLUMNS[table]
        if table == "documents":
            self._filling.know(rows)
            columns += _FOLDED
            rows = [(*row, *_folded(row)) for row in rows]
        statement = f"INSERT INTO {table} (collection, {', '.join(columns)}) "
        if table in _SEARCHED:
            self._filling.add(rows, staged=table != "chunks")
            # All in one go: COPY, which would be as quick, is refused under row-level security.
            arrays = ", ".join(f"%b::{type_}[]" for type_ in _TYPES)
            statement += f"SELECT %b, * FROM unnest({arrays})"  # noqa: S608
            self._open().execute(statement, (self._collection, *map(list, zip(*rows, strict=True))))
            return
        statement += f"VALUES ({', '.join(['%s'] * (len(columns) + 1))})"
        values = [(self._collection, *row) for row in rows]
        if len(values) == 1:
            self._open().execute(statement, values[0])
            return
        with self._open().cursor() as cursor:
            cursor.executemany(statement, values)

    def delete(self, table: str, condition: str, values: tuple[Value, ...] = ()) -> int:
        """Delete the rows that meet a condition and return how many there were."""
        if table in _SEARCHED:
            self._filling.remove(_marked(condition), values, staged=table != "chunks")
        return self._change(
            f"DELETE FROM {table} WHERE collection = %s AND ({condition})",  # noqa: S608
            values,
        )

    def among(
        self, column: str, values: Iterable[str] | Iterable[int]
    ) -> tuple[str, tuple[Any, ...]]:
        """Return the condition that a column has one of some values, and its own values."""
        known = [bindable(value) if isinstance(value, str) else int(value) for value in values]
        return f"{column} = ANY(?)", (known,)

    def where(self, filters: Filters) -> tuple[str, tuple[Any, ...]]:
        """Return the condition that documents which meet the filters meet, and its values."""
        conditions: list[str] = ["TRUE"]
        values: list[Any] = []
        for column, wanted in (("id", filters.documents), ("media_type", filters.media_types)):
            if wanted is not None:
                condition, known = self.among(column, wanted)
                conditions.append(condition)
                values += known
        if filters.published_from is not None:
            conditions.append("published >= ?")
            values.append(bindable(filters.published_from))
        if filters.published_to is not None:
            conditions.append("published <= ?")
            values.append(bindable(filters.published_to))
        for key, value in filters.metadata:
            conditions.append("metadata::jsonb ->> ?::text = ?")
            values += [bindable(key), bindable(value)]
        return " AND ".join(conditions), tuple(values)

    def containing(self, search: str) -> tuple[str, tuple[Value, ...]]:
        """Return the condition that documents with a text in title or uri meet, and its values."""
        if not search:
            return "TRUE", ()
        wanted = bindable(folded(search))
        condition = " OR ".join(f"position(?::text in {column}) > 0" for column in _FOLDED)
        return condition, (wanted,) * len(_FOLDED)

    def read_meta(self) -> tuple[str, bytes] | None:
        """Return the row that binds all others and its checksum; StoreError once it is deleted."""
        statement = (
            "SELECT content, checksum FROM collections WHERE collection = %s AND deleted IS NULL"
        )
        found = list(self._rows(statement + (" FOR UPDATE" if self._writing else ""), ()))
        if not found:
            raise StoreError(
                f"The index at {self._place} was deleted since it was opened. Restart what uses it."
            )
        return found[0][0], found[0][1]

    def write_meta(self, content: str, checksum: bytes) -> None:
        """Put the row that binds all others in the place of the one before."""
        self._open().execute(
            "UPDATE collections SET content = %s, checksum = %s, updated = now() "
            "WHERE collection = %s",
            (content, checksum, self._collection),
        )

    def clear_staged(self) -> None:
        """Delete all that is staged."""
        self._filling.clear_staged()
        for table in ("staged_documents", "staged_chunks"):
            self._change(f"DELETE FROM {table} WHERE collection = %s", ())  # noqa: S608

    def publish_staged(self) -> None:
        """Put the staged chunks in the place of all others, and forget all changes."""
        columns = f"collection, {', '.join(COLUMNS['chunks'])}"
        # All passages in one statement, which may well take longer than any other.
        self._open().take_all_time()
        self._filling.publish_staged()
        self._change("DELETE FROM chunks WHERE collection = %s", ())
        self._change(
            f"INSERT INTO chunks ({columns}) SELECT {columns} FROM staged_chunks "  # noqa: S608
            "WHERE collection = %s",
            (),
        )
        self.clear_staged()
        self.delete("changes", "TRUE")

    def check_structure(self, table: str = "") -> None:
        """Do nothing: the server tells of damaged pages (its data checksums) when it reads them."""

    def damaged(self, what: str) -> DamagedStore:
        """Return the error to raise for what cannot be as it was written."""
        return damaged(self._place, what)

    def _rows(self, statement: str, values: tuple[Any, ...]) -> Iterator[Row]:
        """Run a query at once and return its rows."""
        found = self._open().execute(_marked(statement), (self._collection, *values))
        return iter(found.fetchall())

    def _streamed(self, statement: str, values: tuple[Any, ...]) -> Iterator[Row]:
        """Yield the rows of a query as they are wanted."""
        self._cursors += 1
        # It ends with the transaction. Closing it from a generator that somebody forgot would be a
        # statement in whatever the connection is used for then.
        name = f"rows_{self._cursors}"
        self._open().execute(
            f"DECLARE {name} NO SCROLL CURSOR FOR {_marked(statement)}",
            (self._collection, *values),
            prepare=False,
        )
        while some := self._open().execute(f"FETCH {_ROWS} FROM {name}").fetchall():
            for row in some:
                self._open()
                yield row

    def _change(self, statement: str, values: tuple[Any, ...]) -> int:
        return self._open().execute(_marked(statement), (self._collection, *values)).rowcount

    def _open(self) -> Connection:
        if self._ended:
            raise RuntimeError("the snapshot has ended")
        return self._connection


def _folded(document: Row) -> tuple[str, str]:
    return folded(document[_URI]), folded(document[_TITLE])


def _marked(statement: str) -> str:
    """Return a statement with the marks that psycopg wants; no condition holds another `?`."""
    return statement.replace("?", "%s")
