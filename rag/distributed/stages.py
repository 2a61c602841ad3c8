"""What workers do with rows: files are loaded, cut into chunks, and these embedded.

The stages do what `rag.indexing.Indexer` does in one process, with the same functions, so that the
same is stored. A row that is none of a stage's business passes through it.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from rag.chunks import Chunk
from rag.distributed.rows import Cut, Embedded, Given, Loaded, Refused, Row, Stored
from rag.documents import Document
from rag.errors import SourceError
from rag.indexing import Parser, PassageEmbedder
from rag.preparing import cut, read_file, reason_of
from rag.sources.limits import Limits


def load(rows: Iterable[Row], *, limits: Limits) -> Iterator[Row]:
    """Load files; of those that are stored already, and those too large to be parsed, no byte."""
    for row in rows:
        yield _load(row, limits=limits) if isinstance(row, Given) else row


def cut_documents(
    rows: Iterable[Row], *, parser: Parser, chunk: Callable[[Document], list[Chunk]]
) -> Iterator[Row]:
    """Parse files and cut their documents into chunks."""
    for row in rows:
        if isinstance(row, Loaded):
            yield from _cut(row, parser=parser, chunk=chunk)
        else:
            yield row


def embed(
    rows: Iterable[Row],
    *,
    embedder: PassageEmbedder,
    passage: Callable[[Document, Chunk], str],
) -> Iterator[Row]:
    """Embed the chunks of all documents at once, as an embedder is fastest."""
    held = list(rows)
    texts = [
        passage(row.document, chunk) for row in held if isinstance(row, Cut) for chunk in row.chunks
    ]
    vectors = embedder.embed_passages(texts).astype("<f4", copy=False) if texts else None
    first = 0
    for row in held:
        if isinstance(row, Cut) and vectors is not None:
            last = first + len(row.chunks)
            yield Embedded(
                number=row.number,
                document=row.document,
                chunks=row.chunks,
                vectors=np.ascontiguousarray(vectors[first:last]).tobytes(),
            )
            first = last
        else:
            yield row


def _load(given: Given, *, limits: Limits) -> Row:
    path = Path(os.fsdecode(given.path))
    try:
        data = read_file(path, largest=limits.memory)
    except OSError as error:
        return _refused(given.number, error)
    if len(data) > limits.memory:
        return _refused(given.number, limits.too_large())
    if given.versions.get(given.uri) == hashlib.sha256(data).hexdigest():
        return Stored(number=given.number)
    return Loaded(
        number=given.number,
        name=os.fsencode(path.name),
        uri=given.uri,
        versions=given.versions,
        data=data,
    )


def _cut(
    loaded: Loaded, *, parser: Parser, chunk: Callable[[Document], list[Chunk]]
) -> Iterator[Row]:
    number = loaded.number
    try:
        documents = parser.read(loaded.data, name=os.fsdecode(loaded.name), uri=loaded.uri)
        for document in documents:
            chunks = cut(document, loaded.versions, chunk=chunk)
            if chunks:
                yield Cut(number=number, document=document, chunks=chunks)
            else:
                yield Stored(number=number)
    except SourceError as error:
        yield _refused(number, error)


def _refused(number: int, error: SourceError | OSError) -> Refused:
    # A name with bytes that are not UTF-8 may be part of the reason.
    reason = reason_of(error).encode("utf-8", "backslashreplace").decode()
    return Refused(number=number, reason=reason)
