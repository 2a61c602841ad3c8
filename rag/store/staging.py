"""Rechunking: other chunks for all documents, made aside and put in place in one step.

The new chunks of a document are staged in small transactions, which start no generation; who reads
and writes meanwhile sees nothing of them. What was staged of a document holds as long as the
document is the one it was made from.
"""

from dataclasses import replace

from rag.errors import StoreError
from rag.store.changing import fitting_dim, insert_chunks
from rag.store.checksums import NOTHING, added
from rag.store.database import Database
from rag.store.records import NewDocument, check_new
from rag.store.rows import chunk_rows, heads, sealed, verified
from rag.store.schema import CLEAR_STAGING, PUBLISH_STAGING, Meta, write_meta

_UNSTAGED = (
    "FROM documents AS d LEFT JOIN staged_documents AS s "
    "ON s.document = d.id AND s.generation = d.generation WHERE s.document IS NULL"
)


def begin(database: Database, meta: Meta, fingerprint: str) -> None:
    """Start to stage chunks of a fingerprint, or go on where such a run was stopped."""
    if meta.staging == fingerprint:
        return
    database.connection.execute(CLEAR_STAGING)
    staging = None if fingerprint == meta.fingerprint else fingerprint
    write_meta(database, replace(meta, staging=staging))


def unstaged(database: Database) -> list[str]:
    """Return the ids of the documents whose chunks are still to be staged."""
    return [row[0] for row in database.rows(f"SELECT d.id {_UNSTAGED} ORDER BY d.number")]


def stage(
    database: Database, meta: Meta, new: NewDocument, *, fingerprint: str, generation: int
) -> Meta:
    """Stage a document's chunks, made from what it was at a generation; return the changed row.

    Nothing happens for a document that was replaced or deleted since.
    """
    if meta.staging != fingerprint:
        raise StoreError(
            f"The index at {database.path} is being rebuilt for other settings by another command. "
            "Run rag reindex again with the settings that are wanted."
        )
    check_new(new)
    head = next(heads(database, "WHERE id = ?", (new.document.id,)), None)
    if head is None or head.generation > generation:
        return meta
    _unstage(database, "document = ?", (head.id,))
    rows = chunk_rows(new, first=meta.next_chunk)
    insert_chunks(database, rows, table="staged_chunks")
    fitting_dim(new, stored=_staged_dim(database))
    total = added(NOTHING, (row[-1] for row in rows))
    database.change(
        "INSERT INTO staged_documents VALUES (?, ?, ?, ?, ?, ?)",
        sealed((head.id, head.generation, meta.next_chunk, len(rows), total)),
    )
    return replace(meta, next_chunk=meta.next_chunk + len(rows))


def publish(database: Database, meta: Meta, fingerprint: str) -> Meta | None:
    """Put the staged chunks in the place of the present ones; return the changed row.

    Returns None, with nothing changed, where some documents are not staged as they are now.
    """
    if meta.staging != fingerprint:
        raise StoreError(
            f"The index at {database.path} is being rebuilt for other settings by another command."
        )
    if database.row(f"SELECT 1 {_UNSTAGED} LIMIT 1"):
        return None
    _unstage(database, "document NOT IN (SELECT id FROM documents)", ())
    known = {head.id: head for head in heads(database)}
    total, count = NOTHING, 0
    for row in list(database.rows("SELECT * FROM staged_documents")):
        document, _, first, chunks, sum_ = verified(
            database, row, what=f"the rechunking of the document {row[0]!r}"
        )
        head = known[document].with_chunks(first=first, count=chunks, total=sum_)
        database.change(
            "UPDATE documents SET first_chunk = ?, chunks = ?, chunks_sum = ?, checksum = ? "
            "WHERE number = ?",
            (first, chunks, sum_, head.checksum, head.number),
        )
        total, count = added(total, (head.checksum,)), count + chunks
    dim = _staged_dim(database)
    database.connection.execute(PUBLISH_STAGING)
    return replace(
        meta,
        fingerprint=fingerprint,
        generation=meta.generation + 1,
        history=meta.generation + 1,
        dim=dim,
        documents_sum=total,
        chunks=count,
        staging=None,
    )


def _unstage(database: Database, condition: str, values: tuple[str, ...]) -> None:
    for first, chunks in list(
        database.rows(
            f"SELECT first_chunk, chunks FROM staged_documents WHERE {condition}",  # noqa: S608
            values,
        )
    ):
        database.change(
            "DELETE FROM staged_chunks WHERE id >= ? AND id < ?", (first, first + chunks)
        )
    database.change(f"DELETE FROM staged_documents WHERE {condition}", values)  # noqa: S608


def _staged_dim(database: Database) -> int:
    row = database.row("SELECT length(vector) FROM staged_chunks LIMIT 1")
    return row[0] // 4 if row else 0
