"""Scores and their order: the one place where an inner product becomes a `Neighbor`'s score.

Every driver takes its final scores from here, so that equal rows have equal scores wherever they
lie, ties are exact, and the same rows give the same bits with every driver. BLAS and SIMD kernels
do not promise that: their last bits depend on a row's place in its block.
"""

import numpy as np
import numpy.typing as npt

from vectors.index import Ids, Neighbor, Rows

_BLOCK = 1024  # rows at a time: the float64 products of 384 columns then take 3 MB


def inner_products(rows: Rows, query: Rows) -> npt.NDArray[np.float64]:
    """Return the float64 inner product of each of `rows` (n, dim) with `query` (dim,).

    The products of two float32 are exact in float64, and each row is summed by itself.
    """
    scores = np.empty(len(rows), dtype=np.float64)
    wide = query.astype(np.float64)
    for start in range(0, len(rows), _BLOCK):
        products = rows[start : start + _BLOCK] * wide
        products.sum(axis=1, out=scores[start : start + _BLOCK])
    return scores + 0.0  # makes -0.0, which equals 0.0 but prints otherwise, 0.0


def norms(rows: Rows) -> npt.NDArray[np.float64]:
    """Return the Euclidean norm of each row; NaN or infinity where the row is not finite."""
    squares: npt.NDArray[np.float64] = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
    return np.sqrt(squares)


def nearest(ids: Ids, rows: Rows, query: Rows, k: int) -> list[Neighbor]:
    """Return the k best of `rows`, which lie under `ids`: by score descending, then id."""
    scores = inner_products(rows, query)
    order = np.lexsort((ids, -scores))[:k]
    return [
        Neighbor(id=number, score=score)
        for number, score in zip(ids[order].tolist(), scores[order].tolist(), strict=True)
    ]
