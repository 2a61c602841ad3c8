"""Compares two runs over the same questions: what changed, and whether chance explains it."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from rag.errors import InvalidRequest
from rag.eval.changes import Changes, changes
from rag.eval.measures import MEASURES, Measure
from rag.eval.records import Record, read_records
from rag.eval.table import Table, TableBuilder
from rag.metrics.intervals import resamples
from rag.metrics.significance import holm, p_value

Floats = npt.NDArray[np.float64]
Verdict = Literal["better", "worse", "same"]

DRAWS: Final = 10_000

GATE: Final = ("f1", "passage_mrr_at_10", "auroc")
"""What must not get worse, one measure for each part that can break on its own: reading (with all
before it), retrieval, which a lucky reader may hide, and confidence, which may fail while every
answer stays the same.

Retrieval is told by the reciprocal rank, as recall is near its ceiling where documents are few: on
the 188 seed questions ranking by words alone, or chunks of 40 tokens, left recall@5 within chance
of the default (.973; .959 and .946) and MRR@10 not (.905; .868 and .818)."""

_GATE_OF_DOCUMENTS: Final = ("document_ndcg_at_10",)

SHOWN: Final = (
    "exact",
    "f1",
    "best_f1",
    "given_f1",
    "passage_recall_at_1",
    "passage_recall_at_5",
    "passage_recall_at_20",
    "passage_mrr_at_10",
    "document_ndcg_at_10",
    "cited_word_f1",
    "correct",
    "answered",
    "answer_precision",
    "abstention_precision",
    "auroc",
    "aurc",
    "coverage_at_10_error",
    "calibration_error",
    "quotes_holding_gold",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A measure in both runs; `difference` is the second's less the first's, with its interval.

    `p` is two-sided; `adjusted_p`, of the measures that are gated, allows for how many they are
    (Holm 1979). The verdict is by `adjusted_p` where there is one.
    """

    name: str
    title: str
    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float
    adjusted_p: float | None
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two runs, compared; `regressions` names the gated measures that got worse."""

    questions: int
    alpha: float
    differences: tuple[Difference, ...]
    regressions: tuple[str, ...]
    changes: Changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The numbers of a run, with a digest of each question and its golds by the question's id."""

    table: Table
    digests: dict[str, bytes]


def compare(
    first: Path, second: Path, *, gate: Sequence[str] = (), alpha: float = 0.05, listed: int = 10
) -> Comparison:
    """Compare the runs in two directories.

    `gate` names the measures that must not get worse; without any it is `GATE`. At most `listed`
    questions are told that got better, and as many that got worse. Raises InvalidRequest for runs
    over different questions and for measures that are unknown or were not measured in both.
    """
    before, after = load(read_records(first)), load(read_records(second))
    one, other = _aligned(before, after)
    gated = _gate(gate, one, other)
    names = [name for name in dict.fromkeys((*SHOWN, *gated)) if _measured(name, one, other)]
    drawn = _drawn(names, one, other)
    p_values = {name: p_value(draws) for name, (_, _, draws) in drawn.items()}
    adjusted = dict(zip(gated, holm([p_values[name] for name in gated]), strict=True))
    differences = [
        _difference(name, drawn[name], p=p_values[name], adjusted_p=adjusted.get(name), alpha=alpha)
        for name in names
    ]
    return Comparison(
        questions=len(one),
        alpha=alpha,
        differences=tuple(differences),
        regressions=tuple(d.name for d in differences if d.name in gated and d.verdict == "worse"),
        changes=changes(
            first, second, tables=(one, other), ids=list(before.digests), listed=listed
        ),
    )


def load(records: Iterable[Record]) -> Run:
    """Return the numbers of a run; raise InvalidRequest where two questions have one id."""
    builder, digests = TableBuilder(), dict[str, bytes]()
    for record in records:
        if record.id in digests:
            raise InvalidRequest(f"Two questions of a run have the id {record.id!r}.")
        asked = (
            record.question,
            record.task,
            sorted(gold.text or str(gold.document) for gold in record.golds),
        )
        digests[record.id] = hashlib.sha256(msgspec.json.encode(asked)).digest()[:8]
        builder.add(record)
    if not digests:
        raise InvalidRequest("A run has no records. Let the evaluation come to its end first.")
    return Run(table=builder.table(), digests=digests)


def _aligned(before: Run, after: Run) -> tuple[Table, Table]:
    """Return both tables with the rows in the first one's order."""
    first, second = before.digests, after.digests
    only_first, only_second = len(first.keys() - second.keys()), len(second.keys() - first.keys())
    changed = sum(second.get(id_, digest) != digest for id_, digest in first.items())
    if only_first or only_second or changed:
        raise InvalidRequest(
            f"The runs are over different questions: {only_first} are only in the first, "
            f"{only_second} only in the second, {changed} have another wording or other right "
            "answers. Run both on the same file."
        )
    places = {id_: row for row, id_ in enumerate(second)}
    order = np.array([places[id_] for id_ in first], dtype=np.int64)
    return before.table, after.table.select(order)


def _gate(chosen: Sequence[str], one: Table, other: Table) -> tuple[str, ...]:
    if unknown := [name for name in chosen if name not in MEASURES]:
        raise InvalidRequest(
            f"There is no measure {unknown[0]!r}. There are {', '.join(MEASURES)}."
        )
    if missing := [name for name in chosen if not _measured(name, one, other)]:
        raise InvalidRequest(f"{missing[0]} was not measured in both runs. Leave it out.")
    for names in (chosen, GATE, _GATE_OF_DOCUMENTS):
        if measured := tuple(name for name in dict.fromkeys(names) if _measured(name, one, other)):
            return measured
    raise InvalidRequest("The runs have measured nothing in common.")


def _measured(name: str, one: Table, other: Table) -> bool:
    measure = MEASURES[name]
    return all(
        measure.count(table) and not np.isnan(_value(measure, table)) for table in (one, other)
    )


def _value(measure: Measure, table: Table) -> float:
    return float(measure.of(table, np.ones((1, len(table))))[0])


def _drawn(
    names: Sequence[str], one: Table, other: Table
) -> dict[str, tuple[float, float, Floats]]:
    """Return both values and the resampled differences of measures.

    Both runs are resampled alike, and questions of one passage together (Efron and Tibshirani 1993;
    for such tests of systems: Koehn 2004, Berg-Kirkpatrick et al. 2012).
    """
    parts: dict[str, list[Floats]] = {name: [] for name in names}
    for weights in resamples(len(one), clusters=one.clusters, draws=DRAWS):
        for name in names:
            of = MEASURES[name].of
            # Rounded: sums that are equal but for the order of their parts differ by nothing.
            parts[name].append(np.round(of(other, weights) - of(one, weights), 12))
    found = {}
    for name, drawn in parts.items():
        measure, draws = MEASURES[name], np.concatenate(drawn)
        # A resample may have nothing to measure, such as no silence to be right about.
        found[name] = (_value(measure, one), _value(measure, other), draws[~np.isnan(draws)])
    return found


def _difference(
    name: str,
    drawn: tuple[float, float, Floats],
    *,
    p: float,
    adjusted_p: float | None,
    alpha: float,
) -> Difference:
    first, second, draws = drawn
    low, high = np.quantile(draws, (0.025, 0.975))
    gain = (second - first) * (1 if MEASURES[name].better == "higher" else -1)
    sure = (p if adjusted_p is None else adjusted_p) <= alpha
    return Difference(
        name=name,
        title=MEASURES[name].title,
        first=first,
        second=second,
        difference=second - first,
        low=float(low),
        high=float(high),
        p=p,
        adjusted_p=adjusted_p,
        verdict="same" if not sure else "better" if gain > 0 else "worse",
    )
