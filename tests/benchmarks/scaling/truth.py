"""What an exact search finds: the oracle of the benchmark."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rag.store import Filters, Snapshot

# Two float32 sums of 384 products of unit vectors differ by less, whatever their order.
_ROUNDING = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """The chunks nearest to some questions, (questions, k), best first, and their cosines."""

    ids: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]

    def recall(self, question: int, found: Sequence[int], similarities: Sequence[float]) -> float:
        """Return the share of the k nearest that was found; who ties with the last one counts."""
        k = self.ids.shape[1]
        floor = float(self.scores[question, -1]) - _ROUNDING
        right = set(self.ids[question].tolist())
        met = sum(
            id_ in right or score >= floor for id_, score in zip(found, similarities, strict=True)
        )
        return min(met, k) / k


def exact(
    snapshot: Snapshot, questions: npt.NDArray[np.float32], *, k: int, filters: Filters
) -> tuple[Truth, Truth]:
    """Score every stored vector, float32, for all questions: in all chunks, and in a filter's."""
    allowed = snapshot.chunk_ids(snapshot.matching(filters))
    everywhere, inside = (_nothing(len(questions), k) for _ in range(2))
    for chunks, rows in snapshot.added_since(0):
        ids = np.array([chunk.id for chunk in chunks], dtype=np.int64)
        scores = questions @ rows.T
        everywhere = _best(everywhere, ids, scores)
        among = np.isin(ids, allowed)
        if among.any():
            inside = _best(inside, ids[among], scores[:, among])
    return everywhere, inside


def _nothing(questions: int, k: int) -> Truth:
    return Truth(
        ids=np.full((questions, k), -1, dtype=np.int64),
        scores=np.full((questions, k), -np.inf, dtype=np.float32),
    )


def _best(before: Truth, ids: npt.NDArray[np.int64], scores: npt.NDArray[np.float32]) -> Truth:
    k = before.ids.shape[1]
    scores = np.concatenate([before.scores, scores], axis=1)
    ids = np.concatenate([before.ids, np.broadcast_to(ids, (len(scores), len(ids)))], axis=1)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return Truth(
        ids=np.take_along_axis(ids, order, axis=1),
        scores=np.take_along_axis(scores, order, axis=1),
    )
