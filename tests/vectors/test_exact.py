"""The NumPy index, which is the oracle for the others, against sums without rounding."""

from pathlib import Path

import numpy as np
import pytest

from vectors import ExactIndex, InvalidArgument, VectorIndex
from vectors.scoring import inner_products

from .conformance import DIM, VectorIndexConformance, unit_rows


class TestExactIndex(VectorIndexConformance):
    """`ExactIndex` is a `VectorIndex`."""

    def make(self, dim: int = DIM) -> VectorIndex:
        """Return an empty index."""
        return ExactIndex(dim)

    def load(self, path: Path) -> tuple[VectorIndex, str]:
        """Load an index of the same kind."""
        return ExactIndex.load(path)


@pytest.mark.parametrize("dim", [1, 2, 7, 8, 9, 127, 128, 129, 384, 1000])
def test_a_score_depends_on_its_row_alone(dim: int) -> None:
    """The same row has the same score to the bit, wherever it lies and whatever lies around it."""
    rows, query = unit_rows(2500, seed=1, dim=dim), unit_rows(1, seed=2, dim=dim)[0]
    scores = inner_products(rows, query)
    order = np.random.default_rng(3).permutation(len(rows))
    assert np.array_equal(inner_products(rows[order], query), scores[order])
    for place in (0, 1, 1023, 1024, 2499):
        assert inner_products(rows[place : place + 1], query)[0] == scores[place]


def test_an_index_without_columns_is_refused() -> None:
    """Rows have at least one column."""
    with pytest.raises(InvalidArgument, match="at least 1 column, not 0"):
        ExactIndex(0)
