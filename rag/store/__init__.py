"""The store of one collection: documents, chunks and vectors in one SQLite file, the only truth.

Every write is one transaction with `synchronous=FULL` and starts a new generation. Whatever else
helps to search (vector index, lexical index) is derived from here: the store tells which chunks
came and went after a generation, so a derived index knows what it lacks from its own generation
alone.

Every row carries a checksum, the rows of a document are bound to it and all documents to one row
that is replaced with each write (a hash tree of three levels), so that what is damaged, missing or
too much is noticed when it is read and never answered from.
"""

from rag.store.checks import verify_file
from rag.store.records import (
    AddedChunk,
    DocumentSummary,
    Filters,
    NewDocument,
    StoredVersion,
    check_storable,
)
from rag.store.snapshot import Snapshot
from rag.store.store import FILE_NAME, Store

__all__ = [
    "FILE_NAME",
    "AddedChunk",
    "DocumentSummary",
    "Filters",
    "NewDocument",
    "Snapshot",
    "Store",
    "StoredVersion",
    "check_storable",
    "verify_file",
]
