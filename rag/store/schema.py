"""The tables of a store's file, and the one row that binds all others.

`meta` has one row: generation, counts, and the checksum of all documents. `documents` holds what is
known of each, with checksums of its body and its chunks; `bodies` the texts, by the document's
number; `chunks` the chunks, those of a document under ids without a gap between, with their
vectors. `changes` tells what each of the last generations added and removed, `versions` which
versions of documents were replaced or deleted. `staged_documents` and `staged_chunks` are the
documents that a rechunking has done, and their new chunks.
"""

import secrets
from dataclasses import dataclass, field
from typing import Final

import msgspec

from rag.store.checksums import NOTHING, checksum
from rag.store.tables import Tables

# Stands in the header of every store's file, and in no other program's.
APPLICATION_ID: Final = 0x43685665  # "ChVe"
FORMAT: Final = 2

_CHUNKS: Final = """(
    id INTEGER PRIMARY KEY,
    document TEXT NOT NULL,
    start_ INTEGER NOT NULL,
    end_ INTEGER NOT NULL,
    page INTEGER,
    tokens INTEGER NOT NULL,
    section TEXT NOT NULL,
    text TEXT NOT NULL,
    vector BLOB NOT NULL,
    checksum BLOB NOT NULL
) STRICT;
"""
_CHANGES: Final = """
CREATE TABLE changes (
    generation INTEGER PRIMARY KEY,
    first_added INTEGER NOT NULL,
    after_added INTEGER NOT NULL,
    removed TEXT NOT NULL,
    checksum BLOB NOT NULL
) STRICT;
"""
_STAGING: Final = f"""
CREATE TABLE staged_documents (
    document TEXT PRIMARY KEY,
    generation INTEGER NOT NULL,
    first_chunk INTEGER NOT NULL,
    chunks INTEGER NOT NULL,
    chunks_sum BLOB NOT NULL,
    checksum BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE staged_chunks {_CHUNKS}
"""
SCHEMA: Final = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
CREATE TABLE meta (
    one INTEGER PRIMARY KEY CHECK (one = 1), content TEXT NOT NULL, checksum BLOB NOT NULL
) STRICT;
CREATE TABLE documents (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    uri TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    media_type TEXT NOT NULL,
    published TEXT,
    sha256 TEXT NOT NULL,
    metadata TEXT NOT NULL,
    characters INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    body_sum BLOB NOT NULL,
    first_chunk INTEGER NOT NULL,
    chunks INTEGER NOT NULL,
    chunks_sum BLOB NOT NULL,
    checksum BLOB NOT NULL
) STRICT;
CREATE TABLE bodies (
    number INTEGER PRIMARY KEY, sections TEXT NOT NULL, pages TEXT NOT NULL, text TEXT NOT NULL
) STRICT;
CREATE TABLE chunks {_CHUNKS}
{_CHANGES}
CREATE TABLE versions (
    document TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    checksum BLOB NOT NULL,
    PRIMARY KEY (document, sha256, since)
) STRICT, WITHOUT ROWID;
{_STAGING}
"""
CLEAR_STAGING: Final = f"DROP TABLE staged_documents; DROP TABLE staged_chunks; {_STAGING}"
PUBLISH_STAGING: Final = f"""
DROP TABLE chunks;
ALTER TABLE staged_chunks RENAME TO chunks;
DROP TABLE staged_documents;
{_STAGING}
DROP TABLE changes;
{_CHANGES}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """The row that binds all others.

    `identity` is the store's own from its creation on, in its snapshots too. Changes after the
    generation `history` are remembered. `dim` is the length of a vector, 0 before the first one.
    `staging` is the fingerprint that a rechunking is under way to, if one is. Sums and counts are
    those of the tables they are named after.
    """

    identity: str = field(default_factory=lambda: secrets.token_hex(16))
    fingerprint: str
    generation: int = 0
    history: int = 0
    next_chunk: int = 1
    next_document: int = 1
    dim: int = 0
    documents: int = 0
    documents_sum: bytes = NOTHING
    chunks: int = 0
    versions: int = 0
    versions_sum: bytes = NOTHING
    staging: str | None = None


def read_meta(tables: Tables) -> Meta:
    """Return the row that binds all others, verified."""
    row = tables.read_meta()
    if row is None or row[1] != checksum(row[:1]):
        raise tables.damaged("the row that binds all others is missing or altered")
    return msgspec.json.decode(row[0], type=Meta)


def write_meta(tables: Tables, meta: Meta) -> None:
    """Put the row that binds all others in the place of the one before."""
    content = msgspec.json.encode(meta).decode()
    tables.write_meta(content, checksum((content,)))


def differing(one: str, other: str) -> str:
    """Return the parts of a fingerprint that another one does not have."""
    parts = [part for part in one.split("; ") if part not in other.split("; ")]
    return "; ".join(parts) or one
