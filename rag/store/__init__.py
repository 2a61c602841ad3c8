"""The store of one collection: its documents, chunks and vectors, the only truth.

`Store` says what each does; `SqliteStore` is one in a file. Every write is one transaction, durable
when it returns (in SQLite with `synchronous=FULL`), and starts a new generation. Whatever else
helps to search (vector index, lexical index) is derived from here: the store tells which chunks
came and went after a generation, so a derived index knows what it lacks from its own generation
alone.

Every row carries a checksum, the rows of a document are bound to it and all documents to one row
that is replaced with each write (a hash tree of three levels), so that what is damaged, missing or
too much is noticed when it is read and never answered from.
"""

from rag.store.checks import verify_file
from rag.store.contract import Snapshot, Store
from rag.store.records import (
    AddedChunk,
    DocumentSummary,
    Filters,
    NewDocument,
    StoredVersion,
    check_storable,
)
from rag.store.store import FILE_NAME, SqliteStore

__all__ = [
    "FILE_NAME",
    "AddedChunk",
    "DocumentSummary",
    "Filters",
    "NewDocument",
    "Snapshot",
    "SqliteStore",
    "Store",
    "StoredVersion",
    "check_storable",
    "verify_file",
]
