"""Rankings by what a store keeps for them, so that a process holds no index of a collection.

Every search is one of the store's own snapshot. Scores are computed here and in `vectors.scoring`,
by the same sums in the same order as for indexes in memory, so that they are equal to the bit.
"""

import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from rag.retrieval import bm25
from rag.retrieval.lexical import LexicalScores
from rag.retrieval.rankings import Ids, Scored
from rag.store import Filters, Snapshot
from rag.words import Analyzer

# Documents with no more chunks than this are found at once, and each of their chunks is scored;
# beyond it the graph is walked, or the best by their words are tried first.
_NARROW: Final = 20_000
_TRIED: Final = 1_000

# From so many postings on their saturation is looked up: there are as many pairs of two bytes.
_MANY: Final = 65_536


class Occurrences(Protocol):
    """The chunks that hold a stem in a field, in rows: how often, and how many words it has."""

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """The chunks' rows, each once."""
        ...

    @property
    def frequencies(self) -> npt.NDArray[np.integer[Any]]:
        """How often the stem stands there."""
        ...

    @property
    def lengths(self) -> npt.NDArray[np.integer[Any]]:
        """How many words the field has."""
        ...


class Words(Protocol):
    """The words of all chunks of a snapshot, which have rows from 0 on, not all of them used."""

    @property
    def rows(self) -> int:
        """A number above all rows."""
        ...

    @property
    def chunks(self) -> int:
        """The number of chunks."""
        ...

    @property
    def lengths(self) -> Sequence[int]:
        """The number of words in each field, over all chunks."""
        ...

    def occurrences(self, stems: Sequence[str]) -> Mapping[tuple[str, int], Occurrences]:
        """Return where stems stand, by stem and field; one that no chunk holds is left out."""
        ...

    def ids(self, rows: npt.NDArray[np.intp]) -> Ids:
        """Return the ids of the chunks in these rows."""
        ...

    def rows_of(self, ids: Ids) -> Ids:
        """Return the row of each id, -1 where there is none."""
        ...

    def among(self, spans: Ids) -> npt.NDArray[np.bool_]:
        """Return which rows, (rows,), are of chunks in spans of ids as `Searchable.spans` gives."""
        ...


@runtime_checkable
class Searchable(Protocol):
    """A snapshot whose store keeps what both rankings need, of the same generation."""

    def nearest(
        self,
        vector: npt.NDArray[np.float32],
        k: int,
        *,
        filters: Filters,
        spans: Ids | None,
    ) -> Scored:
        """Return at most k (chunk id, inner product), best first, ties by id.

        They meet the filters, of which `spans` tells the chunks where it is known. Without a graph
        the result is exact; with one it may miss some, while their scores and order are exact.
        """
        ...

    def similarities(self, vector: npt.NDArray[np.float32], ids: Ids) -> dict[int, float]:
        """Return the inner products of chunks by id; raise DamagedStore for one that is not."""
        ...

    def words(self) -> Words:
        """Return the words of all chunks."""
        ...

    def spans(self, filters: Filters, *, most: int | None = None) -> Ids | None:
        """Return the chunks of the documents that meet the filters, as ids [first, after), (n, 2).

        A span is a document's; they are ascending. None where there are more chunks than `most`.
        """
        ...

    def meeting(self, ids: Ids, filters: Filters) -> Ids:
        """Return those chunks among `ids` whose documents meet the filters, in any order."""
        ...


class StoredRankings:
    """Asks each snapshot; any number of threads and processes may at once."""

    def __init__(self) -> None:
        self._analyzer: Final = Analyzer()
        self._analyzing: Final = threading.Lock()

    def turn(self) -> AbstractContextManager[object]:
        """Nobody has to wait."""
        return nullcontext()

    def search(self, snapshot: Snapshot, filters: Filters) -> "StoredSearch":
        """Return the rankings of a snapshot, which must be `Searchable`."""
        if not isinstance(snapshot, Searchable):
            raise TypeError(f"{type(snapshot).__name__} cannot be searched")
        spans = None if filters.empty else snapshot.spans(filters, most=_NARROW)
        return StoredSearch(
            rankings=self,
            snapshot=snapshot,
            filters=filters,
            spans=spans,
        )

    def stems(self, question: str) -> list[str]:
        """Return the stems that a question is ranked by."""
        with self._analyzing:
            return self._analyzer.question_stems(question)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSearch:
    """One snapshot; `spans` are the chunks that meet the filters where these are narrow."""

    rankings: StoredRankings
    snapshot: Searchable
    filters: Filters
    spans: Ids | None

    def nearest(self, vector: npt.NDArray[np.float32], k: int) -> Scored:
        """Return at most k (chunk id, cosine) that meet the filters, best first, ties by id."""
        return self.snapshot.nearest(vector, k, filters=self.filters, spans=self.spans)

    def similarities(self, vector: npt.NDArray[np.float32], ids: Ids) -> dict[int, float]:
        """Return the cosine of each of these chunks by id."""
        return self.snapshot.similarities(vector, ids)

    def relevance(self, question: str) -> "StoredRelevance":
        """Return the BM25 scores of the chunks."""
        words = self.snapshot.words()
        totals = _totals(words, self.rankings.stems(question))
        return StoredRelevance(
            snapshot=self.snapshot,
            filters=self.filters,
            spans=self.spans,
            words=words,
            totals=totals,
            hits=np.flatnonzero(totals > 0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRelevance:
    """The score of each row; `hits` are those above 0, whose chunks may not meet the filters."""

    snapshot: Searchable
    filters: Filters
    spans: Ids | None
    words: Words
    totals: npt.NDArray[np.float64]
    hits: npt.NDArray[np.intp]

    def best(self, k: int) -> Scored:
        """Return at most k (chunk id, score) that meet the filters, best first, ties by id."""
        if self.filters.empty:
            return self._best(self.hits, k)
        spans = self.spans
        if spans is None:
            tried = self._best(self.hits, max(k, _TRIED))
            ids = np.array([id_ for id_, _ in tried], dtype=np.int64)
            meeting = set(self.snapshot.meeting(ids, self.filters).tolist())
            found = [(id_, score) for id_, score in tried if id_ in meeting][:k]
            if len(found) == k or len(tried) == len(self.hits):
                return found
            spans = self.snapshot.spans(self.filters)
        if spans is None or not len(spans):
            return []
        return self._best(self.hits[self.words.among(spans)[self.hits]], k)

    def of(self, ids: Ids) -> npt.NDArray[np.float64]:
        """Return the score of each id, 0 for a chunk that shares no word or is unknown."""
        rows = self.words.rows_of(ids)
        return np.where(rows < 0, 0.0, np.append(self.totals, 0.0)[rows])

    def _best(self, rows: npt.NDArray[np.intp], k: int) -> Scored:
        values = self.totals[rows]
        if k < len(rows):
            # Few are left to be ordered; all that tie with the last one stay, to be cut by id.
            reached = values >= np.partition(values, -k)[-k]
            rows, values = rows[reached], values[reached]
        return LexicalScores(ids=self.words.ids(rows), values=values).best(k)


def _totals(words: Words, stems: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return the BM25 score of each row, 0 where no word is shared."""
    totals = np.zeros(words.rows)
    found = words.occurrences(stems)
    saturations = [_Saturation(words, field) for field in range(bm25.FIELDS)]
    for stem in stems:
        for field, saturation in enumerate(saturations):
            held = found.get((stem, field))
            if held is not None:
                weight = bm25.weight(field, holding=len(held.rows), chunks=words.chunks)
                totals[held.rows] += weight * saturation.of(held)
    return totals


class _Saturation:
    """The saturation of a field's postings, looked up where there are more than few."""

    def __init__(self, words: Words, field: int) -> None:
        self._average: Final = float(words.lengths[field]) / max(words.chunks, 1)
        self._table: npt.NDArray[np.float64] | None = None

    def of(self, held: Occurrences) -> npt.NDArray[np.float64]:
        """Return the saturation of each posting."""
        frequencies, lengths = held.frequencies, held.lengths
        if frequencies.dtype != np.uint8 or len(frequencies) < _MANY:
            return bm25.saturation(frequencies.astype(np.float64), lengths, average=self._average)
        if self._table is None:
            # All pairs of two bytes are fewer, and the formula gives each the same bits.
            all_lengths, all_frequencies = np.divmod(np.arange(1 << 16), 256)
            self._table = bm25.saturation(
                all_frequencies.astype(np.float64), all_lengths, average=self._average
            )
        return self._table[lengths.astype(np.uint16) * np.uint16(256) + frequencies]
