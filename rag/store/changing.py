"""Writing: what one transaction does to the tables."""

from dataclasses import replace
from typing import Final

from rag.store import log
from rag.store.checksums import added, removed
from rag.store.database import Database, Row
from rag.store.records import NewDocument, bindable, check_new
from rag.store.rows import Head, body_row, chunk_rows, heads, new_head, sealed
from rag.store.schema import Meta, write_meta

# A derived index that is further behind is built anew, which is quicker by then.
_HISTORY: Final = 1_000


class Change:
    """The next generation in the making, inside a transaction that the caller holds."""

    def __init__(self, database: Database, meta: Meta) -> None:
        self._database: Final = database
        self._meta = meta
        self._first_added: Final = meta.next_chunk
        self._removed: list[tuple[int, int]] = []
        self.generation: Final = meta.generation + 1

    def put(self, new: NewDocument) -> None:
        """Add a document, in the place of the one with its id if there is one."""
        check_new(new)
        self.remove(new.document.id)
        meta = self._meta
        rows = chunk_rows(new, first=meta.next_chunk)
        head = new_head(
            new.document, number=meta.next_document, generation=self.generation, rows=rows
        )
        insert_head(self._database, head)
        self._database.change(
            "INSERT INTO bodies VALUES (?, ?, ?, ?)", (head.number, *body_row(new.document))
        )
        insert_chunks(self._database, rows)
        self._meta = replace(
            meta,
            dim=fitting_dim(new, stored=meta.dim if meta.chunks else 0) or meta.dim,
            next_chunk=meta.next_chunk + head.chunks,
            next_document=meta.next_document + 1,
            documents=meta.documents + 1,
            documents_sum=added(meta.documents_sum, (head.checksum,)),
            chunks=meta.chunks + head.chunks,
        )

    def remove(self, document: str) -> bool:
        """Remove a document, remembering which version it was; tell whether there was one."""
        head = next(heads(self._database, "WHERE id = ?", (bindable(document),)), None)
        if head is None:
            return False
        gone = self._database.change(
            "DELETE FROM chunks WHERE id >= ? AND id < ?", (head.first_chunk, head.after_chunks)
        )
        gone += self._database.change("DELETE FROM bodies WHERE number = ?", (head.number,))
        gone += self._database.change("DELETE FROM documents WHERE number = ?", (head.number,))
        if gone != head.chunks + 2:
            raise self._database.damaged(f"passages or the text of {head.uri!r} are missing")
        if head.chunks:
            self._removed.append((head.first_chunk, head.after_chunks))
        self._meta = replace(
            self._meta,
            documents=self._meta.documents - 1,
            documents_sum=removed(self._meta.documents_sum, (head.checksum,)),
            chunks=self._meta.chunks - head.chunks,
        )
        if head.generation < self.generation:
            self._remember(head)
        return True

    def finish(self) -> Meta:
        """Log the change and put the row that binds all others in place; return it."""
        change = log.Change(
            self.generation, self._first_added, self._meta.next_chunk, tuple(self._removed)
        )
        history = max(self._meta.history, self.generation - _HISTORY)
        log.append(self._database, change, forget_until=history)
        self._meta = replace(self._meta, generation=self.generation, history=history)
        write_meta(self._database, self._meta)
        return self._meta

    def _remember(self, head: Head) -> None:
        row = sealed((head.id, head.sha256, head.generation, self.generation))
        self._database.change("INSERT INTO versions VALUES (?, ?, ?, ?, ?)", row)
        self._meta = replace(
            self._meta,
            versions=self._meta.versions + 1,
            versions_sum=added(self._meta.versions_sum, (row[-1],)),
        )


def insert_head(database: Database, head: Head) -> None:
    """Insert a row of `documents`."""
    values = head.values()
    database.change(f"INSERT INTO documents VALUES ({_marks(values)})", values)  # noqa: S608


def insert_chunks(database: Database, rows: list[Row], *, table: str = "chunks") -> None:
    """Insert rows of chunks."""
    if rows:
        statement = f"INSERT INTO {table} VALUES ({_marks(rows[0])})"  # noqa: S608
        database.connection.executemany(statement, rows)


def fitting_dim(new: NewDocument, *, stored: int) -> int:
    """Return the length of a document's vectors, 0 if it has none.

    Raises ValueError where the stored ones have another length; 0 says that there are none.
    """
    dim = new.vectors.shape[1] if len(new.chunks) else 0
    if dim and stored and dim != stored:
        raise ValueError(f"vectors have {dim} columns, the stored ones {stored}")
    return dim


def _marks(values: Row) -> str:
    return ", ".join("?" * len(values))
