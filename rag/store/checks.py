"""Whether what is stored is what was written: nothing altered, missing or too much."""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

from rag.store import log
from rag.store.checksums import NOTHING, added
from rag.store.database import Database, translated
from rag.store.header import check_header, open_immutable
from rag.store.rows import Head, heads, stored_document, verified, verified_chunks
from rag.store.rows import versions as stored_versions
from rag.store.schema import Meta, read_meta
from rag.store.tables import Row, Tables


class Tally:
    """Counts chunks as they come, in order of their ids, against what their documents say."""

    def __init__(self, tables: Tables, known: Iterable[Head]) -> None:
        self._tables: Final = tables
        self._known: Final = {head.id: head for head in known}
        self._counts: Final = dict.fromkeys(self._known, 0)
        self._sums: Final = dict.fromkeys(self._known, 0)

    def count(self, row: Row) -> Head:
        """Count a verified row of `chunks` and return the head of its document."""
        head = self._known.get(row[1])
        if head is None or row[0] != head.first_chunk + self._counts[head.id]:
            raise self._tables.damaged(f"the passage {row[0]} is none of its document's")
        self._counts[head.id] += 1
        self._sums[head.id] += int.from_bytes(row[-1])
        return head

    def check(self, meta: Meta) -> None:
        """Raise DamagedStore unless all chunks of all documents were counted."""
        for id_, head in self._known.items():
            total = added(NOTHING, (self._sums[id_].to_bytes(32),))
            if (self._counts[id_], total) != (head.chunks, head.chunks_sum):
                raise self._tables.damaged(f"passages of {head.uri!r} are missing or altered")
        check_heads(self._tables, meta, self._known.values())


def check_heads(tables: Tables, meta: Meta, known: Collection[Head]) -> None:
    """Raise DamagedStore unless these are all documents that there are."""
    total = added(NOTHING, (head.checksum for head in known))
    if (len(known), total) != (meta.documents, meta.documents_sum):
        raise tables.damaged("documents are missing or too many")
    if sum(head.chunks for head in known) != meta.chunks:
        raise tables.damaged("the numbers of passages disagree")


def check_documents(tables: Tables, meta: Meta) -> None:
    """Check what is known of all documents, not their texts: what is not found is not there."""
    tables.check_structure("documents")
    check_heads(tables, meta, list(heads(tables)))


def check_everything(tables: Tables, meta: Meta) -> None:
    """Read the whole collection and raise DamagedStore at the first thing that is wrong."""
    tables.check_structure()
    known = list(heads(tables))
    tally = Tally(tables, known)
    if tables.number("bodies") != len(known):
        raise tables.damaged("texts are missing or too many")
    for head in sorted(known, key=lambda head: head.first_chunk):
        text = stored_document(tables, head).text
        for row in verified_chunks(
            tables,
            "id >= ? AND id < ?",
            (head.first_chunk, head.after_chunks),
            order="id",
        ):
            tally.count(row)
            if row[7] != text[row[2] : row[3]]:
                raise tables.damaged(f"the passage {row[0]} is no part of {head.uri!r}")
    tally.check(meta)
    if tables.number("chunks") != meta.chunks:
        raise tables.damaged("passages are too many")
    _check_versions(tables, meta)
    log.since(tables, meta.history, until=meta.generation)
    for _ in verified_chunks(tables, table="staged_chunks", streamed=True):
        pass
    for row in tables.select("staged_documents"):
        verified(tables, row, what=f"the rechunking of the document {row[0]!r}")


def verify_file(path: Path) -> Meta:
    """Check a store's file that nobody writes to, without changing it or making files beside it.

    Returns the row that binds all others; raises DamagedStore, StaleIndex for another format, or
    StoreError where the file cannot be read.
    """
    with translated(path, "cannot be read", system=True):
        check_header(path)
        connection = open_immutable(path)
        try:
            database = Database(connection, path=path)
            meta = read_meta(database)
            check_everything(database, meta)
        finally:
            connection.close()
    return meta


def _check_versions(tables: Tables, meta: Meta) -> None:
    sums = [sum_ for _, sum_ in stored_versions(tables)]
    if (len(sums), added(NOTHING, sums)) != (meta.versions, meta.versions_sum):
        raise tables.damaged("former versions are missing or too many")
