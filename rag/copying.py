"""Copies collections from where they are kept to elsewhere: from files to a database, or back.

A copy is made beside the place it is for, in small transactions, and put there when all of it is
verified: the checksum that binds all rows of the copy is that of the original. One that was stopped
goes on where it was; documents that changed meanwhile are copied again.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Final

from rag.catalogs import Catalog
from rag.errors import Conflict
from rag.store.checks import check_everything
from rag.store.checksums import added, removed
from rag.store.rows import Head, body_row, heads, stored_document, verified_chunks
from rag.store.schema import Meta, write_meta
from rag.store.tables import Tables

_CHUNKS_A_TRANSACTION: Final = 1_000
# They are small, and bound to no document.
_WHOLE: Final = ("changes", "versions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How many documents of a collection are copied; `finished` once it is verified and in place.

    `generation` is that of the original which is copied.
    """

    collection: str
    done: int
    total: int
    generation: int
    finished: bool


def copy(source: Catalog, target: Catalog, *, collection: str) -> Iterator[Progress]:
    """Copy a collection with its recipe, generation and history; yield the progress.

    Others may read and write the original meanwhile: what is copied is the generation it has at the
    beginning. A rechunking that is under way is not copied. Nothing happens where the copy is there
    already; another collection of this name is Conflict. Raises NotFound, and DamagedStore for what
    is not as it was written.
    """
    source.require(collection)
    recipe = source.recipe_of(collection)
    with (
        closing(source.open_store(collection, fingerprint=None)) as original,
        original.tables() as (rows, meta),
    ):
        wanted = replace(meta, staging=None)
        total = wanted.documents
        if _is_there(target, collection, wanted):
            yield _progress(collection, wanted, done=total, finished=True)
            return
        with closing(target.open_copy(collection, fingerprint=wanted.fingerprint)) as store:
            known = {head.number: head for head in heads(rows)}
            with store.tables(writing=True) as (copied, reached):
                missing = _drop_stale(copied, reached, known)
            for group in _groups(missing):
                yield _progress(collection, wanted, done=total - len(missing), finished=False)
                with store.tables(writing=True) as (copied, reached):
                    for head in group:
                        _copy_document(rows, copied, head)
                    write_meta(copied, _with(reached, group))
                missing = missing[len(group) :]
            with store.tables(writing=True) as (copied, _):
                for table in _WHOLE:
                    copied.delete(table, "TRUE")
                    copied.insert(table, list(rows.select(table)))
                write_meta(copied, wanted)
            with store.tables() as (copied, reached):
                check_everything(copied, reached)
                if reached != wanted:
                    raise copied.damaged("the copy is not of what was to be copied")
        target.publish_copy(collection, recipe=recipe)
        yield _progress(collection, wanted, done=total, finished=True)


def _is_there(target: Catalog, collection: str, wanted: Meta) -> bool:
    if collection not in target.names():
        return False
    with (
        closing(target.open_store(collection, fingerprint=None)) as present,
        present.tables() as (rows, meta),
    ):
        if replace(meta, staging=None) == wanted:
            return True
        raise Conflict(
            f"There is another collection {collection!r} at {rows.place} already, of generation "
            f"{meta.generation}. Delete it first: it is kept aside."
        )


def _drop_stale(copied: Tables, reached: Meta, known: dict[int, Head]) -> list[Head]:
    """Drop copies of documents that are no longer as they were; return those to be copied."""
    missing = dict(known)
    gone = []
    for head in list(heads(copied)):
        if known.get(head.number) == head:
            del missing[head.number]
            continue
        copied.delete("chunks", "id >= ? AND id < ?", (head.first_chunk, head.after_chunks))
        copied.delete("bodies", "number = ?", (head.number,))
        copied.delete("documents", "number = ?", (head.number,))
        gone.append(head)
    write_meta(
        copied,
        replace(
            reached,
            documents=reached.documents - len(gone),
            documents_sum=removed(reached.documents_sum, (head.checksum for head in gone)),
            chunks=reached.chunks - sum(head.chunks for head in gone),
        ),
    )
    return sorted(missing.values(), key=lambda head: head.number)


def _with(reached: Meta, group: list[Head]) -> Meta:
    """Return the row that binds all others with some more: a copy is sound while it grows."""
    return replace(
        reached,
        documents=reached.documents + len(group),
        documents_sum=added(reached.documents_sum, (head.checksum for head in group)),
        chunks=reached.chunks + sum(head.chunks for head in group),
    )


def _groups(missing: list[Head]) -> Iterator[list[Head]]:
    """Yield documents in groups that make transactions of a bounded size."""
    group: list[Head] = []
    for head in missing:
        group.append(head)
        if sum(each.chunks + 1 for each in group) >= _CHUNKS_A_TRANSACTION:
            yield group
            group = []
    if group:
        yield group


def _copy_document(rows: Tables, copied: Tables, head: Head) -> None:
    document = stored_document(rows, head)
    place = (head.first_chunk, head.after_chunks)
    chunks = list(verified_chunks(rows, "id >= ? AND id < ?", place, order="id"))
    if len(chunks) != head.chunks:
        raise rows.damaged(f"passages of {head.uri!r} are missing")
    copied.insert("documents", [head.values()])
    copied.insert("bodies", [(head.number, *body_row(document))])
    copied.insert("chunks", chunks)


def _progress(collection: str, meta: Meta, *, done: int, finished: bool) -> Progress:
    return Progress(
        collection=collection,
        done=done,
        total=meta.documents,
        generation=meta.generation,
        finished=finished,
    )
