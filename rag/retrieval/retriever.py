"""Ranks a collection's chunks for a question, by meaning, by words or by both."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import numpy as np
import numpy.typing as npt

from rag.chunks import Chunk
from rag.retrieval.fusion import fuse
from rag.retrieval.lexical import LexicalIndex
from rag.store import Filters, Snapshot
from vectors import VectorIndex

Mode = Literal["hybrid", "dense", "lexical"]

# Both rankings contribute this many candidates to a fusion: beyond them neither adds a right one.
_CANDIDATES: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A chunk that may answer; `score` is higher for better, comparable inside one list only.

    `similarity` is the cosine of the chunk's vector with the question's, None where only words
    were ranked.
    """

    chunk: Chunk
    score: float
    similarity: float | None


class QuestionEmbedder(Protocol):
    """The part of an embedder that retrieval needs."""

    def embed_question(self, text: str) -> npt.NDArray[np.float32]:
        """Return one unit vector, float32 (dim,)."""
        ...


class Retriever:
    """Keeps a vector and a lexical index at a snapshot's generation and searches them.

    `vectors` and `lexical` make empty indexes: at first, and again when these are too far behind.
    Not safe for several threads at once, and snapshots must come in order of their generations:
    the caller opens the snapshot and calls `retrieve` under one lock.
    """

    def __init__(
        self,
        *,
        embedder: QuestionEmbedder,
        vectors: Callable[[], VectorIndex],
        lexical: Callable[[], LexicalIndex],
    ) -> None:
        self._embedder: Final = embedder
        self._make_vectors: Final = vectors
        self._make_lexical: Final = lexical
        self._vectors = vectors()
        self._lexical = lexical()
        self._generation = 0

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

    def retrieve(
        self,
        snapshot: Snapshot,
        question: str,
        *,
        k: int,
        filters: Filters,
        mode: Mode = "hybrid",
    ) -> list[Hit]:
        """Return at most k hits among the documents that meet the filters; ties by chunk id."""
        self.catch_up(snapshot)
        allowed = None
        if not filters.empty:
            allowed = snapshot.chunk_ids(snapshot.matching(filters))
            if not len(allowed):
                return []
        ranked: list[tuple[int, float, float | None]]
        if mode == "lexical":
            ranked = [
                (id_, score, None)
                for id_, score in self._lexical.search(question, k, allowed=allowed)
            ]
        elif mode == "dense":
            vector = self._embedder.embed_question(question)
            ranked = [(id_, score, score) for id_, score in self._dense(vector, k, allowed)]
        else:
            ranked = self._fused(question, k, allowed)
        chunks = snapshot.chunks([id_ for id_, _, _ in ranked])
        return [
            Hit(chunk=chunk, score=score, similarity=similarity)
            for chunk, (_, score, similarity) in zip(chunks, ranked, strict=True)
        ]

    def _fused(
        self, question: str, k: int, allowed: npt.NDArray[np.int64] | None
    ) -> list[tuple[int, float, float | None]]:
        depth = max(k, _CANDIDATES)
        vector = self._embedder.embed_question(question)
        dense = dict(self._dense(vector, depth, allowed))
        words = self._lexical.scores(question)
        lexical = {id_ for id_, _ in words.best(depth, allowed=allowed)}
        # Each ranking also scores the candidates that only the other one found, so that a
        # candidate is not taken for worthless where it merely ranks below the cut.
        lexical_only = np.array(sorted(lexical - dense.keys()), dtype=np.int64)
        dense |= dict(self._dense(vector, depth, lexical_only))
        ids = sorted(dense)
        scores = fuse(
            np.array([dense[id_] for id_ in ids]), words.of(np.array(ids, dtype=np.int64))
        )
        best = sorted(range(len(ids)), key=lambda i: (-scores[i], ids[i]))[:k]
        return [(ids[i], float(scores[i]), dense[ids[i]]) for i in best]

    def _dense(
        self,
        vector: npt.NDArray[np.float32],
        k: int,
        allowed: npt.NDArray[np.int64] | None,
    ) -> list[tuple[int, float]]:
        if allowed is not None and not len(allowed):
            return []
        (neighbors,) = self._vectors.search(vector[np.newaxis], k, allowed=allowed)
        return [(neighbor.id, neighbor.score) for neighbor in neighbors]
