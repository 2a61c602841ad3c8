"""Reading: one generation of a store."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

import numpy as np
import numpy.typing as npt

from rag.chunks import Chunk
from rag.documents import Document
from rag.errors import NotFound
from rag.store import log
from rag.store.checks import Tally, check_everything
from rag.store.records import AddedChunk, DocumentSummary, Filters, StoredVersion, bindable
from rag.store.rows import (
    Head,
    added_chunk,
    chunk,
    heads,
    stored_document,
    vectors,
    verified_chunks,
    versions,
)
from rag.store.schema import Meta
from rag.store.tables import Row, Tables


class TableSnapshot:
    """One generation of a collection, read from its tables in one transaction.

    Every row is verified as it is read; one that is altered, missing or too much raises
    DamagedStore.
    """

    def __init__(self, tables: Tables, meta: Meta) -> None:
        self._tables: Final = tables
        self._meta: Final = meta

    @property
    def meta(self) -> Meta:
        """What the store says of this generation as a whole."""
        return self._meta

    @property
    def generation(self) -> int:
        """The number of writes that led here; it only grows."""
        return self._meta.generation

    @property
    def identity(self) -> str:
        """Names the store itself: a derived index belongs to one identity and generation."""
        return self._meta.identity

    @property
    def fingerprint(self) -> str:
        """Names all that the stored chunks and vectors depend on."""
        return self._meta.fingerprint

    def count(self) -> tuple[int, int]:
        """Return the numbers of documents and of chunks."""
        return self._meta.documents, self._meta.chunks

    def characters(self) -> int:
        """Return the length of all texts together, in code points."""
        return self._tables.number("documents", "coalesce(sum(characters), 0)")

    def count_containing(self, search: str) -> int:
        """Return how many documents have a text in their title or uri, whatever its case."""
        if not search:
            return self._meta.documents
        return self._tables.number("documents", "count(*)", *self._tables.containing(search))

    def summaries(self, *, limit: int, offset: int = 0, search: str = "") -> list[DocumentSummary]:
        """Return a page of the documents in order of their uri; `search` as in count_containing."""
        condition, values = self._tables.containing(search)
        found = list(
            heads(self._tables, condition, values, order="uri", limit=limit, offset=offset)
        )
        if len(found) != min(limit, max(0, self.count_containing(search) - offset)):
            raise self._tables.damaged("documents are missing or too many")
        return [head.summary() for head in found]

    def summary(self, document: str) -> DocumentSummary:
        """Return what is known of a document; raise NotFound if there is none with this id."""
        return self._head(document).summary()

    def document(self, document: str) -> Document:
        """Return a whole document; raise NotFound if there is none with this id."""
        return stored_document(self._tables, self._head(document))

    def version(self, uri: str) -> str | None:
        """Return the sha256 of the bytes of the document at a uri, None where there is none."""
        head = next(heads(self._tables, "uri = ?", (bindable(uri),)), None)
        return None if head is None else head.sha256

    def versions(self) -> dict[str, str]:
        """Return the sha256 of each document's bytes by uri."""
        return {head.uri: head.sha256 for head in heads(self._tables)}

    def former_versions(self, document: str) -> list[StoredVersion]:
        """Return the replaced and deleted versions of a document, oldest first."""
        found = versions(self._tables, "document = ?", (bindable(document),))
        return sorted((version for version, _ in found), key=lambda version: version.since)

    def chunks(self, ids: Sequence[int]) -> list[Chunk]:
        """Return the chunks with these ids, in the order asked for; raise KeyError for others."""
        rows = verified_chunks(self._tables, *self._tables.among("id", [int(id_) for id_ in ids]))
        found = {row[0]: chunk(row) for row in rows}
        if lost := [id_ for id_ in ids if id_ not in found]:
            holding = self._tables.select(
                "documents",
                "first_chunk <= ? AND ? < first_chunk + chunks",
                (int(lost[0]), int(lost[0])),
            )
            if list(holding):
                raise self._tables.damaged(f"the passage {lost[0]} is missing")
            raise KeyError(lost[0])
        return [found[id_] for id_ in ids]

    def remembers(self, generation: int) -> bool:
        """Tell whether all changes after a generation are known; 0 is always, where nothing was.

        A derived index of a generation that is not must be built anew.
        """
        return generation == 0 or self._meta.history <= generation <= self._meta.generation

    def added_since(
        self, generation: int, *, batch: int = 4096
    ) -> Iterator[tuple[list[AddedChunk], npt.NDArray[np.float32]]]:
        """Yield the chunks that came after a generation and are still there, with their vectors.

        Batches lie in order of the chunks' ids; the vectors are float32 (len(batch), dim). Only
        when the last one was taken is it known that none is missing. Raises ValueError for a
        generation that is not remembered.
        """
        self._require(generation)
        rows = self._rows_since(generation) if generation else self._all_rows()
        while some := list(islice(rows, batch)):
            yield (
                [added_chunk(row, title=head.title) for head, row in some],
                vectors(row for _, row in some),
            )

    def removed_since(self, generation: int) -> npt.NDArray[np.int64]:
        """Return the ids of chunks that were removed after a generation, ascending.

        After 0, where nothing was, there are none. Raises ValueError for a generation that is not
        remembered.
        """
        self._require(generation)
        if not generation:
            return np.empty(0, dtype=np.int64)
        known = log.since(self._tables, generation, until=self._meta.generation)
        parts = [
            np.arange(first, after, dtype=np.int64)
            for first, after in sorted(span for change in known for span in change.removed)
        ]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)

    def matching(self, filters: Filters) -> list[str]:
        """Return the ids of the documents that meet the filters, ascending."""
        condition, values = self._tables.where(filters)
        rows = self._tables.select("documents", condition, values, columns=("id",), order="id")
        return [row[0] for row in rows]

    def chunk_ids(self, documents: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return the ids of all chunks of these documents, ascending."""
        parts = [
            np.arange(head.first_chunk, head.after_chunks, dtype=np.int64)
            for head in heads(
                self._tables, *self._tables.among("id", documents), order="first_chunk"
            )
        ]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)

    def verify(self) -> None:
        """Read all of this generation and raise DamagedStore at the first thing that is wrong."""
        check_everything(self._tables, self._meta)

    def _head(self, document: str) -> Head:
        head = next(heads(self._tables, "id = ?", (bindable(document),)), None)
        if head is None:
            raise NotFound(f"No document has the id {document!r}. List them to see which exist.")
        return head

    def _require(self, generation: int) -> None:
        if not self.remembers(generation):
            raise ValueError(
                f"of generation {self._meta.generation} only changes since {self._meta.history} "
                f"are known, not since {generation}"
            )

    def _all_rows(self) -> Iterator[tuple[Head, Row]]:
        """Yield every chunk behind the head of its document; none may be missing at the end."""
        by_id = {head.id: head for head in heads(self._tables)}
        tally = Tally(self._tables, by_id.values())
        for row in verified_chunks(self._tables, order="id", streamed=True):
            yield tally.count(row), row
        tally.check(self._meta)

    def _rows_since(self, generation: int) -> Iterator[tuple[Head, Row]]:
        known = log.since(self._tables, generation, until=self._meta.generation)
        if not known:
            return
        expected = log.remaining(known)
        by_id: dict[str, Head] = {}
        for row in verified_chunks(
            self._tables, "id >= ?", (known[0].first_added,), order="id", streamed=True
        ):
            if row[1] not in by_id:
                by_id[row[1]] = self._head(row[1])
            expected -= 1
            yield by_id[row[1]], row
        if expected:
            raise self._tables.damaged("passages are missing or too many")
