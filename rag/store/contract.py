"""What every store does, whatever keeps it; `tests/store/conformance.py` holds each one to it."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import numpy as np
import numpy.typing as npt

from rag.chunks import Chunk
from rag.documents import Document
from rag.store.records import (
    AddedChunk,
    DocumentSummary,
    Filters,
    NewDocument,
    StoredVersion,
)
from rag.store.schema import Meta
from rag.store.tables import Tables


class Snapshot(Protocol):
    """One generation of a collection, unchanged while it is held, whatever others write.

    Every row is verified as it is read; one that is altered, missing or too much raises
    DamagedStore. Used by one thread at a time. What is asked of it after it has ended raises, and
    disturbs nobody else's.
    """

    @property
    def generation(self) -> int:
        """The number of writes that led here; it only grows, by one with each write."""
        ...

    @property
    def identity(self) -> str:
        """Names the store itself: a derived index belongs to one identity and generation."""
        ...

    @property
    def fingerprint(self) -> str:
        """Names all that the stored chunks and vectors depend on."""
        ...

    def count(self) -> tuple[int, int]:
        """Return the numbers of documents and of chunks."""
        ...

    def characters(self) -> int:
        """Return the length of all texts together, in code points."""
        ...

    def count_containing(self, search: str) -> int:
        """Return how many documents have a text in their title or uri.

        Neither case nor the form in which Unicode writes a letter matters. The empty text is in all
        of them.
        """
        ...

    def summaries(self, *, limit: int, offset: int = 0, search: str = "") -> list[DocumentSummary]:
        """Return a page of the documents in order of their uri, by code points.

        Only those that `count_containing` counts.
        """
        ...

    def summary(self, document: str) -> DocumentSummary:
        """Return what is known of a document; raise NotFound if there is none with this id."""
        ...

    def document(self, document: str) -> Document:
        """Return a whole document, equal to what was put in every field; raise NotFound."""
        ...

    def version(self, uri: str) -> str | None:
        """Return the sha256 of the bytes of the document at a uri, None where there is none."""
        ...

    def versions(self) -> dict[str, str]:
        """Return the sha256 of each document's bytes by uri."""
        ...

    def former_versions(self, document: str) -> list[StoredVersion]:
        """Return the replaced and deleted versions of a document, oldest first.

        One that came and went within a single `put` is none.
        """
        ...

    def chunks(self, ids: Sequence[int]) -> list[Chunk]:
        """Return the chunks with these ids, in the order asked for; raise KeyError for others."""
        ...

    def remembers(self, generation: int) -> bool:
        """Tell whether all changes after a generation are known; 0 is always, where nothing was.

        A derived index of a generation that is not must be built anew. At least the last 1,000 are,
        but for those before a rechunking.
        """
        ...

    def added_since(
        self, generation: int, *, batch: int = 4096
    ) -> Iterator[tuple[list[AddedChunk], npt.NDArray[np.float32]]]:
        """Yield the chunks that came after a generation and are still there, with their vectors.

        Batches lie in order of the chunks' ids; the vectors are float32 (len(batch), dim), equal to
        those put in every bit. Only when the last one was taken is it known that none is missing.
        Raises ValueError for a generation that is not remembered.
        """
        ...

    def removed_since(self, generation: int) -> npt.NDArray[np.int64]:
        """Return the ids of chunks that were removed after a generation, ascending.

        After 0, where nothing was, there are none. Raises ValueError for a generation that is not
        remembered.
        """
        ...

    def matching(self, filters: Filters) -> list[str]:
        """Return the ids of the documents that meet the filters, ascending by code points."""
        ...

    def chunk_ids(self, documents: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return the ids of all chunks of these documents, ascending; unknown ones have none."""
        ...

    def verify(self) -> None:
        """Read all of this generation and raise DamagedStore at the first thing that is wrong."""
        ...


class Store(Protocol):
    """Documents, chunks and vectors of one collection; safe to use from several threads.

    Several processes may have the same collection open: each sees the others' writes from its next
    snapshot on, and writes of all wait for each other. A chunk's id is never given to another one.

    `fingerprint` names everything that the stored chunks and vectors depend on: embedder and
    chunking, in parts divided by "; ".

    Texts with a NUL or a lone surrogate equal nothing that is stored. Errors of the disk, the
    network or the server are StoreError, among them StoreFull and DamagedStore.
    """

    @property
    def place(self) -> str:
        """Where the collection is kept, as people are told it; without a password."""
        ...

    @property
    def fingerprint(self) -> str:
        """Names all that the stored chunks and vectors depend on."""
        ...

    @property
    def superseded(self) -> bool:
        """Whether it has to be opened anew: somebody deleted, restored or rebuilt the collection.

        That it was rebuilt is known from the first use on that was refused for it.
        """
        ...

    def close(self) -> None:
        """Let go of what is held; reads that are under way end well."""
        ...

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Hold the present generation for reading.

        Raises DamagedStore for what is not as it was written, there or when it is read; StaleIndex
        once the store was rechunked for other settings; StoreError where it cannot be read.
        """
        ...

    def put(self, documents: Iterable[NewDocument]) -> int:
        """Add documents in one transaction, replacing those with the same id.

        Returns the new generation once the documents are durable. Whatever is raised, nothing has
        changed: StoreFull without room, Conflict above the number of documents that is allowed,
        StoreError, BrokenFile by `check_storable`, ValueError for chunks and vectors that do not
        fit their document or the stored vectors, and what `documents` itself raises.
        """
        ...

    def delete(self, document: str) -> int:
        """Delete a document and return the new generation; raise NotFound if there is none.

        Nothing of it is left but its id, its bytes' sha256 and the generations it was in.
        """
        ...

    def tables(self, *, writing: bool = False) -> AbstractContextManager[tuple[Tables, Meta]]:
        """Hold the rows themselves, and the one that binds them, for reading or for `writing`.

        For who copies a store row by row. What is written need not make sense until the last of it
        is; nobody else may have that store open.
        """
        ...

    def begin_rechunking(self, fingerprint: str) -> list[str]:
        """Return the ids of the documents whose chunks of a fingerprint are still to be staged.

        What was staged of another fingerprint is dropped; the present one needs nothing staged.
        """
        ...

    def stage(self, new: Iterable[NewDocument], *, fingerprint: str, generation: int) -> None:
        """Keep other chunks of stored documents aside, made from a generation's documents.

        Documents that were replaced or deleted since are passed over. Raises StoreError where
        another fingerprint is being staged.
        """
        ...

    def publish_staged(self, fingerprint: str) -> int | None:
        """Put what was staged in the place of all chunks; return the generation that it starts.

        Returns None while documents are missing in it: those that changed since they were staged.
        From then on a store that is open with the old fingerprint refuses with StaleIndex.
        """
        ...
