"""Whether chance explains a difference, and how far to believe that of several at once."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def p_value(draws: Floats) -> float:
    """Return the two-sided p value of resampled differences for "there is none".

    Twice the share of resamples on the rarer side of zero, zero itself counting for both; the
    value that fits the percentile interval (Efron and Tibshirani 1993, section 15.4).
    """
    rarer = min((draws <= 0).sum(), (draws >= 0).sum())
    return min(1.0, float(2 * (rarer + 1) / (len(draws) + 1)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values that allow for how many they are (Holm 1979), in the order given."""
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = highest
    return adjusted
