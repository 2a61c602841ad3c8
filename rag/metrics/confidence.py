"""How far a confidence can be trusted: ranking, abstaining and calibration.

`confidence` and `right` are float64 and bool (n,), one an answer. `weights`, float64 (..., n), say
how often each counts; every function returns one number a row of them, so that all resamples of a
bootstrap are one call. Without weights each counts once, and the result is one number.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Answers of like confidence: its mean, the share that is right, and how many they are."""

    confidence: float
    right: float
    count: int


def auroc(scores: Floats, positive: Bools, *, weights: Floats | None = None) -> Floats:
    """Return the chance that a positive scores above a negative, ties counting half.

    Not a number where there is only one kind.
    """
    weight = _given(weights, len(scores))
    values, places = np.unique(scores, return_inverse=True)
    order = np.argsort(places, kind="stable")
    edges = np.searchsorted(places[order], np.arange(len(values)))
    for_, against = (
        _sums(np.where(kind, weight, 0.0)[..., order], edges) for kind in (positive, ~positive)
    )
    below = np.cumsum(against, axis=-1) - against
    wins = (for_ * (below + against / 2)).sum(axis=-1)
    return _divided(wins, for_.sum(axis=-1) * against.sum(axis=-1))


def risk_coverage(confidence: Floats, right: Bools) -> tuple[Floats, Floats, Floats]:
    """Return thresholds, falling, and at each the share answered and the share of it wrong.

    One point for each different confidence, all that have it being answered together.
    """
    order, ends = _falling(confidence)
    answered = (ends + 1).astype(np.float64)
    wrong = np.cumsum(~right[order])[ends]
    return confidence[order][ends], answered / max(1, len(confidence)), wrong / answered


def aurc(confidence: Floats, right: Bools, *, weights: Floats | None = None) -> Floats:
    """Return the area under the risk-coverage curve (Geifman and El-Yaniv 2017): lower is better.

    The mean over all answers of the share that is wrong among those at least as sure.
    """
    answered, new, wrong = _curve(confidence, right, _given(weights, len(confidence)))
    return _divided((new * _or_zero(wrong, answered)).sum(axis=-1), new.sum(axis=-1))


def coverage_at_error(
    confidence: Floats, right: Bools, *, error: float, weights: Floats | None = None
) -> Floats:
    """Return the greatest share that can be answered with at most the share `error` of it wrong."""
    answered, new, wrong = _curve(confidence, right, _given(weights, len(confidence)))
    allowed = _or_zero(wrong, answered) <= error
    return _divided(np.where(allowed, answered, 0.0).max(axis=-1, initial=0.0), new.sum(axis=-1))


def brier(confidence: Floats, right: Bools, *, weights: Floats | None = None) -> Floats:
    """Return the mean squared distance between confidence and outcome (Brier 1950)."""
    weight = _given(weights, len(confidence))
    return _divided(weight @ (confidence - right) ** 2, weight.sum(axis=-1))


def calibration_error(
    confidence: Floats, right: Bools, *, bins: int = 10, weights: Floats | None = None
) -> Floats:
    """Return the mean distance between confidence and the share right, in bins of equal counts.

    The expected calibration error with the bins of `reliability`.
    """
    weight = _given(weights, len(confidence))
    order = np.argsort(confidence, kind="stable")
    sorted_weight = weight[..., order]
    which = _bins(sorted_weight, bins)
    excess = sorted_weight * (confidence - right)[order]
    error = sum(
        np.abs(np.where(which == number, excess, 0.0).sum(axis=-1)) for number in range(bins)
    )
    return _divided(np.asarray(error), weight.sum(axis=-1))


def reliability(confidence: Floats, right: Bools, *, bins: int = 10) -> list[Bin]:
    """Return bins of equal counts, give or take one, least sure first; fewer for fewer answers."""
    order = np.argsort(confidence, kind="stable")
    which = _bins(np.ones(len(order)), bins)
    parts = (order[which == number] for number in range(bins))
    return [
        Bin(
            confidence=float(confidence[part].mean()),
            right=float(right[part].mean()),
            count=len(part),
        )
        for part in parts
        if len(part)
    ]


def _bins(weight: Floats, bins: int) -> npt.NDArray[np.int64]:
    """Return the bin of each of some answers in order: that of the middle of its weight."""
    until = np.cumsum(weight, axis=-1)
    total = np.maximum(until[..., -1:], 1e-300) if weight.shape[-1] else 1.0
    return np.asarray((until - weight / 2) / total * bins, dtype=np.int64)


def _falling(confidence: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the order from the surest on, and in it the last place of each confidence."""
    order = np.argsort(-confidence, kind="stable")
    return order, np.flatnonzero(np.diff(confidence[order], append=-np.inf))


def _curve(confidence: Floats, right: Bools, weight: Floats) -> tuple[Floats, Floats, Floats]:
    """Return, from the surest confidence on, how many are answered, newly answered and wrong."""
    order, ends = _falling(confidence)
    answered = np.cumsum(weight[..., order], axis=-1)[..., ends]
    wrong = np.cumsum((weight * ~right)[..., order], axis=-1)[..., ends]
    return answered, np.diff(answered, axis=-1, prepend=0.0), wrong


def _given(weights: Floats | None, count: int) -> Floats:
    return np.ones(count) if weights is None else weights


def _sums(values: Floats, starts: npt.NDArray[np.int64]) -> Floats:
    return np.asarray(np.add.reduceat(values, starts, axis=-1), dtype=np.float64)


def _or_zero(above: Floats, below: Floats) -> Floats:
    divided: Floats = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
    return divided


def _divided(above: Floats, below: Floats) -> Floats:
    out = np.full(np.shape(above), np.nan)
    divided: Floats = np.divide(above, below, out=out, where=np.asarray(below) > 0)
    return divided
