"""The write path: documents are chunked, embedded and stored, a group in one transaction."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from rag.chunks import Chunk
from rag.documents import Document
from rag.errors import NoText, SourceError
from rag.sources import read_bytes
from rag.store import NewDocument, Store, check_storable

_CHUNKS_A_GROUP = 256

Status = Literal["added", "replaced", "unchanged"]


class PassageEmbedder(Protocol):
    """The part of an embedder that indexing needs."""

    def embed_passages(self, texts: list[str]) -> npt.NDArray[np.float32]:
        """Return unit rows, float32 (len(texts), dim), in the order given."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file to take in, and the uri under which its documents are known."""

    path: Path
    uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchanged:
    """A file whose bytes are stored already."""

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
    `chunk` cuts a document, `passage` gives the text that a chunk is embedded as.
    """

    def __init__(
        self,
        store: Store,
        *,
        embedder: PassageEmbedder,
        chunk: Callable[[Document], list[Chunk]],
        passage: Callable[[Document, Chunk], str],
    ) -> None:
        self._store = store
        self._embedder = embedder
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
        cut = ((document, self._cut(document, versions)) for document in documents)
        yield from self._add(cut, versions, generation)

    def add_files(self, files: Iterable[File]) -> Iterator[Indexed | Unchanged | Failed]:
        """Read and store files, yielding what became of each document, or of the file.

        A file that cannot be read is reported and the others go in. One whose bytes are stored
        already is not even parsed, so that an ingest that was killed goes on where it was.
        """
        with self._store.snapshot() as snapshot:
            versions = snapshot.versions()
            generation = snapshot.generation
        aside: list[Unchanged | Failed] = []

        def cut() -> Iterator[tuple[Document, list[Chunk]]]:
            for file in files:
                try:
                    data = file.path.read_bytes()
                    if versions.get(file.uri) == hashlib.sha256(data).hexdigest():
                        aside.append(Unchanged(file=file))
                        continue
                    for document in read_bytes(data, name=file.path.name, uri=file.uri):
                        yield document, self._cut(document, versions)
                except SourceError as error:
                    aside.append(Failed(file=file, reason=str(error)))
                except OSError as error:
                    reason = f"the file cannot be read ({error.strerror}): check its permissions"
                    aside.append(Failed(file=file, reason=reason))

        for indexed in self._add(cut(), versions, generation):
            yield from aside
            aside.clear()
            yield indexed
        yield from aside

    def _cut(self, document: Document, versions: Mapping[str, str]) -> list[Chunk]:
        """Return the document's chunks, none where its bytes are stored already."""
        if versions.get(document.uri) == document.sha256:
            return []
        check_storable(document)
        chunks = self._chunk(document)
        if not chunks:
            raise NoText(f"{document.uri} holds nothing but white space.")
        return chunks

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
            if size >= _CHUNKS_A_GROUP:
                yield from self._flush(group, versions)
                group, size = [], 0
        if group:
            yield from self._flush(group, versions)

    def _flush(
        self, group: list[tuple[Document, list[Chunk]]], versions: dict[str, str]
    ) -> list[Indexed]:
        vectors = self._embedder.embed_passages(
            [self._passage(document, chunk) for document, chunks in group for chunk in chunks]
        )
        new, row = [], 0
        for document, chunks in group:
            new.append(
                NewDocument(
                    document=document, chunks=chunks, vectors=vectors[row : row + len(chunks)]
                )
            )
            row += len(chunks)
        generation = self._store.put(new)
        done: list[Indexed] = []
        for document, chunks in group:
            status: Status = "replaced" if document.uri in versions else "added"
            versions[document.uri] = document.sha256
            done.append(
                Indexed(document=document, status=status, chunks=len(chunks), generation=generation)
            )
        return done
