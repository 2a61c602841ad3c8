"""Rechunking: other chunks for all documents, made aside and put in place in one step.

The new chunks of a document are staged in small transactions, which start no generation; who reads
and writes meanwhile sees nothing of them. What was staged of a document holds as long as the
document is the one it was made from.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from rag.errors import StoreError
from rag.store.changing import fitting_dim
from rag.store.checksums import NOTHING, added
from rag.store.records import NewDocument, check_new
from rag.store.rows import Head, chunk_rows, heads, sealed, verified
from rag.store.schema import Meta, write_meta
from rag.store.tables import Row, Tables

_BATCH: Final = 1_000


def begin(tables: Tables, meta: Meta, fingerprint: str) -> list[str]:
    """Start to stage chunks of a fingerprint, or go on where such a run was stopped.

    Returns the ids of the documents whose chunks are still to be staged.
    """
    present = fingerprint == meta.fingerprint
    if meta.staging != fingerprint:
        tables.clear_staged()
        write_meta(tables, replace(meta, staging=None if present else fingerprint))
    return [] if present else unstaged(tables)


def unstaged(tables: Tables) -> list[str]:
    """Return the ids of the documents whose chunks are still to be staged."""
    staged: dict[str, int] = dict(
        tables.select("staged_documents", columns=("document", "generation"))
    )
    return [
        head.id for head in heads(tables, order="number") if staged.get(head.id) != head.generation
    ]


def stage(
    tables: Tables,
    meta: Meta,
    documents: Iterable[NewDocument],
    *,
    fingerprint: str,
    generation: int,
) -> None:
    """Stage chunks of documents, made from what these were at a generation.

    Nothing happens for a document that was replaced or deleted since.
    """
    for new in documents:
        meta = _stage(tables, meta, new, fingerprint=fingerprint, generation=generation)
    write_meta(tables, meta)


def _stage(
    tables: Tables, meta: Meta, new: NewDocument, *, fingerprint: str, generation: int
) -> Meta:
    if meta.staging != fingerprint:
        raise StoreError(
            f"The index at {tables.place} is being rebuilt for other settings by another command. "
            "Run rag reindex again with the settings that are wanted."
        )
    check_new(new)
    head = next(heads(tables, "id = ?", (new.document.id,)), None)
    if head is None or head.generation > generation:
        return meta
    _unstage(tables, list(tables.select("staged_documents", "document = ?", (head.id,))))
    rows = chunk_rows(new, first=meta.next_chunk)
    tables.insert("staged_chunks", rows)
    fitting_dim(new, stored=_staged_dim(tables))
    total = added(NOTHING, (row[-1] for row in rows))
    tables.insert(
        "staged_documents",
        [sealed((head.id, head.generation, meta.next_chunk, len(rows), total))],
    )
    return replace(meta, next_chunk=meta.next_chunk + len(rows))


def publish(tables: Tables, meta: Meta, fingerprint: str) -> int | None:
    """Put the staged chunks in the place of the present ones; return the new generation.

    Returns None, with nothing changed, where some documents are not staged as they are now.
    """
    if meta.staging != fingerprint:
        raise StoreError(
            f"The index at {tables.place} is being rebuilt for other settings by another command."
        )
    if unstaged(tables):
        return None
    known = {head.id: head for head in heads(tables)}
    _unstage(tables, [row for row in tables.select("staged_documents") if row[0] not in known])
    total, count = NOTHING, 0
    changed = list(_rechunked(tables, known))
    for start in range(0, len(changed), _BATCH):
        some = changed[start : start + _BATCH]
        numbers, values = tables.among("number", [head.number for head in some])
        tables.delete("documents", numbers, values)
        tables.insert("documents", [head.values() for head in some])
        total = added(total, (head.checksum for head in some))
        count += sum(head.chunks for head in some)
    dim = _staged_dim(tables)
    tables.publish_staged()
    published = replace(
        meta,
        fingerprint=fingerprint,
        generation=meta.generation + 1,
        history=meta.generation + 1,
        dim=dim,
        documents_sum=total,
        chunks=count,
        staging=None,
    )
    write_meta(tables, published)
    return published.generation


def _rechunked(tables: Tables, known: dict[str, Head]) -> Iterator[Head]:
    """Yield the documents with the chunks that are staged of them."""
    for row in tables.select("staged_documents"):
        document, _, first, chunks, total = verified(
            tables, row, what=f"the rechunking of the document {row[0]!r}"
        )
        yield known[document].with_chunks(first=first, count=chunks, total=total)


def _unstage(tables: Tables, rows: Iterable[Row]) -> None:
    for document, _, first, chunks, *_ in rows:
        tables.delete("staged_chunks", "id >= ? AND id < ?", (first, first + chunks))
        tables.delete("staged_documents", "document = ?", (document,))


def _staged_dim(tables: Tables) -> int:
    row = next(iter(list(tables.select("staged_chunks", limit=1))), None)
    return len(row[8]) // 4 if row else 0
