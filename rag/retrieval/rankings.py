"""The two rankings of a collection's chunks, wherever what they need is kept."""

from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from rag.store import Filters, Snapshot

Ids: TypeAlias = npt.NDArray[np.int64]
Scored: TypeAlias = list[tuple[int, float]]


class Relevance(Protocol):
    """The BM25 scores of a question; they do not depend on filters."""

    def best(self, k: int) -> Scored:
        """Return at most k (chunk id, score) that meet the filters, best first, ties by id.

        Only chunks that share a word with the question are in it; their scores are above 0.
        """
        ...

    def of(self, ids: Ids) -> npt.NDArray[np.float64]:
        """Return the score of each id, 0 for a chunk that shares no word or is unknown."""
        ...


class Search(Protocol):
    """The rankings of one snapshot, among the documents that meet some filters."""

    def nearest(self, vector: npt.NDArray[np.float32], k: int) -> Scored:
        """Return at most k (chunk id, cosine) that meet the filters, best first, ties by id."""
        ...

    def similarities(self, vector: npt.NDArray[np.float32], ids: Ids) -> dict[int, float]:
        """Return the cosine of each of these chunks by id; the scores are those of `nearest`."""
        ...

    def relevance(self, question: str) -> Relevance:
        """Return the BM25 scores of the snapshot's chunks."""
        ...


class Rankings(Protocol):
    """What a retriever ranks by; safe to use from several threads."""

    def turn(self) -> AbstractContextManager[object]:
        """Hold this while a snapshot is opened and searched."""
        ...

    def search(self, snapshot: Snapshot, filters: Filters) -> Search:
        """Return the rankings of a snapshot, to be used while it is held."""
        ...
