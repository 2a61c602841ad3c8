"""BM25 ranking of chunks by their words, exact at every moment.

The index lives in memory and is derived from the store, so it can be neither behind nor damaged
on disk. Frequencies and lengths are those of the chunks that are there now, and a chunk's score is
summed in the order of the question's words: it is the same to the last bit whatever was added and
removed before, and in whatever parts the index lies.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rag.retrieval import bm25
from rag.retrieval.bm25 import FIELDS
from rag.retrieval.postings import Ids, Keys, Postings, Segment, counted, merged
from rag.store import AddedChunk
from rag.words import Analyzer

# No part of the index grows beyond this, which bounds the time of the longest merge.
_SEGMENT_CHUNKS: Final = 32_768
# Parts are merged until each is this many times as large as the next smaller one: so there are
# few, and a chunk is copied a logarithmic number of times in its life.
_RATIO: Final = 4
_DEAD_SHARE: Final = 0.2
_FORGET_FROM: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LexicalScores:
    """The scores of all chunks that share a word with a question; all are above 0."""

    ids: Ids
    values: npt.NDArray[np.float64]

    def best(self, k: int, *, allowed: Ids | None = None) -> list[tuple[int, float]]:
        """Return at most k (chunk id, score), among `allowed` if given, best first, ties by id."""
        ids, values = self.ids, self.values
        if allowed is not None:
            among = np.isin(ids, allowed)
            ids, values = ids[among], values[among]
        if k < 1:
            return []
        if k < len(values):
            # All that tie with the last one stay, to be cut by id.
            reached = values >= np.partition(values, -k)[-k]
            ids, values = ids[reached], values[reached]
        order = np.lexsort((ids, -values))[:k]
        return list(zip(ids[order].tolist(), values[order].tolist(), strict=True))

    def of(self, ids: Ids) -> npt.NDArray[np.float64]:
        """Return the score of each id, 0 for a chunk that shares no word or is unknown."""
        order = np.argsort(self.ids)
        known = np.append(self.ids[order], 0)
        at = np.searchsorted(known[:-1], ids)
        return np.where(known[at] == ids, np.append(self.values[order], 0.0)[at], 0.0)


class LexicalIndex:
    """Chunks by their words, with the heading path and title as a second, weaker field.

    Not safe for a search, or another change, during a change: the caller excludes them.
    """

    def __init__(self) -> None:
        self._analyzer: Final = Analyzer()
        # The number of each word, in order; a key is a word in a field, number * FIELDS + field.
        self._numbers: dict[str, int] = {}
        self._forget_at = _FORGET_FROM
        self._segments: list[Segment] = []
        self._chunks = 0
        self._lengths = np.zeros(FIELDS, dtype=np.int64)

    def change(self, *, added: Iterable[AddedChunk], removed: Iterable[int]) -> None:
        """Remove chunks, then add some; one whose id is there already replaces what it was.

        Unknown ids are passed over. The cost is that of the chunks, on average over many changes,
        however many there are in the index.
        """
        chunks = sorted({chunk.id: chunk for chunk in added}.values(), key=lambda chunk: chunk.id)
        new = [
            self._counted(chunks[start : start + _SEGMENT_CHUNKS])
            for start in range(0, len(chunks), _SEGMENT_CHUNKS)
        ]
        gone = np.array([*removed, *(chunk.id for chunk in chunks)], dtype=np.int64)
        self._remove(np.unique(gone))
        self._chunks += len(chunks)
        for segment in new:
            self._lengths += segment.lengths.sum(axis=1)
        self._segments += new
        self._settle()
        self._forget()

    def search(
        self, question: str, k: int, *, allowed: Ids | None = None
    ) -> list[tuple[int, float]]:
        """Return at most k (chunk id, BM25 score), best first, ties by id.

        Only chunks that share a word with the question score, among `allowed` if given.
        """
        return self.scores(question).best(k, allowed=allowed)

    def scores(self, question: str) -> LexicalScores:
        """Return the BM25 scores of all chunks that share a word with the question."""
        keys = self._keys(question)
        found = [segment.postings(keys) for segment in self._segments]
        weights = [self._weight(position, key, found) for position, key in enumerate(keys.tolist())]
        ids, values = [np.empty(0, dtype=np.int64)], [np.empty(0)]
        for segment, postings in zip(self._segments, found, strict=True):
            if not postings:
                continue
            totals = np.zeros(len(segment.ids))
            for position, held in postings.items():
                field = int(keys[position]) % FIELDS
                average = float(self._lengths[field]) / self._chunks
                lengths = segment.lengths[field][held.rows]
                saturated = bm25.saturation(held.frequencies, lengths, average=average)
                totals[held.rows] += weights[position] * saturated
            hits = np.flatnonzero(totals)
            ids.append(segment.ids[hits])
            values.append(totals[hits])
        return LexicalScores(ids=np.concatenate(ids), values=np.concatenate(values))

    def _keys(self, question: str) -> Keys:
        """Return the keys of the question's known words, each with all fields, in its order."""
        stems = self._analyzer.question_stems(question)
        known = [self._numbers[stem] for stem in stems if stem in self._numbers]
        keys = [number * FIELDS + field for number in known for field in range(FIELDS)]
        return np.array(keys, dtype=np.int32)

    def _weight(self, position: int, key: int, found: Sequence[dict[int, Postings]]) -> float:
        """Return what a chunk scores at most for a key, rarer ones more."""
        holding = sum(len(held[position].rows) for held in found if position in held)
        return bm25.weight(key % FIELDS, holding=holding, chunks=self._chunks)

    def _counted(self, chunks: Sequence[AddedChunk]) -> Segment:
        keys = array("q")
        lengths = np.empty((FIELDS, len(chunks)), dtype=np.int32)
        numbers = self._numbers
        for row, chunk in enumerate(chunks):
            fields = (
                self._analyzer.stems(chunk.text),
                self._analyzer.heading_stems(chunk.title, chunk.section),
            )
            for field, stems in enumerate(fields):
                lengths[field, row] = len(stems)
                keys.extend(
                    numbers.setdefault(stem, len(numbers)) * FIELDS + field for stem in stems
                )
        ids = np.array([chunk.id for chunk in chunks], dtype=np.int64)
        return counted(ids, lengths=lengths, keys=np.array(keys, dtype=np.int64))

    def _remove(self, ids: Ids) -> None:
        for segment in self._segments:
            rows = segment.remove(ids)
            self._chunks -= len(rows)
            self._lengths -= segment.lengths[:, rows].sum(axis=1)

    def _settle(self) -> None:
        """Clear segments of removed chunks, and merge small ones, where it pays."""
        sizes = [(segment.size, segment) for segment in self._segments]
        parts = [
            segment if len(segment.ids) * (1 - _DEAD_SHARE) <= size else merged([segment])
            for size, segment in sizes
            if size
        ]
        parts.sort(key=lambda segment: segment.size, reverse=True)
        last = len(parts) - 1
        while last > 0:
            larger, smaller = parts[last - 1], parts[last]
            together = larger.size + smaller.size
            if larger.size < _RATIO * smaller.size and together <= _SEGMENT_CHUNKS:
                parts[last - 1 : last + 1] = [merged([larger, smaller])]
                parts.sort(key=lambda segment: segment.size, reverse=True)
                last = len(parts)
            last -= 1
        self._segments = parts

    def _forget(self) -> None:
        """Drop the words that are in no segment any more, each time their number has doubled."""
        if len(self._numbers) < self._forget_at:
            return
        used = np.zeros(len(self._numbers), dtype=np.bool_)
        for segment in self._segments:
            used[segment.keys // FIELDS] = True
        words = [word for word, number in self._numbers.items() if used[number]]
        self._numbers = {word: number for number, word in enumerate(words)}
        numbers = (np.cumsum(used, dtype=np.int32) - 1)[:, None] * FIELDS + np.arange(FIELDS)
        keys = numbers.astype(np.int32).ravel()
        self._segments = [segment.renumbered(keys) for segment in self._segments]
        self._forget_at = max(_FORGET_FROM, 2 * len(words))
