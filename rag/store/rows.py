"""Rows of the store's tables: made with their checksum, verified with it."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, replace

import numpy as np
import numpy.typing as npt

from rag.chunks import Chunk
from rag.documents import Document, Page, Section
from rag.store.checksums import NOTHING, Value, added, checksum
from rag.store.records import AddedChunk, DocumentSummary, NewDocument, StoredVersion
from rag.store.tables import Row, Tables


@dataclass(frozen=True, slots=True)
class Head:
    """A row of `documents`, its columns in order.

    `metadata` is JSON. Its chunks have the ids from `first_chunk` on. `generation` brought it.
    """

    number: int
    id: str
    uri: str
    title: str
    media_type: str
    published: str | None
    sha256: str
    metadata: str
    characters: int
    generation: int
    body_sum: bytes
    first_chunk: int
    chunks: int
    chunks_sum: bytes
    checksum: bytes

    @property
    def after_chunks(self) -> int:
        """The id behind that of its last chunk."""
        return self.first_chunk + self.chunks

    def values(self) -> Row:
        """Return the row as it is stored."""
        return astuple(self)

    def with_chunks(self, *, first: int, count: int, total: bytes) -> "Head":
        """Return the head with other chunks."""
        other = replace(self, first_chunk=first, chunks=count, chunks_sum=total)
        return replace(other, checksum=checksum(other.values()[:-1]))

    def summary(self) -> DocumentSummary:
        """Return what the world outside is told of it."""
        return DocumentSummary(
            id=self.id,
            uri=self.uri,
            title=self.title,
            media_type=self.media_type,
            published=self.published,
            sha256=self.sha256,
            metadata=json.loads(self.metadata),
            characters=self.characters,
            chunks=self.chunks,
        )


def sealed(values: tuple[Value, ...]) -> Row:
    """Return a row with its checksum behind."""
    return (*values, checksum(values))


def verified(tables: Tables, row: Row, *, what: str) -> Row:
    """Return a row without its checksum; raise DamagedStore if that is another row's."""
    if row[-1] != checksum(row[:-1]):
        raise tables.damaged(f"{what} is not as it was written")
    return row[:-1]


def heads(
    tables: Tables,
    condition: str = "TRUE",
    values: tuple[Value, ...] = (),
    *,
    order: str = "",
    limit: int | None = None,
    offset: int = 0,
) -> Iterator[Head]:
    """Yield rows of `documents`, verified."""
    for row in tables.select(
        "documents", condition, values, order=order, limit=limit, offset=offset
    ):
        verified(tables, row, what=f"what is known of the document {row[1]!r}")
        yield Head(*row)


def new_head(document: Document, *, number: int, generation: int, rows: Sequence[Row]) -> Head:
    """Return the head of a document that comes with these rows of chunks, of which it has some."""
    values = (
        number,
        document.id,
        document.uri,
        document.title,
        document.media_type,
        document.published,
        document.sha256,
        json.dumps(dict(document.metadata), sort_keys=True),
        len(document.text),
        generation,
        checksum(body_row(document)),
        rows[0][0] if rows else 0,
        len(rows),
        added(NOTHING, (row[-1] for row in rows)),
    )
    return Head(*values, checksum(values))


def body_row(document: Document) -> tuple[str, str, str]:
    """Return the columns of `bodies` after the number; their checksum stands in the head."""
    return (
        json.dumps([(s.start, s.end, s.path) for s in document.sections]),
        json.dumps([(p.start, p.end, p.number) for p in document.pages]),
        document.text,
    )


def stored_document(tables: Tables, head: Head) -> Document:
    """Return the document of a head, its body verified."""
    row = next(iter(list(tables.select("bodies", "number = ?", (head.number,)))), None)
    if row is None or checksum(row[1:]) != head.body_sum:
        raise tables.damaged(f"the text of {head.uri!r} is missing or altered")
    _, sections, pages, text = row
    summary = head.summary()
    return Document(
        id=summary.id,
        uri=summary.uri,
        title=summary.title,
        media_type=summary.media_type,
        text=text,
        sha256=summary.sha256,
        published=summary.published,
        sections=tuple(
            Section(start=start, end=end, path=tuple(path))
            for start, end, path in json.loads(sections)
        ),
        pages=tuple(
            Page(start=start, end=end, number=number) for start, end, number in json.loads(pages)
        ),
        metadata=summary.metadata,
    )


def chunk_rows(new: NewDocument, *, first: int) -> list[Row]:
    """Return the rows of a document's chunks, numbered from `first` on."""
    pairs = zip(new.chunks, new.vectors, strict=True)
    return [
        sealed(
            (
                id_,
                new.document.id,
                chunk.start,
                chunk.end,
                chunk.page,
                chunk.tokens,
                json.dumps(chunk.section),
                chunk.text,
                np.ascontiguousarray(vector, dtype="<f4").tobytes(),
            )
        )
        for id_, (chunk, vector) in enumerate(pairs, start=first)
    ]


def verified_chunks(
    tables: Tables,
    condition: str = "TRUE",
    values: tuple[Value, ...] = (),
    *,
    order: str = "",
    table: str = "chunks",
    streamed: bool = False,
) -> Iterator[Row]:
    """Yield rows of chunks, verified and with their checksum."""
    for row in tables.select(table, condition, values, order=order, streamed=streamed):
        verified(tables, row, what=f"the passage {row[0]}")
        yield row


def chunk(row: Row) -> Chunk:
    """Return the chunk of a row of `chunks`."""
    return Chunk(
        id=row[0],
        document=row[1],
        start=row[2],
        end=row[3],
        page=row[4],
        tokens=row[5],
        section=tuple(json.loads(row[6])),
        text=row[7],
    )


def added_chunk(row: Row, *, title: str) -> AddedChunk:
    """Return what a derived index needs of a row of `chunks`."""
    return AddedChunk(
        id=row[0], document=row[1], title=title, section=tuple(json.loads(row[6])), text=row[7]
    )


def vectors(rows: Iterable[Row]) -> npt.NDArray[np.float32]:
    """Return the vectors of rows of `chunks`, float32 (n, dim)."""
    blobs = [row[8] for row in rows]
    flat = np.frombuffer(b"".join(blobs), dtype="<f4").astype(np.float32, copy=False)
    return flat.reshape(len(blobs), -1)


def versions(
    tables: Tables, condition: str = "TRUE", values: tuple[Value, ...] = ()
) -> Iterator[tuple[StoredVersion, bytes]]:
    """Yield rows of `versions`, verified, each with its checksum."""
    for row in tables.select("versions", condition, values):
        document, sha256, since, until = verified(
            tables, row, what=f"a former version of the document {row[0]!r}"
        )
        version = StoredVersion(document=document, sha256=sha256, since=since, until=until)
        yield version, row[-1]
