"""Calibrating: fitting a reader's confidence on questions asked over one whole corpus."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from rag.answers import group_spans
from rag.chunks import Chunk
from rag.embedding.embedder import Embedder
from rag.metrics.confidence import auroc, calibration_error, coverage_at_error, reliability
from rag.metrics.intervals import Figure, bootstrap, mean
from rag.metrics.texts import RIGHT_F1, exact_match, f1_score
from rag.reading.calibration import FEATURES, Calibration, features
from rag.reading.reader import Reader
from rag.retrieval.fusion import fuse
from rag.retrieval.lexical import LexicalIndex
from rag.retrieval.retriever import Hit
from rag.store import AddedChunk
from rag.training.data import Example

Floats = npt.NDArray[np.float64]

_ALTERNATIVES = 3
_RIDGE = 1.0
_FOLDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A candidate answer to question number `question`, its features and how good it is."""

    question: int
    features: tuple[float, ...]
    exact: float
    f1: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusReport:
    """How well questions asked over one corpus are answered, by confidences not fitted on them.

    `exact` and `f1` are those of the answer given if none is withheld, over the questions that the
    corpus is known to answer. `coverage` is the share of all questions answered when confidences
    are cut so that one answer in ten is wrong. `auroc` tells right first answers from wrong ones,
    `calibration_error` is the expected one in ten bins of equal counts, `bins` holds their mean
    confidence, share of right answers and count.
    """

    questions: int
    exact: Figure
    f1: Figure
    coverage: Figure
    auroc: Figure
    calibration_error: Figure
    bins: tuple[tuple[float, float, int], ...]


def corpus_search(
    examples: Sequence[Example], embedder: Embedder, *, k: int
) -> Callable[[str], list[Hit]]:
    """Return a hybrid search over the contexts of some examples, each as one chunk."""
    titles = {example.context: example.title for example in examples}
    texts = sorted(titles)
    rows = embedder.embed_passages(texts)
    lexical = LexicalIndex()
    lexical.change(
        added=[
            AddedChunk(id=number, document=str(number), title=titles[text], section=(), text=text)
            for number, text in enumerate(texts)
        ],
        removed=(),
    )

    def search(question: str) -> list[Hit]:
        dense = (rows @ embedder.embed_question(question)).astype(np.float64)
        words = np.zeros(len(texts))
        for number, score in lexical.search(question, len(texts)):
            words[number] = score
        scores = fuse(dense, words)
        return [
            Hit(
                chunk=Chunk(
                    id=int(number),
                    document=str(number),
                    start=0,
                    end=len(texts[number]),
                    text=texts[number],
                    section=(),
                    page=None,
                    tokens=0,
                ),
                score=float(scores[number]),
                similarity=float(dense[number]),
            )
            for number in np.argsort(-scores, kind="stable")[:k]
        ]

    return search


def judge(
    examples: Sequence[Example], search: Callable[[str], Sequence[Hit]], reader: Reader
) -> list[Judged]:
    """Ask every question over the corpus and judge the strongest few different answers."""
    judged = []
    for number, example in enumerate(examples):
        golds = [gold.text for gold in example.answers]
        hits = search(example.question)
        spans = reader.read(example.question, [hit.chunk for hit in hits])
        judged += [
            Judged(
                question=number,
                features=features(group.evidence),
                exact=exact_match(group.spans[0].text, golds) if golds else 0.0,
                f1=f1_score(group.spans[0].text, golds) if golds else 0.0,
            )
            for group in group_spans(spans, hits)[:_ALTERNATIVES]
        ]
    return judged


def fit(judged: Sequence[Judged], *, precision: float = 0.8) -> Calibration:
    """Fit a calibration; its threshold is the lowest at which answers reach the precision.

    The threshold is found on confidences that were fitted without the question they are for.
    """
    rows, right = _table(judged)
    weights = _logistic_regression(rows, right)
    confidence, firsts = _first_answers(judged)
    return Calibration(
        weights=tuple(float(weight) for weight in weights[:-1]),
        bias=float(weights[-1]),
        min_confidence=_threshold(confidence, right[firsts], precision),
    )


def corpus_report(examples: Sequence[Example], judged: Sequence[Judged]) -> CorpusReport:
    """Measure the answers by cross-validation, questions on one passage in one fold."""
    confidence, firsts = _first_answers(judged)
    right = np.array([judged[row].f1 >= RIGHT_F1 for row in firsts])
    known = [row for row in firsts if examples[judged[row].question].answers]
    exact = np.array([judged[row].exact for row in known])
    f1 = np.array([judged[row].f1 for row in known])
    count = len(firsts)
    return CorpusReport(
        questions=len(examples),
        exact=bootstrap(partial(mean, exact), len(known)),
        f1=bootstrap(partial(mean, f1), len(known)),
        # Questions without any candidate are not among the answers, but not answered either.
        coverage=bootstrap(
            lambda weights: (
                coverage_at_error(confidence, right, error=0.1, weights=weights)
                * (count / len(examples))
            ),
            count,
        ),
        auroc=bootstrap(lambda weights: auroc(confidence, right, weights=weights), count),
        calibration_error=bootstrap(
            lambda weights: calibration_error(confidence, right, weights=weights), count
        ),
        bins=tuple((b.confidence, b.right, b.count) for b in reliability(confidence, right)),
    )


def _first_answers(judged: Sequence[Judged]) -> tuple[Floats, list[int]]:
    """Return, per question, the cross-validated confidence and the row of its best answer."""
    rows, right = _table(judged)
    fold = np.array([answer.question * _FOLDS // (judged[-1].question + 1) for answer in judged])
    confidence = np.zeros(len(judged))
    for held_out in range(_FOLDS):
        here = fold == held_out
        weights = _logistic_regression(rows[~here], right[~here])
        confidence[here] = _probabilities(rows[here], weights)
    best: dict[int, int] = {}
    for row, answer in enumerate(judged):
        held = best.get(answer.question)
        if held is None or confidence[row] > confidence[held]:
            best[answer.question] = row
    firsts = list(best.values())
    return confidence[firsts], firsts


def _table(judged: Sequence[Judged]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    rows = np.array([answer.features for answer in judged], dtype=np.float64)
    return rows.reshape(-1, len(FEATURES)), np.array([answer.f1 >= RIGHT_F1 for answer in judged])


def _logistic_regression(rows: Floats, right: npt.NDArray[np.bool_]) -> Floats:
    """Return weights and, last, the bias: ridge-penalised maximum likelihood by Newton steps."""
    inputs = np.column_stack([rows, np.ones(len(rows))])
    penalty = np.full(inputs.shape[1], _RIDGE)
    penalty[-1] = 0.0
    weights = np.zeros(inputs.shape[1])
    for _ in range(50):
        chance = _probabilities(rows, weights)
        gradient = inputs.T @ (chance - right) + penalty * weights
        spread = inputs * (chance * (1 - chance) + 1e-9)[:, np.newaxis]
        step = np.linalg.solve(inputs.T @ spread + np.diag(penalty), gradient)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    return weights


def _probabilities(rows: Floats, weights: Floats) -> Floats:
    values = rows @ weights[:-1] + weights[-1]
    return np.asarray(0.5 * (1.0 + np.tanh(values / 2.0)), dtype=np.float64)


def _threshold(confidence: Floats, right: npt.NDArray[np.bool_], precision: float) -> float:
    """Return the lowest confidence at which answers from there up are right often enough."""
    order = np.argsort(-confidence, kind="stable")
    precise = np.cumsum(right[order]) / np.arange(1, len(order) + 1) >= precision
    if not precise.any():
        return 1.0
    return float(confidence[order[np.flatnonzero(precise)[-1]]])
