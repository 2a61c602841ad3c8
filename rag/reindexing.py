"""Brings an index up to other settings, from the texts that it holds: no file is read again."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rag.chunks import Chunk
from rag.documents import Document
from rag.errors import NotFound
from rag.indexing import PassageEmbedder
from rag.store import NewDocument, Store

_CHUNKS_A_GROUP = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How many of the documents are done; `generation` is the new one, once it is in force."""

    done: int
    total: int
    generation: int | None


def reindex(
    store: Store,
    *,
    fingerprint: str,
    embedder: PassageEmbedder,
    chunk: Callable[[Document], list[Chunk]],
    passage: Callable[[Document, Chunk], str],
) -> Iterator[Progress]:
    """Cut and embed all documents again and then put the new chunks in force in one step.

    What was done is kept, so a run that was stopped goes on where it was. Until the step others
    read and write the old chunks; documents that they change meanwhile are done again. Yields the
    progress after each group of documents, and at last the generation; nothing where the index is
    up to the settings already.
    """
    remaining = store.begin_rechunking(fingerprint)
    if store.fingerprint == fingerprint:
        return
    generation = None
    while generation is None:
        with store.snapshot() as snapshot:
            total = snapshot.count()[0]
        yield Progress(done=max(0, total - len(remaining)), total=total, generation=None)
        for done in _stage(
            store,
            remaining,
            fingerprint=fingerprint,
            embedder=embedder,
            chunk=chunk,
            passage=passage,
        ):
            left = len(remaining) - done
            yield Progress(done=max(0, total - left), total=total, generation=None)
        generation = store.publish_staged(fingerprint)
        remaining = [] if generation else store.begin_rechunking(fingerprint)
    yield Progress(done=total, total=total, generation=generation)


def _stage(
    store: Store,
    documents: Sequence[str],
    *,
    fingerprint: str,
    embedder: PassageEmbedder,
    chunk: Callable[[Document], list[Chunk]],
    passage: Callable[[Document, Chunk], str],
) -> Iterator[int]:
    """Stage documents in groups and yield how many were."""
    done = 0
    while done < len(documents):
        group: list[tuple[Document, list[Chunk]]] = []
        with store.snapshot() as snapshot:
            generation = snapshot.generation
            while done < len(documents) and sum(len(c) for _, c in group) < _CHUNKS_A_GROUP:
                try:
                    document = snapshot.document(documents[done])
                except NotFound:  # deleted meanwhile
                    continue
                finally:
                    done += 1
                group.append((document, chunk(document)))
        if not group:
            return
        texts = [passage(document, c) for document, chunks in group for c in chunks]
        rows = embedder.embed_passages(texts)
        ends = np.cumsum([len(chunks) for _, chunks in group])[:-1]
        store.stage(
            [
                NewDocument(document=document, chunks=chunks, vectors=vectors)
                for (document, chunks), vectors in zip(group, np.split(rows, ends), strict=True)
            ],
            fingerprint=fingerprint,
            generation=generation,
        )
        yield done
