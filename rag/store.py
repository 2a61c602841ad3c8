"""The store of one collection: documents, chunks and vectors in one SQLite file, the only truth.

Every write is one transaction with `synchronous=FULL` and starts a new generation. Whatever else
helps to search (vector index, lexical index) is derived from here: each chunk carries the
generation that brought it and each removal the generation that made it, so a derived index knows
what it lacks from its own generation alone.
"""

import json
import queue
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import apsw
import numpy as np
import numpy.typing as npt

from rag.chunks import Chunk
from rag.documents import Document, Page, Section
from rag.errors import BrokenFile, NotFound, StaleIndex, StoreError

_FORMAT: Final = 1
_BUSY_TIMEOUT_MS: Final = 30_000
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")

_SCHEMA: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE documents (
    id TEXT PRIMARY KEY,
    uri TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    media_type TEXT NOT NULL,
    published TEXT,
    sha256 TEXT NOT NULL,
    sections TEXT NOT NULL,
    pages TEXT NOT NULL,
    metadata TEXT NOT NULL,
    characters INTEGER NOT NULL,
    chunks INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    text TEXT NOT NULL
) STRICT;
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    document TEXT NOT NULL REFERENCES documents (id),
    start_ INTEGER NOT NULL,
    end_ INTEGER NOT NULL,
    page INTEGER,
    tokens INTEGER NOT NULL,
    section TEXT NOT NULL,
    generation INTEGER NOT NULL,
    text TEXT NOT NULL,
    vector BLOB NOT NULL
) STRICT;
CREATE INDEX chunks_by_document ON chunks (document);
CREATE INDEX chunks_by_generation ON chunks (generation);
CREATE TABLE removals (
    generation INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL
) STRICT;
CREATE INDEX removals_by_generation ON removals (generation);
"""

_SUMMARY_COLUMNS: Final = (
    "id, uri, title, media_type, published, sha256, metadata, characters, chunks"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentSummary:
    """What the store knows of a document besides its text; `characters` are code points."""

    id: str
    uri: str
    title: str
    media_type: str
    published: str | None
    sha256: str
    metadata: dict[str, str]
    characters: int
    chunks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Conditions on documents, all of which must hold; None means no condition.

    `published_from` and `published_to` are ISO 8601 dates, both included; a document without a
    date meets neither. `metadata` gives keys and the exact values they must have.
    """

    documents: tuple[str, ...] | None = None
    media_types: tuple[str, ...] | None = None
    published_from: str | None = None
    published_to: str | None = None
    metadata: tuple[tuple[str, str], ...] = ()

    @property
    def empty(self) -> bool:
        """Whether every document passes."""
        return self == Filters()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDocument:
    """A document ready to be stored: its chunks in order and their vectors, float32 (n, dim)."""

    document: Document
    chunks: Sequence[Chunk]
    vectors: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedChunk:
    """What a derived index needs of a chunk; `title` is that of its document."""

    id: int
    document: str
    title: str
    section: tuple[str, ...]
    text: str


class Snapshot:
    """One generation of the store, unchanged while it is held, whatever others write."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self.generation: Final[int] = _generation(connection)

    def count(self) -> tuple[int, int]:
        """Return the numbers of documents and of chunks."""
        row = self._connection.execute(
            "SELECT count(*), coalesce(sum(chunks), 0) FROM documents"
        ).get
        return row[0], row[1]

    def summaries(self, *, limit: int, offset: int = 0) -> list[DocumentSummary]:
        """Return a page of the documents in order of their uri."""
        rows = self._connection.execute(
            f"SELECT {_SUMMARY_COLUMNS} FROM documents ORDER BY uri LIMIT ? OFFSET ?",  # noqa: S608
            (limit, offset),
        )
        return [_summary(row) for row in rows]

    def summary(self, document: str) -> DocumentSummary:
        """Return what is known of a document; raise NotFound if there is none with this id."""
        row = self._connection.execute(
            f"SELECT {_SUMMARY_COLUMNS} FROM documents WHERE id = ?",  # noqa: S608
            (_bindable(document),),
        ).fetchone()
        if row is None:
            raise NotFound(f"No document has the id {document!r}. List them to see which exist.")
        return _summary(row)

    def document(self, document: str) -> Document:
        """Return a whole document; raise NotFound if there is none with this id."""
        summary = self.summary(document)
        sections, pages, text = self._connection.execute(
            "SELECT sections, pages, text FROM documents WHERE id = ?", (document,)
        ).get
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
                Page(start=start, end=end, number=number)
                for start, end, number in json.loads(pages)
            ),
            metadata=summary.metadata,
        )

    def versions(self) -> dict[str, str]:
        """Return the sha256 of each document's bytes by uri."""
        return dict(self._connection.execute("SELECT uri, sha256 FROM documents"))

    def chunks(self, ids: Sequence[int]) -> list[Chunk]:
        """Return the chunks with these ids, in the order asked for; raise KeyError for others."""
        rows = self._connection.execute(
            "SELECT id, document, start_, end_, page, tokens, section, text FROM chunks "
            "WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps([int(id_) for id_ in ids]),),
        )
        found = {
            row[0]: Chunk(
                id=row[0],
                document=row[1],
                start=row[2],
                end=row[3],
                page=row[4],
                tokens=row[5],
                section=tuple(json.loads(row[6])),
                text=row[7],
            )
            for row in rows
        }
        return [found[id_] for id_ in ids]

    def added_since(
        self, generation: int, *, batch: int = 4096
    ) -> Iterator[tuple[list[AddedChunk], npt.NDArray[np.float32]]]:
        """Yield the chunks that came after a generation and are still there, with their vectors.

        Batches lie in order of the chunks' ids; the vectors are float32 (len(batch), dim).
        """
        cursor = self._connection.execute(
            "SELECT c.id, c.document, d.title, c.section, c.text, c.vector FROM chunks AS c "
            "JOIN documents AS d ON d.id = c.document WHERE c.generation > ? ORDER BY c.id",
            (generation,),
        )
        while rows := list(islice(cursor, batch)):
            vectors = np.frombuffer(b"".join(row[5] for row in rows), dtype="<f4")
            yield (
                [
                    AddedChunk(
                        id=row[0],
                        document=row[1],
                        title=row[2],
                        section=tuple(json.loads(row[3])),
                        text=row[4],
                    )
                    for row in rows
                ],
                vectors.reshape(len(rows), -1).astype(np.float32, copy=False),
            )

    def removed_since(self, generation: int) -> npt.NDArray[np.int64]:
        """Return the ids of chunks that were removed after a generation, ascending."""
        ranges = self._connection.execute(
            "SELECT first, last FROM removals WHERE generation > ? ORDER BY first", (generation,)
        )
        parts = [np.arange(first, last + 1, dtype=np.int64) for first, last in ranges]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)

    def damaged(self) -> list[str]:
        """Return the uris of documents that have a chunk which is no slice of their text."""
        rows = self._connection.execute(
            "SELECT DISTINCT d.uri FROM chunks AS c JOIN documents AS d ON d.id = c.document "
            "WHERE substr(d.text, c.start_ + 1, c.end_ - c.start_) <> c.text ORDER BY d.uri"
        )
        return [row[0] for row in rows]

    def matching(self, filters: Filters) -> list[str]:
        """Return the ids of the documents that meet the filters, ascending."""
        conditions: list[str] = ["TRUE"]
        values: list[str | None] = []
        if filters.documents is not None:
            conditions.append("id IN (SELECT value FROM json_each(?))")
            values.append(_json_list(filters.documents))
        if filters.media_types is not None:
            conditions.append("media_type IN (SELECT value FROM json_each(?))")
            values.append(_json_list(filters.media_types))
        if filters.published_from is not None:
            conditions.append("published >= ?")
            values.append(_bindable(filters.published_from))
        if filters.published_to is not None:
            conditions.append("published <= ?")
            values.append(_bindable(filters.published_to))
        for key, value in filters.metadata:
            conditions.append(
                "EXISTS (SELECT 1 FROM json_each(metadata) AS m WHERE m.key = ? AND m.value = ?)"
            )
            values += [_bindable(key), _bindable(value)]
        query = f"SELECT id FROM documents WHERE {' AND '.join(conditions)} ORDER BY id"  # noqa: S608
        return [row[0] for row in self._connection.execute(query, tuple(values))]

    def chunk_ids(self, documents: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return the ids of all chunks of these documents, ascending."""
        rows = self._connection.execute(
            "SELECT id FROM chunks WHERE document IN (SELECT value FROM json_each(?)) ORDER BY id",
            (_json_list(documents),),
        )
        return np.fromiter((row[0] for row in rows), dtype=np.int64)


class Store:
    """Documents, chunks and vectors of one collection; safe to use from several threads.

    `fingerprint` names everything that the stored chunks and vectors depend on: embedder and
    chunking. A store that was written under another fingerprint is refused with StaleIndex.
    """

    def __init__(self, directory: Path, *, fingerprint: str) -> None:
        self.path: Final = directory / "store.sqlite"
        self._idle: queue.SimpleQueue[apsw.Connection] = queue.SimpleQueue()
        self._write_lock = threading.Lock()
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._writer = self._connect()
            try:
                self._prepare(fingerprint)
            except BaseException:
                self._writer.close()
                raise
        except (apsw.Error, OSError) as error:
            raise StoreError(
                f"The index at {self.path} cannot be opened: {error}. Check the directory's "
                "permissions and free space; if the file is damaged, move it away and ingest again."
            ) from error

    def close(self) -> None:
        """Close every connection that is not in use."""
        self._writer.close()
        while not self._idle.empty():
            self._idle.get().close()

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Hold one generation for reading."""
        try:
            try:
                connection = self._idle.get_nowait()
            except queue.Empty:
                connection = self._connect()
            try:
                connection.execute("BEGIN")
                yield Snapshot(connection)
            finally:
                self._give_back(connection)
        except apsw.Error as error:
            raise StoreError(f"The index at {self.path} cannot be read: {error}.") from error

    def put(self, documents: Iterable[NewDocument]) -> int:
        """Add documents in one transaction, replacing those with the same id.

        Returns the new generation once the documents are on disk. Whatever is raised, nothing has
        changed: StoreError by the disk, BrokenFile by `check_storable`, ValueError for chunks and
        vectors that do not fit their document or the stored vectors.
        """
        with self._transaction() as (connection, generation):
            for new in documents:
                _delete(connection, new.document.id, generation)
                _insert(connection, new, generation)
        return generation

    def delete(self, document: str) -> int:
        """Delete a document and return the new generation; raise NotFound if there is none."""
        with self._transaction() as (connection, generation):
            if not _delete(connection, document, generation):
                raise NotFound(
                    f"No document has the id {document!r}. List them to see which exist."
                )
        return generation

    @contextmanager
    def _transaction(self) -> Iterator[tuple[apsw.Connection, int]]:
        with self._write_lock:
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                try:
                    generation = _generation(self._writer) + 1
                    yield self._writer, generation
                    self._writer.execute(
                        "UPDATE meta SET value = ? WHERE key = 'generation'", (str(generation),)
                    )
                    self._writer.execute("COMMIT")
                except BaseException:
                    if self._writer.in_transaction:
                        self._writer.execute("ROLLBACK")
                    raise
            except apsw.Error as error:
                raise StoreError(
                    f"The index at {self.path} was not changed: {error}. Check free space and "
                    "permissions, then try again."
                ) from error

    def _give_back(self, connection: apsw.Connection) -> None:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        # A rollback leaves half-read statements running, and with them the old generation.
        if connection.txn_state() == apsw.SQLITE_TXN_NONE:
            self._idle.put(connection)
        else:
            connection.close()

    def _connect(self) -> apsw.Connection:
        connection = apsw.Connection(str(self.path))
        connection.set_busy_timeout(_BUSY_TIMEOUT_MS)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    def _prepare(self, fingerprint: str) -> None:
        with self._transaction_for_schema():
            tables = self._writer.execute("SELECT count(*) FROM sqlite_schema").get
            if not tables:
                self._writer.execute(_SCHEMA)
                self._writer.executemany(
                    "INSERT INTO meta VALUES (?, ?)",
                    [
                        ("format", str(_FORMAT)),
                        ("generation", "0"),
                        ("fingerprint", fingerprint),
                    ],
                )
        meta = dict(self._writer.execute("SELECT key, value FROM meta"))
        if meta.get("format") != str(_FORMAT):
            raise StaleIndex(
                f"The index at {self.path} has format {meta.get('format')}, this version reads "
                f"{_FORMAT}. Move it away and ingest the documents again."
            )
        if meta["fingerprint"] != fingerprint:
            raise StaleIndex(
                f"The index at {self.path} was built with {meta['fingerprint']}, the settings in "
                f"force are {fingerprint}. Restore those settings, or move the index away and "
                "ingest the documents again."
            )

    @contextmanager
    def _transaction_for_schema(self) -> Iterator[None]:
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._writer.execute("COMMIT")
        except BaseException:
            self._writer.execute("ROLLBACK")
            raise


def check_storable(document: Document) -> None:
    """Raise BrokenFile for a document with a NUL or a lone surrogate in any of its texts."""
    texts = {
        "id": (document.id,),
        "uri": (document.uri,),
        "title": (document.title,),
        "text": (document.text,),
        "date": (document.published or "",),
        "headings": (heading for section in document.sections for heading in section.path),
        "metadata": (text for item in document.metadata.items() for text in item),
    }
    for name, values in texts.items():
        if any(_UNSTORABLE.search(value) for value in values):
            raise BrokenFile(
                f"the {name} of {document.uri!r} cannot be stored with a NUL or a lone surrogate "
                "in it: is its encoding right?"
            )


def _bindable(text: str) -> str | None:
    # NULL equals nothing, as text that cannot be stored equals nothing that is.
    return None if _UNSTORABLE.search(text) else text


def _json_list(texts: Iterable[str]) -> str:
    return json.dumps([_bindable(text) for text in texts])


def _generation(connection: apsw.Connection) -> int:
    return int(connection.execute("SELECT value FROM meta WHERE key = 'generation'").get)


def _summary(row: tuple[Any, ...]) -> DocumentSummary:
    return DocumentSummary(
        id=row[0],
        uri=row[1],
        title=row[2],
        media_type=row[3],
        published=row[4],
        sha256=row[5],
        metadata=json.loads(row[6]),
        characters=row[7],
        chunks=row[8],
    )


def _delete(connection: apsw.Connection, document: str, generation: int) -> bool:
    # A document's chunks were inserted in one transaction, so their ids form one range.
    bound = (_bindable(document),)
    first, last = connection.execute(
        "SELECT min(id), max(id) FROM chunks WHERE document = ?", bound
    ).get
    if first is not None:
        connection.execute("INSERT INTO removals VALUES (?, ?, ?)", (generation, first, last))
        connection.execute("DELETE FROM chunks WHERE document = ?", bound)
    connection.execute("DELETE FROM documents WHERE id = ?", bound)
    return bool(connection.changes())


def _check(connection: apsw.Connection, new: NewDocument) -> None:
    document = new.document
    check_storable(document)
    if new.vectors.dtype != np.float32 or new.vectors.ndim != 2:
        raise ValueError(
            f"vectors must be float32 (n, dim), not {new.vectors.dtype} of shape "
            f"{new.vectors.shape}"
        )
    if len(new.chunks) != len(new.vectors):
        raise ValueError(f"{len(new.chunks)} chunks came with {len(new.vectors)} vectors")
    if not np.isfinite(new.vectors).all():
        raise ValueError(f"a vector of {document.uri} is not finite")
    size = connection.execute("SELECT length(vector) FROM chunks LIMIT 1").get
    if size is not None and size != 4 * new.vectors.shape[1]:
        raise ValueError(
            f"vectors have {new.vectors.shape[1]} columns, the stored ones {size // 4}"
        )
    for chunk in new.chunks:
        inside = 0 <= chunk.start < chunk.end <= len(document.text)
        if not inside or chunk.text != document.text[chunk.start : chunk.end]:
            raise ValueError(f"chunk {chunk.start}:{chunk.end} is not a slice of {document.uri}")


def _insert(connection: apsw.Connection, new: NewDocument, generation: int) -> None:
    document = new.document
    _check(connection, new)
    connection.execute(
        "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            document.id,
            document.uri,
            document.title,
            document.media_type,
            document.published,
            document.sha256,
            json.dumps([(s.start, s.end, s.path) for s in document.sections]),
            json.dumps([(p.start, p.end, p.number) for p in document.pages]),
            json.dumps(dict(document.metadata), sort_keys=True),
            len(document.text),
            len(new.chunks),
            generation,
            document.text,
        ),
    )
    connection.executemany(
        "INSERT INTO chunks (document, start_, end_, page, tokens, section, generation, text, "
        "vector) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                document.id,
                chunk.start,
                chunk.end,
                chunk.page,
                chunk.tokens,
                json.dumps(chunk.section),
                generation,
                chunk.text,
                np.ascontiguousarray(vector, dtype="<f4").tobytes(),
            )
            for chunk, vector in zip(new.chunks, new.vectors, strict=True)
        ),
    )
