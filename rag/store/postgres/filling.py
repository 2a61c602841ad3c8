"""Keeping what searches in the database need, in the transactions that change the chunks."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from rag.store.postgres import segments as layouts
from rag.store.postgres.halfvectors import HalfVector, half_vectors
from rag.store.postgres.merging import merged
from rag.store.postgres.packing import Counter, Packed
from rag.store.postgres.segments import Dead, Layout, Segment, read_dead, read_segments
from rag.store.postgres.server import Connection
from rag.store.tables import COLUMNS, Row
from rag.words import Analyzer
from vectors.scoring import norms

_ID, _DOCUMENT, _SECTION, _TEXT, _VECTOR = (
    COLUMNS["chunks"].index(name) for name in ("id", "document", "section", "text", "vector")
)
_NUMBER, _NAME, _TITLE = (COLUMNS["documents"].index(name) for name in ("number", "id", "title"))


@dataclass(slots=True)
class _Waiting:
    """Chunks of one transaction that are not written yet."""

    counter: Counter = field(default_factory=Counter)
    ids: list[int] = field(default_factory=list)
    documents: list[int] = field(default_factory=list)
    words: list[tuple[int, int]] = field(default_factory=list)
    embeddings: list[HalfVector] = field(default_factory=list)
    longest: float = 0.0


class Filling:
    """Writes entries and segments of a collection for the chunks that a transaction changes.

    What was added is written by `flush`, which has to be called before the transaction ends.
    """

    def __init__(self, connection: Connection, *, collection: int) -> None:
        self._connection: Final = connection
        self._collection: Final = collection
        self._known: dict[str, tuple[int, str]] = {}
        self._waiting: dict[bool, _Waiting] = {}

    def know(self, documents: Iterable[Row]) -> None:
        """Remember rows of `documents`, whose chunks are likely to come."""
        self._known.update((row[_NAME], (row[_NUMBER], row[_TITLE])) for row in documents)

    def add(self, chunks: Sequence[Row], *, staged: bool) -> None:
        """Take rows of `chunks`, all of one document or with none that is added in part."""
        if not chunks:
            return
        waiting = self._waiting.setdefault(staged, _Waiting())
        analyzer = Analyzer()
        heading: list[str] = []
        above: tuple[str, str] | None = None
        for row in chunks:
            number, title = self._document(row[_DOCUMENT])
            if above != (title, row[_SECTION]):
                above = title, row[_SECTION]
                heading = analyzer.heading_stems(title, json.loads(row[_SECTION]))
            text = analyzer.stems(row[_TEXT])
            waiting.counter.add((text, heading))
            waiting.ids.append(row[_ID])
            waiting.documents.append(number)
            waiting.words.append((len(text), len(heading)))
        blobs = b"".join(row[_VECTOR] for row in chunks)
        rows = np.frombuffer(blobs, dtype="<f4").reshape(len(chunks), -1)
        waiting.embeddings += half_vectors(rows)
        waiting.longest = max(waiting.longest, float(norms(rows).max()))
        if len(waiting.ids) >= layouts.LARGEST:
            self._write(staged=staged)

    def remove(self, condition: str, values: tuple[Any, ...], *, staged: bool) -> None:
        """Remove the chunks of one document, which meet a condition on their `id`."""
        self.flush()
        gone = self._connection.execute(
            f"DELETE FROM {_entries(staged=staged)} WHERE collection = %s AND ({condition}) "  # noqa: S608
            "RETURNING id, text_words, heading_words",
            (self._collection, *values),
        ).fetchall()
        if not gone:
            return
        words = {id_: counts for id_, *counts in gone}
        for first, count in layouts.runs_of(np.array(sorted(words), dtype=np.int64)).tolist():
            inside = [words[id_] for id_ in range(first, first + count)]
            self._connection.execute(
                "INSERT INTO dead (collection, first, after, text_words, heading_words) "
                "VALUES (%s, %s, %s, %s, %s)",
                (self._collection, first, first + count, *map(sum, zip(*inside, strict=True))),
            )

    def flush(self) -> None:
        """Write what was added, and merge segments where that is due."""
        for staged in list(self._waiting):
            self._write(staged=staged)

    def settle(self, *, staged: bool = False) -> None:
        """Merge small segments, and write those anew that are half dead."""
        found = read_segments(self._query, self._collection, staged=staged)
        dead = read_dead(self._query, self._collection)
        layout = Layout(found)
        gone = layout.mask(layouts.spans_of(dead))
        starts = [layout.first_row[segment.number] for segment in found]
        sizes = [segment.size for segment in found]
        live = [
            size - int(np.count_nonzero(gone[start : start + size]))
            for start, size in zip(starts, sizes, strict=True)
        ]
        for places in layouts.due(sizes, live):
            self._merge([found[place] for place in places], dead, staged=staged)

    def clear(self) -> None:
        """Drop all that is kept of the collection."""
        self._waiting.clear()
        for table in ("entries", "staged_entries", "segments", "postings", "dead"):
            self._connection.execute(
                f"DELETE FROM {table} WHERE collection = %s",  # noqa: S608
                (self._collection,),
            )

    def clear_staged(self) -> None:
        """Drop what is staged."""
        self._waiting.pop(True, None)
        self._drop(read_segments(self._query, self._collection, staged=True))
        self._connection.execute(
            "DELETE FROM staged_entries WHERE collection = %s", (self._collection,)
        )

    def publish_staged(self) -> None:
        """Put what is staged in the place of all others."""
        self.flush()
        run = self._connection.execute
        self._drop(read_segments(self._query, self._collection, staged=False))
        run("DELETE FROM entries WHERE collection = %s", (self._collection,))
        run(
            "INSERT INTO entries SELECT * FROM staged_entries WHERE collection = %s",
            (self._collection,),
        )
        run("DELETE FROM staged_entries WHERE collection = %s", (self._collection,))
        run("UPDATE segments SET staged = false WHERE collection = %s", (self._collection,))

    def _query(self, statement: str, values: tuple[Any, ...]) -> list[Row]:
        return self._connection.execute(statement, values, binary=True).fetchall()

    def _document(self, document: str) -> tuple[int, str]:
        """Return the number and the title of a document that is stored."""
        if document not in self._known:
            row = self._connection.execute(
                "SELECT number, title FROM documents WHERE collection = %s AND id = %s",
                (self._collection, document),
            ).fetchone()
            # Passages without a document are what a check of all finds; here they get no number.
            self._known[document] = (row[0], row[1]) if row else (0, "")
        return self._known[document]

    def _write(self, *, staged: bool) -> None:
        waiting = self._waiting.pop(staged)
        lists = [waiting.ids, waiting.documents, *map(list, zip(*waiting.words, strict=True))]
        self._connection.execute(
            f"INSERT INTO {_entries(staged=staged)} SELECT %b, * FROM unnest("  # noqa: S608
            "%b::bigint[], %b::bigint[], %b::integer[], %b::integer[], %b::halfvec[])",
            (self._collection, *lists, waiting.embeddings),
        )
        words = np.array(waiting.words, dtype=np.int64).sum(axis=0)
        self._insert(
            waiting.counter.packed(),
            layouts.runs_of(np.array(waiting.ids, dtype=np.int64)),
            words=(int(words[0]), int(words[1])),
            longest=waiting.longest,
            staged=staged,
        )
        self.settle(staged=staged)

    def _insert(
        self,
        packed: Packed,
        runs: layouts.Integers,
        *,
        words: tuple[int, int],
        longest: float,
        staged: bool,
    ) -> None:
        """Insert a segment."""
        row = self._connection.execute(
            "INSERT INTO segments SELECT %s, coalesce(max(segment), 0) + 1, %s, %s, %s, %s, %s, "
            "%s, %s FROM segments WHERE collection = %s RETURNING segment",
            (
                self._collection,
                staged,
                int(runs[:, 1].sum()),
                packed.kind,
                *words,
                longest,
                runs.astype("<i8").tobytes(),
                self._collection,
            ),
        ).fetchone()
        self._connection.execute(
            "INSERT INTO postings SELECT %b, stem, %b, text, heading "
            "FROM unnest(%b::text[], %b::bytea[], %b::bytea[]) AS new (stem, text, heading)",
            (self._collection, row[0] if row else 0, list(packed.stems), *packed.fields),
        )

    def _merge(self, old: Sequence[Segment], dead: Sequence[Dead], *, staged: bool) -> None:
        rows = self._query(
            "SELECT segment, stem, text, heading FROM postings "
            "WHERE collection = %s AND segment = ANY(%s)",
            (self._collection, [segment.number for segment in old]),
        )
        layout = Layout(old)
        inside = [each for each in dead if len(layout.places(layouts.spans_of([each])))]
        self._drop(old)
        packed, runs = merged(rows, layout, gone=layout.mask(layouts.spans_of(inside)))
        if not len(runs):
            return
        text, heading = (
            sum(segment.words[place] for segment in old) - sum(each.words[place] for each in inside)
            for place in (0, 1)
        )
        longest = max(segment.longest for segment in old)
        self._insert(packed, runs, words=(text, heading), longest=longest, staged=staged)

    def _drop(self, old: Sequence[Segment]) -> None:
        """Delete segments, and what is known of dead chunks in them."""
        if not old:
            return
        numbers = [segment.number for segment in old]
        for table in ("postings", "segments"):
            self._connection.execute(
                f"DELETE FROM {table} WHERE collection = %s AND segment = ANY(%s)",  # noqa: S608
                (self._collection, numbers),
            )
        layout = Layout(old)
        inside = [
            each.first
            for each in read_dead(self._query, self._collection)
            if len(layout.places(layouts.spans_of([each])))
        ]
        self._connection.execute(
            "DELETE FROM dead WHERE collection = %s AND first = ANY(%s)",
            (self._collection, inside),
        )


def _entries(*, staged: bool) -> str:
    return "staged_entries" if staged else "entries"
