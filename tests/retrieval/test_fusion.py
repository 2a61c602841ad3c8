"""Fusion, against values worked out by hand."""

import numpy as np
import pytest

from rag.retrieval.fusion import DENSE_WEIGHT, fuse


def scores(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def test_fused_scores_are_the_weighted_sum_of_scaled_ones() -> None:
    """Cosines run from -1 to the highest, BM25 from 0 to the highest; then 3/4 and 1/4 of them.

    Dense: (.8 + 1) / 1.8 = 1, (.35 + 1) / 1.8 = .75, (-.1 + 1) / 1.8 = .5; lexical: 2/8, 8/8, 0.
    """
    fused = fuse(scores(0.8, 0.35, -0.1), scores(2.0, 8.0, 0.0), dense_weight=0.75)
    assert fused.tolist() == pytest.approx(
        [0.75 + 0.25 * 0.25, 0.75 * 0.75 + 0.25, 0.75 * 0.5], abs=1e-12
    )


def test_the_weight_by_default_is_the_chosen_one() -> None:
    """Without a weight the shares are those of `DENSE_WEIGHT`."""
    fused = fuse(scores(1.0, -1.0), scores(0.0, 3.0))
    assert fused.tolist() == pytest.approx([DENSE_WEIGHT, 1.0 - DENSE_WEIGHT])


@pytest.mark.parametrize(
    ("dense", "lexical", "expected"),
    [
        pytest.param([0.4, 0.4], [5.0, 5.0], [1.0, 1.0], id="both-constant"),
        pytest.param([0.4, 0.4], [0.0, 0.0], [0.5, 0.5], id="no-shared-word"),
        pytest.param([-1.0, -1.0], [0.0, 0.0], [0.0, 0.0], id="all-opposite"),
        pytest.param([0.0], [1.0], [1.0], id="one"),
    ],
)
def test_lists_without_spread(
    dense: list[float], lexical: list[float], expected: list[float]
) -> None:
    """Equal scores stay equal and finite, at the top of their scale or, at its foot, zero."""
    assert fuse(scores(*dense), scores(*lexical), dense_weight=0.5).tolist() == expected


def test_no_candidates_have_no_scores() -> None:
    """Nothing fuses to nothing."""
    assert fuse(scores(), scores()).shape == (0,)
