"""Rankings by indexes that a process holds in memory and brings up to each generation."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rag.retrieval.lexical import LexicalIndex, LexicalScores
from rag.retrieval.rankings import Ids, Scored
from rag.store import Filters, Snapshot
from vectors import VectorIndex


class HeldRankings:
    """Keeps a vector and a lexical index at a snapshot's generation.

    `vectors` and `lexical` make empty indexes: at first, and again when these are too far behind.
    Snapshots must come in order of their generations, one search at a time: see `turn`.
    """

    def __init__(
        self, *, vectors: Callable[[], VectorIndex], lexical: Callable[[], LexicalIndex]
    ) -> None:
        self._make_vectors: Final = vectors
        self._make_lexical: Final = lexical
        self._vectors = vectors()
        self._lexical = lexical()
        self._generation = 0
        self._turn: Final = threading.Lock()

    def turn(self) -> threading.Lock:
        """Hold this while a snapshot is opened and searched."""
        return self._turn

    def search(self, snapshot: Snapshot, filters: Filters) -> "HeldSearch":
        """Return the rankings of a snapshot, to which the indexes are brought."""
        self.catch_up(snapshot)
        allowed = None if filters.empty else snapshot.chunk_ids(snapshot.matching(filters))
        return HeldSearch(vectors=self._vectors, lexical=self._lexical, allowed=allowed)

    def catch_up(self, snapshot: Snapshot) -> None:
        """Bring both indexes to the snapshot's generation, at the cost of what changed."""
        if snapshot.generation == self._generation:
            return
        if snapshot.generation < self._generation:
            raise ValueError("snapshots must come in order of their generations")
        if not self._generation or not snapshot.remembers(self._generation):
            self._vectors, self._lexical = self._make_vectors(), self._make_lexical()
            self._generation = 0
        removed = snapshot.removed_since(self._generation)
        self._vectors.remove(removed)
        self._lexical.change(added=(), removed=removed.tolist())
        # Both indexes replace what they hold already, which an earlier attempt may have added that
        # failed half way.
        for chunks, rows in snapshot.added_since(self._generation):
            self._vectors.add(np.array([chunk.id for chunk in chunks], dtype=np.int64), rows)
            self._lexical.change(added=chunks, removed=())
        self._generation = snapshot.generation


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldSearch:
    """Both indexes at a generation; `allowed` are the chunks that meet the filters, None is all."""

    vectors: VectorIndex
    lexical: LexicalIndex
    allowed: Ids | None

    def nearest(self, vector: npt.NDArray[np.float32], k: int) -> Scored:
        """Return at most k (chunk id, cosine) that meet the filters, best first, ties by id."""
        return self._nearest(vector, k, self.allowed)

    def similarities(self, vector: npt.NDArray[np.float32], ids: Ids) -> dict[int, float]:
        """Return the cosine of each of these chunks by id."""
        return dict(self._nearest(vector, len(ids), ids))

    def relevance(self, question: str) -> "HeldRelevance":
        """Return the BM25 scores of the chunks."""
        return HeldRelevance(scores=self.lexical.scores(question), allowed=self.allowed)

    def _nearest(self, vector: npt.NDArray[np.float32], k: int, allowed: Ids | None) -> Scored:
        if allowed is not None and not len(allowed):
            return []
        (neighbors,) = self.vectors.search(vector[np.newaxis], k, allowed=allowed)
        return [(neighbor.id, neighbor.score) for neighbor in neighbors]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRelevance:
    """Scores of all chunks, of which only some are `allowed` among the best."""

    scores: LexicalScores
    allowed: Ids | None

    def best(self, k: int) -> Scored:
        """Return at most k (chunk id, score) that meet the filters, best first, ties by id."""
        return self.scores.best(k, allowed=self.allowed)

    def of(self, ids: Ids) -> npt.NDArray[np.float64]:
        """Return the score of each id, 0 for a chunk that shares no word or is unknown."""
        return self.scores.of(ids)
