"""Choosing the threshold from which on answers are right often enough, with a guarantee."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import dropwhile, takewhile
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

from rag.eval.records import Record

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_STARTS: Final = (0.125, 0.25, 0.5, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A threshold: how many of the questions it answers, how many of them right.

    `low` is the lower confidence bound of the share that is right.
    """

    min_confidence: float
    answered: int
    right: int
    low: float


def outcomes(records: Iterable[Record]) -> tuple[Floats, Bools]:
    """Return the confidence in the best answer to each labelled question, and whether it is right.

    A question without any answer has the confidence -1, below every threshold; questions of which
    no right answer is known are left out.
    """
    confidence, right = [], []
    for record in records:
        if record.task == "documents":
            continue
        confidence.append(record.answers[0].confidence if record.answers else -1.0)
        right.append(bool(record.answers and record.answers[0].right))
    return np.array(confidence, dtype=np.float64), np.array(right, dtype=np.bool_)


def candidates(confidence: Floats, right: Bools, *, confidence_level: float) -> list[Candidate]:
    """Return the hundredths from 1 down to 0 as thresholds; some may answer nothing.

    `low` is the exact one-sided bound of Clopper and Pearson (1934), at a level that leaves each of
    the starts of `choose` its share of the error.
    """
    order = np.argsort(-confidence, kind="stable")
    rights = np.concatenate([[0], np.cumsum(right[order])])
    thresholds = np.arange(100, -1, -1) / 100
    answered = np.searchsorted(-confidence[order], -thresholds, side="right")
    known = rights[answered]
    error = (1 - confidence_level) / len(_STARTS)
    with np.errstate(invalid="ignore"):
        low = np.where(known > 0, beta.ppf(error, known, answered - known + 1), 0.0)
    return [
        Candidate(min_confidence=float(t), answered=int(n), right=int(k), low=float(bound))
        for t, n, k, bound in zip(thresholds, answered, known, low, strict=True)
    ]


def choose(
    found: Sequence[Candidate], *, questions: int, precision: float, confidence_level: float
) -> Candidate | None:
    """Return the threshold shown to keep the precision that answers most, None if there is none.

    Learn then test (Angelopoulos et al. 2021, arXiv:2110.01052) by fixed sequence testing from
    several starts, which share the error: from the threshold that answers the surest eighth of the
    questions, quarter, half and all, further ones are tested down to the first that fails. For
    questions drawn independently and like the labelled ones, the share of right answers among those
    given then lies below `precision` with a probability of at most one less the confidence level,
    however many thresholds were tried; provided that surer answers are no less often right.
    """
    error = (1 - confidence_level) / len(_STARTS)
    # So few that even with all of them right the bound stays below the precision show nothing.
    least = math.ceil(math.log(error) / math.log(precision))
    chosen: list[Candidate] = []
    for share in _STARTS:
        fewest = max(least, math.ceil(questions * share))
        chain = dropwhile(lambda candidate: candidate.answered < fewest, found)  # noqa: B023
        chosen += takewhile(lambda candidate: candidate.low >= precision, chain)
    # Of thresholds that answer the same questions the highest: below it nothing was seen.
    return max(chosen, key=lambda c: (c.answered, c.min_confidence), default=None)
