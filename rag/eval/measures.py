"""The measures of a run, by name: what is computed of a table, under weights, and how it reads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from rag.eval.table import CUT, DEPTHS, Table
from rag.metrics import confidence
from rag.metrics.intervals import Figure, mean, ratio, resamples

Floats = npt.NDArray[np.float64]
Group = Literal["retrieval", "references", "answers", "given", "silence", "citations"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A number of a run.

    `of` takes a table and weights, (rows, len(table)), and returns one number a row of weights.
    `count` tells how many questions, or citations, it is over; where it is 0, there is no figure.
    """

    name: str
    title: str
    group: Group
    better: Literal["higher", "lower"]
    of: Callable[[Table, Floats], Floats]
    count: Callable[[Table], int]


def figures(table: Table, measures: Sequence[Measure]) -> dict[str, Figure]:
    """Return the measures that a table has something for, each with its 95% interval.

    Questions of one passage are resampled together, and all measures on the same resamples.
    """
    counts = {measure.name: measure.count(table) for measure in measures}
    measured = [measure for measure in measures if counts[measure.name]]
    ones = np.ones((1, len(table)))
    values = {measure.name: float(measure.of(table, ones)[0]) for measure in measured}
    measured = [measure for measure in measured if not np.isnan(values[measure.name])]
    drawn: dict[str, list[Floats]] = {measure.name: [] for measure in measured}
    if measured:
        for weights in resamples(len(table), clusters=table.clusters):
            for measure in measured:
                drawn[measure.name].append(measure.of(table, weights))
    found = {}
    for name, parts in drawn.items():
        low, high = np.nanquantile(np.concatenate(parts), (0.025, 0.975))
        found[name] = Figure(
            value=values[name], low=float(low), high=float(high), count=counts[name]
        )
    return found


def _mean(name: str, title: str, group: Group) -> Measure:
    return Measure(
        name=name,
        title=title,
        group=group,
        better="higher",
        of=lambda table, weights: mean(table[name], weights=weights),
        count=lambda table: int((~np.isnan(table[name])).sum()),
    )


def _share(
    name: str,
    title: str,
    group: Group,
    *,
    part: Callable[[Table], Floats],
    whole: Callable[[Table], Floats],
) -> Measure:
    return Measure(
        name=name,
        title=title,
        group=group,
        better="higher",
        of=lambda table, weights: ratio(part(table), whole(table), weights=weights),
        count=lambda table: int(whole(table).sum()),
    )


def _confidence(
    name: str,
    title: str,
    better: Literal["higher", "lower"],
    of: Callable[[Floats, npt.NDArray[np.bool_], Floats], Floats],
    *,
    outcome: str = "right",
) -> Measure:
    def measure(table: Table, weights: Floats) -> Floats:
        known = ~np.isnan(table[outcome])
        return of(table["confidence"][known], table[outcome][known] > 0, weights[..., known])

    return Measure(
        name=name,
        title=title,
        group="silence",
        better=better,
        of=measure,
        count=lambda table: int((~np.isnan(table[outcome])).sum()),
    )


def _spoken(table: Table) -> Floats:
    return np.nan_to_num(1.0 - table["abstained"])


def _silent(table: Table) -> Floats:
    return np.nan_to_num(table["abstained"])


def _unanswerable(table: Table) -> Floats:
    return np.nan_to_num(1.0 - table["answerable"])


def _asked(table: Table) -> Floats:
    return (~np.isnan(table["abstained"])).astype(np.float64)


def _spoken_right(table: Table) -> Floats:
    return _spoken(table) * np.nan_to_num(table["right"])


def _ranked(of: str, called: str) -> list[Measure]:
    return [
        *(
            _mean(f"{of}_recall_at_{depth}", f"{called}: recall@{depth}", "retrieval")
            for depth in DEPTHS
        ),
        _mean(f"{of}_mrr_at_{CUT}", f"{called}: MRR@{CUT}", "retrieval"),
        _mean(f"{of}_ndcg_at_{CUT}", f"{called}: nDCG@{CUT}", "retrieval"),
    ]


def _references(found: str, called: str) -> list[Measure]:
    return [
        _mean(f"{found}_recall", f"{called}: word recall", "references"),
        _mean(f"{found}_precision", f"{called}: word precision", "references"),
        _mean(f"{found}_iou", f"{called}: intersection over union", "references"),
    ]


def _coverage(error: float) -> Measure:
    return _confidence(
        f"coverage_at_{error * 100:.0f}_error",
        f"answered with at most {error:.0%} wrong",
        "higher",
        lambda sure, right, weights: confidence.coverage_at_error(
            sure, right, error=error, weights=weights
        ),
    )


_ALL: Final[tuple[Measure, ...]] = (
    *_ranked("passage", "passage with the answer"),
    *_ranked("document", "document"),
    *_references("retrieved", "first five passages"),
    *_references("cited", "cited sentences"),
    replace(
        _share(
            "cited_word_f1",
            "cited sentences: micro word F1",
            "references",
            part=lambda table: table["word_pairs"],
            whole=lambda table: table["words"],
        ),
        count=lambda table: int((table["words"] > 0).sum()),
    ),
    _mean("exact", "exact match, nothing withheld", "answers"),
    _mean("f1", "F1, nothing withheld", "answers"),
    _mean("best_exact", "exact match, best of three", "answers"),
    _mean("best_f1", "F1, best of three", "answers"),
    _mean("spoken_exact", "exact match, silence counted (SQuAD 2.0)", "answers"),
    _mean("spoken_f1", "F1, silence counted (SQuAD 2.0)", "answers"),
    _mean("given_exact", "exact match, passage given", "given"),
    _mean("given_f1", "F1, passage given", "given"),
    _share(
        "correct",
        "answered right or rightly silent",
        "silence",
        part=lambda table: _spoken_right(table) + _silent(table) * _unanswerable(table),
        whole=_asked,
    ),
    _share("answered", "answered", "silence", part=_spoken, whole=_asked),
    _share(
        "answer_precision", "right among the answered", "silence", part=_spoken_right, whole=_spoken
    ),
    _share(
        "abstention_precision",
        "unanswerable among the silent",
        "silence",
        part=lambda table: _silent(table) * _unanswerable(table),
        whole=_silent,
    ),
    _share(
        "abstention_recall",
        "silent among the unanswerable",
        "silence",
        part=lambda table: _silent(table) * _unanswerable(table),
        whole=_unanswerable,
    ),
    _confidence(
        "auroc",
        "AUROC, right from wrong",
        "higher",
        lambda sure, right, weights: confidence.auroc(sure, right, weights=weights),
    ),
    _confidence(
        "answerable_auroc",
        "AUROC, answerable from not",
        "higher",
        lambda sure, right, weights: confidence.auroc(sure, right, weights=weights),
        outcome="answerable",
    ),
    _confidence(
        "aurc",
        "area under risk-coverage",
        "lower",
        lambda sure, right, weights: confidence.aurc(sure, right, weights=weights),
    ),
    *(_coverage(error) for error in (0.05, 0.1, 0.2)),
    _confidence(
        "calibration_error",
        "expected calibration error",
        "lower",
        lambda sure, right, weights: confidence.calibration_error(sure, right, weights=weights),
    ),
    _confidence(
        "brier",
        "Brier score",
        "lower",
        lambda sure, right, weights: confidence.brier(sure, right, weights=weights),
    ),
    _share(
        "quotes_verified",
        "quotes that verify",
        "citations",
        part=lambda table: table["quotes_verified"],
        whole=lambda table: table["quotes"],
    ),
    _share(
        "quotes_holding_gold",
        "quotes with a right answer",
        "citations",
        part=lambda table: table["quotes_holding_gold"],
        whole=lambda table: table["quotes_judged"],
    ),
)

MEASURES: Final[dict[str, Measure]] = {measure.name: measure for measure in _ALL}
