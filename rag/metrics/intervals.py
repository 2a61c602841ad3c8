"""Figures with bootstrap intervals; every measure here takes weights, so that none needs a loop.

A measure is a function of weights, float64 (..., n), one row a sample: a question drawn twice
weighs two. It returns one number a row.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Measure = Callable[[Floats], Floats]

DRAWS: Final = 1000
_CELLS: Final = 500_000  # of weights at a time: 4 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A measured value over `count` questions and its 95% bootstrap interval.

    Not a number where nothing was measured.
    """

    value: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        """Write it as in a table: value [low, high]."""
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def mean(values: Floats, weights: Floats) -> Floats:
    """Return the weighted mean of the values that are numbers; not a number without any."""
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0.0), known.astype(np.float64), weights)


def ratio(parts: Floats, wholes: Floats, weights: Floats) -> Floats:
    """Return the weighted sum of the parts over that of the wholes; not a number over zero."""
    below = weights @ wholes
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(below > 0, (weights @ parts) / below, np.nan))


def bootstrap(
    measure: Measure,
    count: int,
    *,
    clusters: npt.NDArray[np.int64] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Figure:
    """Return a measure over `count` rows and the 2.5% and 97.5% points over resampled ones.

    `clusters` numbers from 0 on what each row belongs to: rows that share a cluster are drawn
    together. The percentile method (Efron and Tibshirani 1993, chapter 13).
    """
    value = float(measure(np.ones((1, count)))[0]) if count else float("nan")
    if np.isnan(value):
        return Figure(value=value, low=value, high=value, count=count)
    values = np.concatenate(
        [measure(rows) for rows in resamples(count, clusters=clusters, draws=draws, seed=seed)]
    )
    low, high = np.nanquantile(values, (0.025, 0.975))
    return Figure(value=value, low=float(low), high=float(high), count=count)


def resamples(
    count: int,
    *,
    clusters: npt.NDArray[np.int64] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Iterator[Floats]:
    """Yield `draws` rows of weights in blocks, float64 (rows, count), the same for the same seed.

    Each row counts how often each of `count` samples was drawn, with replacement; samples of one
    cluster are drawn together.
    """
    members = np.arange(count) if clusters is None else clusters
    groups = int(members.max()) + 1
    rng = np.random.default_rng(seed)
    block = max(1, _CELLS // max(count, groups))
    for first in range(0, draws, block):
        rows = min(block, draws - first)
        drawn = rng.integers(0, groups, (rows, groups)) + groups * np.arange(rows)[:, np.newaxis]
        times = np.bincount(drawn.ravel(), minlength=rows * groups).reshape(rows, groups)
        yield times[:, members].astype(np.float64)
