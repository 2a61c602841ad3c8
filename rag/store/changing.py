"""Writing: what one transaction does to the tables."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from rag.errors import Conflict, NotFound
from rag.store import log
from rag.store.checksums import added, removed
from rag.store.records import NewDocument, bindable, check_new
from rag.store.rows import Head, body_row, chunk_rows, heads, new_head, sealed
from rag.store.schema import Meta, write_meta
from rag.store.tables import Tables

# A derived index that is further behind is built anew, which is quicker by then.
_HISTORY: Final = 1_000


class Change:
    """The next generation in the making, inside a transaction that the caller holds."""

    def __init__(self, tables: Tables, meta: Meta) -> None:
        self._tables: Final = tables
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
        self._tables.insert("documents", [head.values()])
        self._tables.insert("bodies", [(head.number, *body_row(new.document))])
        self._tables.insert("chunks", rows)
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
        head = next(heads(self._tables, "id = ?", (bindable(document),)), None)
        if head is None:
            return False
        gone = self._tables.delete(
            "chunks", "id >= ? AND id < ?", (head.first_chunk, head.after_chunks)
        )
        gone += self._tables.delete("bodies", "number = ?", (head.number,))
        gone += self._tables.delete("documents", "number = ?", (head.number,))
        if gone != head.chunks + 2:
            raise self._tables.damaged(f"passages or the text of {head.uri!r} are missing")
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
        log.append(self._tables, change, forget_until=history)
        self._meta = replace(self._meta, generation=self.generation, history=history)
        write_meta(self._tables, self._meta)
        return self._meta

    def _remember(self, head: Head) -> None:
        row = sealed((head.id, head.sha256, head.generation, self.generation))
        self._tables.insert("versions", [row])
        self._meta = replace(
            self._meta,
            versions=self._meta.versions + 1,
            versions_sum=added(self._meta.versions_sum, (row[-1],)),
        )


def put(
    tables: Tables, meta: Meta, documents: Iterable[NewDocument], *, most: int | None = None
) -> int:
    """Add or replace documents and return the new generation; raise Conflict above `most`."""
    change = Change(tables, meta)
    for new in documents:
        change.put(new)
    reached = change.finish().documents
    # One that holds too many since the limit was lowered may still be changed.
    if most is not None and reached > max(most, meta.documents):
        raise Conflict(
            f"The collection would have {reached:,} documents, and {most:,} are allowed. Delete "
            "some, take another collection, or raise RAG_MAX_DOCUMENTS."
        )
    return change.generation


def delete(tables: Tables, meta: Meta, document: str) -> int:
    """Delete a document and return the new generation; raise NotFound if there is none."""
    change = Change(tables, meta)
    if not change.remove(document):
        raise NotFound(f"No document has the id {document!r}. List them to see which exist.")
    change.finish()
    return change.generation


def fitting_dim(new: NewDocument, *, stored: int) -> int:
    """Return the length of a document's vectors, 0 if it has none.

    Raises ValueError where the stored ones have another length; 0 says that there are none.
    """
    dim = new.vectors.shape[1] if len(new.chunks) else 0
    if dim and stored and dim != stored:
        raise ValueError(f"vectors have {dim} columns, the stored ones {stored}")
    return dim
