"""A load of writes of which each is known from its number alone, and what must come of it."""

import hashlib
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from rag.documents import Document, document_id
from rag.errors import NotFound
from rag.store import NewDocument, Snapshot, Store
from tests.fakes import chunk_lines, make_document

DIM: Final = 16
URIS: Final = tuple(f"file:{n}" for n in range(24))

Texts: TypeAlias = dict[str, str]
"""The text of each document by its uri: all that a store of these documents holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Documents to put in one write, or one to delete where there are none."""

    texts: Texts
    deleted: str


class ExactEmbedder:
    """Embeds each text as a vector that no other text is near to."""

    def embed_passages(self, texts: Iterable[str]) -> npt.NDArray[np.float32]:
        """Return unit rows, float32 (texts, DIM)."""
        return np.array([self.embed_question(text) for text in texts], np.float32).reshape(-1, DIM)

    def embed_question(self, text: str) -> npt.NDArray[np.float32]:
        """Return one unit vector, float32 (DIM,)."""
        digest = hashlib.shake_256(text.encode()).digest(2 * DIM)
        row = np.frombuffer(digest, dtype="<i2").astype(np.float64)
        return (row / np.linalg.norm(row)).astype(np.float32)


def operation(number: int) -> Operation:
    """Return the operation of a number: a put of one document or several, or a delete."""
    rng = random.Random(number)
    if rng.random() < 0.3:
        return Operation(texts={}, deleted=rng.choice(URIS))
    uris = rng.sample(URIS, rng.choice((1, 1, 2, 5)))
    lines = rng.choice((3, 12, 12, 60))
    return Operation(texts={uri: text(uri, turn=number, lines=lines) for uri in uris}, deleted="")


def text(uri: str, *, turn: int, lines: int) -> str:
    """Return a text of which each line holds a word of its own, and the turn."""
    return "\n".join(f"{word(uri, turn=turn, line=n)} of turn{turn} in {uri}" for n in range(lines))


def word(uri: str, *, turn: int, line: int) -> str:
    """Return the word that no other line of any turn holds."""
    return f"w{turn}x{URIS.index(uri)}x{line}"


def apply(texts: Texts, done: Operation) -> Texts:
    """Return what a store holds after an operation."""
    return {uri: t for uri, t in (texts | done.texts).items() if uri != done.deleted}


def write(store: Store, wanted: Operation) -> int | None:
    """Do an operation; return the generation, None for a deletion of what is not there."""
    if wanted.texts:
        return store.put(prepared(wanted.texts))
    try:
        return store.delete(document_id(wanted.deleted))
    except NotFound:
        return None


def prepared(texts: Texts) -> Iterator[NewDocument]:
    """Return documents as the store takes them, a chunk a line."""
    for uri, content in texts.items():
        document = make_document(content, uri=uri, title="")
        chunks = chunk_lines(document)
        vectors = ExactEmbedder().embed_passages(chunk.text for chunk in chunks)
        yield NewDocument(document=document, chunks=chunks, vectors=vectors)


def held(snapshot: Snapshot) -> Texts:
    """Return what a snapshot holds, every document, passage and vector read and compared."""
    snapshot.verify()
    documents = [snapshot.document(s.id) for s in snapshot.summaries(limit=1000)]
    expected = [_passages(document) for document in documents]
    ids = [snapshot.chunk_ids([document.id]).tolist() for document in documents]
    found = {
        chunk.id: (chunk.text, row.tobytes())
        for chunks, rows in snapshot.added_since(0)
        for chunk, row in zip(chunks, rows, strict=True)
    }
    assert [[found.pop(id_) for id_ in some] for some in ids] == expected
    assert not found
    assert snapshot.count() == (len(documents), sum(map(len, expected)))
    return {document.uri: document.text for document in documents}


def _passages(document: Document) -> list[tuple[str, bytes]]:
    lines = document.text.splitlines()
    rows = ExactEmbedder().embed_passages(lines)
    return [(line, row.tobytes()) for line, row in zip(lines, rows, strict=True)]
