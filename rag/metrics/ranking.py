"""Recall, reciprocal rank and nDCG of one ranking, from where its right items stand.

Every function takes `ranks`, those (from 1) at which each right item of a question is found,
infinity for one that is not; there is at least one. (They are a handful: plain Python is faster
here than NumPy.)
"""

from collections.abc import Sequence
from math import log2


def recall_at(ranks: Sequence[float], k: int) -> float:
    """Return the share of the right items among the first k."""
    return sum(rank <= k for rank in ranks) / len(ranks)


def reciprocal_rank_at(ranks: Sequence[float], k: int) -> float:
    """Return one over the rank of the first right item, 0.0 where it is not among the first k."""
    first = min(ranks)
    return 1.0 / first if first <= k else 0.0


def ndcg_at(ranks: Sequence[float], k: int, *, grades: Sequence[float] | None = None) -> float:
    """Return the normalised discounted cumulative gain of the first k, as trec_eval has it.

    The gain is the grade itself (1 where None are given), the discount the binary logarithm of the
    rank plus one. Items that share a rank gain one after the other, so that no order of all items
    beats the ideal one.
    """
    gains = [1.0] * len(ranks) if grades is None else grades
    items = sorted(zip(ranks, gains, strict=True), key=lambda item: (item[0], -item[1]))
    places = [(max(rank, place), gain) for place, (rank, gain) in enumerate(items, start=1)]
    got = sum(gain / log2(place + 1) for place, gain in places if place <= k)
    ideal = sorted(gains, reverse=True)[:k]
    return got / sum(gain / log2(place + 1) for place, gain in enumerate(ideal, start=1))
