"""Calibration: from an answer's evidence to the probability that it is right."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rag.errors import ModelError

FEATURES = (
    "score",
    "score_above_zero",
    "relevance",
    "margin",
    "agreement",
    "first_rank",
    "rank",
    "retrieval_score",
    "long_answer",
)
"""The names of what `features` returns, in its order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What speaks for one answer to a question, after equal answers were merged.

    `score` and `relevance` are those of its best span. `margin` is `score` less the score of the
    best different answer (`NO_RIVAL` if there is none). `passages` counts the passages that give
    the answer. `rank` (from 0) and `retrieval_score` are the retriever's for the best span's
    passage; 0.0 and 0.0 where no retriever was asked. `words` counts the answer's words.
    """

    score: float
    relevance: float
    margin: float
    passages: float
    rank: float
    retrieval_score: float
    words: float


NO_RIVAL = 12.0
"""The margin of an answer that no other answer competes with; greater margins count as this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A logistic regression on `features`, and the confidence below which nothing is answered.

    `weights` has one number per name in `FEATURES`.
    """

    weights: tuple[float, ...]
    bias: float
    min_confidence: float

    def confidence(self, evidence: Evidence) -> float:
        """Return the probability, in [0, 1], that the answer is right."""
        terms = zip(self.weights, features(evidence), strict=True)
        return _logistic(self.bias + sum(weight * value for weight, value in terms))


ROUGH: Final = Calibration(
    weights=tuple(3.0 if name == "score" else 0.0 for name in FEATURES),
    bias=0.0,
    min_confidence=0.5,
)
"""The calibration of a reader for which none has been fitted: by the span's score alone."""


def features(evidence: Evidence) -> tuple[float, ...]:
    """Return the numbers the regression weighs, one per name in `FEATURES`, each of order one."""
    return (
        evidence.score / 10.0,
        max(0.0, evidence.score) / 10.0,
        evidence.relevance / 5.0,
        max(-NO_RIVAL, min(NO_RIVAL, evidence.margin)) / 10.0,
        math.log(max(1.0, evidence.passages)),
        1.0 if evidence.rank < 1.0 else 0.0,
        math.log1p(max(0.0, evidence.rank)),
        evidence.retrieval_score,
        math.log1p(max(0.0, evidence.words - 4.0)),
    )


def load_calibration(file: Path) -> Calibration:
    """Read a `calibration.json`; raises `ModelError` for anything else."""
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        weights = stored["weights"]
        return Calibration(
            weights=tuple(float(weights[name]) for name in FEATURES),
            bias=float(stored["bias"]),
            min_confidence=float(stored["min_confidence"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"{file} is no calibration of a reader ({error!r}): train or install it again"
        raise ModelError(message) from error


def save_calibration(calibration: Calibration, file: Path) -> None:
    """Write a calibration as JSON, its weights by name."""
    stored = {
        "weights": dict(zip(FEATURES, calibration.weights, strict=True)),
        "bias": calibration.bias,
        "min_confidence": calibration.min_confidence,
    }
    file.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")


def _logistic(value: float) -> float:
    if value >= 0:
        return 1.0 / (1.0 + math.exp(-value))
    power = math.exp(value)
    return power / (1.0 + power)
