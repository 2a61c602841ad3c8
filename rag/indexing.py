"""The write path: documents are chunked, embedded and stored, a group in one transaction."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from rag.chunks import Chunk
from rag.documents import Document
from rag.errors import SourceError
from rag.preparing import cut, read_file, reason_of
from rag.store import NewDocument, Store

# What is embedded at once and stored in one transaction; the document that fills a group is whole.
CHUNKS_A_GROUP: Final = 256

Status = Literal["added", "replaced", "unchanged"]
Item = TypeVar("Item")
Result = TypeVar("Result")


class PassageEmbedder(Protocol):
    """The part of an embedder that indexing needs."""

    def embed_passages(self, texts: list[str]) -> npt.NDArray[np.float32]:
        """Return unit rows, float32 (len(texts), dim), in the order given."""
        ...


class Parser(Protocol):
    """The part of a parser of files that indexing needs."""

    @property
    def largest(self) -> int:
        """The size in bytes above which a file is refused unread."""
        ...

    def read(self, data: bytes, *, name: str, uri: str) -> list[Document]:
        """Return the documents of the file `name`; raise SourceError, from any thread."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file to take in, and the uri under which its documents are known."""

    path: Path
    uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchanged:
    """A file whose bytes are stored already, or one of its documents."""

    file: File


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A file that was not taken in, and why."""

    file: File
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexed:
    """What became of one document; `generation` is the one from which on that holds."""

    document: Document
    status: Status
    chunks: int
    generation: int


class Indexer:
    """Puts documents into a store.

    Documents are embedded in groups, since an embedder is fastest on many passages at once, and a
    group is one transaction: after a kill whatever was reported is there and the rest is not.
    `parser` reads files, `chunk` cuts a document, `passage` gives the text that a chunk is embedded
    as.
    """

    def __init__(
        self,
        store: Store,
        *,
        embedder: PassageEmbedder,
        parser: Parser,
        chunk: Callable[[Document], list[Chunk]],
        passage: Callable[[Document, Chunk], str],
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._parser = parser
        self._chunk = chunk
        self._passage = passage

    def add(self, documents: Iterable[Document]) -> Iterator[Indexed]:
        """Store documents as they come and yield what became of each, once it is on disk.

        A document whose bytes are already stored under its uri is left alone. Raises NoText for a
        document without a chunk and BrokenFile for one that cannot be stored; what was yielded
        before stays.
        """
        with self._store.snapshot() as snapshot:
            versions = snapshot.versions()
            generation = snapshot.generation
        pairs = ((document, self._cut(document, versions)) for document in documents)
        yield from self._add(pairs, versions, generation)

    def add_together(
        self, documents: Iterable[Document], *, progress: Callable[[int, int], None] | None = None
    ) -> list[Indexed]:
        """Store documents in one transaction and return what became of each.

        No reader sees a part of them, and whatever is raised, none is stored. They are embedded in
        groups, between which others have their turn at the embedder; `progress` is told before each
        how many of how many chunks are done, and what it raises ends all. Raises as `add` does.
        """
        new: list[tuple[Document, list[Chunk]]] = []
        statuses: list[tuple[Document, Status, int]] = []
        versions: dict[str, str] = {}
        with self._store.snapshot() as snapshot:
            generation = snapshot.generation
            for document in documents:
                if document.uri not in versions and (stored := snapshot.version(document.uri)):
                    versions[document.uri] = stored
                chunks = self._cut(document, versions)
                status: Status = "replaced" if document.uri in versions else "added"
                statuses.append((document, status if chunks else "unchanged", len(chunks)))
                if chunks:
                    new.append((document, chunks))
                    versions[document.uri] = document.sha256
        if new:
            rows = self._embed(new, progress)
            generation = self._store.put(_with_vectors(new, rows))
        return [
            Indexed(document=document, status=status, chunks=chunks, generation=generation)
            for document, status, chunks in statuses
        ]

    def add_files(self, files: Iterable[File]) -> Iterator[Indexed | Unchanged | Failed]:
        """Read and store files, yielding what became of each document, or of the file.

        A file that cannot be read is reported and the others go in. One whose bytes are stored
        already is not even parsed, so that an ingest that was killed goes on where it was. While
        the documents of one file are embedded and stored, the next file is read.
        """
        with self._store.snapshot() as snapshot:
            versions = snapshot.versions()
            generation = snapshot.generation
        aside: list[Unchanged | Failed] = []

        def read_and_cut() -> Iterator[tuple[Document, list[Chunk]]]:
            for file, reading in _one_ahead(lambda file: self._read(file, versions), files):
                try:
                    documents = reading.result()
                    if documents is None:
                        aside.append(Unchanged(file=file))
                        continue
                    for document in documents:
                        yield document, self._cut(document, versions)
                except (SourceError, OSError) as error:
                    aside.append(Failed(file=file, reason=reason_of(error)))

        for indexed in self._add(read_and_cut(), versions, generation):
            yield from aside
            aside.clear()
            yield indexed
        yield from aside

    def _read(self, file: File, versions: Mapping[str, str]) -> list[Document] | None:
        """Return the file's documents, None where its bytes are stored already."""
        data = read_file(file.path, largest=self._parser.largest)
        if versions.get(file.uri) == hashlib.sha256(data).hexdigest():
            return None
        return self._parser.read(data, name=file.path.name, uri=file.uri)

    def _cut(self, document: Document, versions: Mapping[str, str]) -> list[Chunk]:
        return cut(document, versions, chunk=self._chunk)

    def _add(
        self,
        documents: Iterable[tuple[Document, list[Chunk]]],
        versions: dict[str, str],
        generation: int,
    ) -> Iterator[Indexed]:
        group: list[tuple[Document, list[Chunk]]] = []
        size = 0
        for document, chunks in documents:
            if not chunks:
                yield Indexed(
                    document=document, status="unchanged", chunks=0, generation=generation
                )
                continue
            group.append((document, chunks))
            size += len(chunks)
            if size >= CHUNKS_A_GROUP:
                yield from self._flush(group, versions)
                group, size = [], 0
        if group:
            yield from self._flush(group, versions)

    def _embed(
        self,
        new: list[tuple[Document, list[Chunk]]],
        progress: Callable[[int, int], None] | None,
    ) -> npt.NDArray[np.float32]:
        pairs = [(document, chunk) for document, chunks in new for chunk in chunks]
        rows = []
        for first in range(0, len(pairs), CHUNKS_A_GROUP):
            if progress is not None:
                progress(first, len(pairs))
            group = pairs[first : first + CHUNKS_A_GROUP]
            rows.append(self._embedder.embed_passages([self._passage(*pair) for pair in group]))
        return np.concatenate(rows)

    def _flush(
        self, group: list[tuple[Document, list[Chunk]]], versions: dict[str, str]
    ) -> list[Indexed]:
        vectors = self._embedder.embed_passages(
            [self._passage(document, chunk) for document, chunks in group for chunk in chunks]
        )
        generation = self._store.put(_with_vectors(group, vectors))
        done: list[Indexed] = []
        for document, chunks in group:
            status: Status = "replaced" if document.uri in versions else "added"
            versions[document.uri] = document.sha256
            done.append(
                Indexed(document=document, status=status, chunks=len(chunks), generation=generation)
            )
        return done


def _with_vectors(
    group: Iterable[tuple[Document, list[Chunk]]], vectors: npt.NDArray[np.float32]
) -> Iterator[NewDocument]:
    """Yield documents with their rows of the vectors of all."""
    row = 0
    for document, chunks in group:
        rows = vectors[row : row + len(chunks)]
        yield NewDocument(document=document, chunks=chunks, vectors=rows)
        row += len(chunks)


def _one_ahead(
    call: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[tuple[Item, Future[Result]]]:
    """Yield each item and its call, which runs in a thread while the item before is worked on."""
    with ThreadPoolExecutor(1, thread_name_prefix="reading ahead") as thread:
        waiting: tuple[Item, Future[Result]] | None = None
        for item in items:
            following = item, thread.submit(call, item)
            if waiting is not None:
                yield waiting
            waiting = following
        if waiting is not None:
            yield waiting
