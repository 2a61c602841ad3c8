"""Ranks a collection's chunks for a question, by meaning, by words or by both."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import numpy as np
import numpy.typing as npt

from rag.chunks import Chunk
from rag.retrieval.fusion import fuse
from rag.retrieval.rankings import Rankings, Search
from rag.store import Filters, Snapshot

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
    """Embeds a question and fuses the two rankings of a snapshot."""

    def __init__(self, *, embedder: QuestionEmbedder, rankings: Rankings) -> None:
        self._embedder: Final = embedder
        self._rankings: Final = rankings

    def turn(self) -> AbstractContextManager[object]:
        """Hold this while a snapshot is opened and `retrieve` is called with it."""
        return self._rankings.turn()

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
        search = self._rankings.search(snapshot, filters)
        ranked: list[tuple[int, float, float | None]]
        if mode == "lexical":
            ranked = [(id_, score, None) for id_, score in search.relevance(question).best(k)]
        elif mode == "dense":
            vector = self._embedder.embed_question(question)
            ranked = [(id_, score, score) for id_, score in search.nearest(vector, k)]
        else:
            ranked = self._fused(search, question, k)
        chunks = snapshot.chunks([id_ for id_, _, _ in ranked])
        return [
            Hit(chunk=chunk, score=score, similarity=similarity)
            for chunk, (_, score, similarity) in zip(chunks, ranked, strict=True)
        ]

    def _fused(
        self, search: Search, question: str, k: int
    ) -> list[tuple[int, float, float | None]]:
        depth = max(k, _CANDIDATES)
        vector = self._embedder.embed_question(question)
        dense = dict(search.nearest(vector, depth))
        words = search.relevance(question)
        lexical = {id_ for id_, _ in words.best(depth)}
        # Each ranking also scores the candidates that only the other one found, so that a
        # candidate is not taken for worthless where it merely ranks below the cut.
        lexical_only = np.array(sorted(lexical - dense.keys()), dtype=np.int64)
        dense |= search.similarities(vector, lexical_only)
        ids = sorted(dense)
        scores = fuse(
            np.array([dense[id_] for id_ in ids]), words.of(np.array(ids, dtype=np.int64))
        )
        best = sorted(range(len(ids)), key=lambda i: (-scores[i], ids[i]))[:k]
        return [(ids[i], float(scores[i]), dense[ids[i]]) for i in best]
