"""The formula of BM25 (Robertson and Zaragoza, 2009), over two fields that are summed.

Whatever keeps the words computes a chunk's score with these functions and sums it in the order of
the question's stems, of each the text before the heading: so it is the same to the last bit
wherever the words lie.
"""

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

_K1: Final = 1.2
_B: Final = 0.75
# The weight of each field: the text; the title and section path.
_WEIGHTS: Final = (1.0, 0.3)
FIELDS: Final = len(_WEIGHTS)


def weight(field: int, *, holding: int, chunks: int) -> float:
    """Return what a chunk scores at most for a stem that so many of the chunks hold in a field."""
    rarity = math.log(1 + (chunks - holding + 0.5) / (holding + 0.5))
    return _WEIGHTS[field] * rarity * (_K1 + 1)


def saturation(
    frequencies: npt.NDArray[np.float64],
    lengths: npt.NDArray[np.integer[Any]],
    *,
    average: float,
) -> npt.NDArray[np.float64]:
    """Return the share of the weight that each chunk gets, (n,), from 0 to 1.

    `lengths` are words of the field, `average` is that of all chunks.
    """
    norms = _K1 * (1 - _B) + _K1 * _B / average * lengths
    shares: npt.NDArray[np.float64] = frequencies / (frequencies + norms)
    return shares
