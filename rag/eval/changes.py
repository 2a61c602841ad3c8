"""The questions that one run answers better than another."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rag.eval.records import Record, read_records
from rag.eval.table import CAUSES, Table

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What one run made of a question."""

    answer: str | None
    confidence: float
    withheld: bool
    f1: float | None
    cause: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A question that the two runs answer differently well."""

    id: str
    question: str
    expected: tuple[str, ...]
    first: Side
    second: Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """How many questions got better and worse, and those of them that changed most."""

    count_better: int
    count_worse: int
    better: tuple[Change, ...]
    worse: tuple[Change, ...]


def changes(
    first: Path, second: Path, *, tables: tuple[Table, Table], ids: list[str], listed: int
) -> Changes:
    """Return what changed between the runs in two directories, at most `listed` a side.

    `tables` are of both runs, their rows in the order of `ids`.
    """
    gain = _worth(tables[1]) - _worth(tables[0])
    order = np.argsort(gain, kind="stable")
    losers = [ids[row] for row in order[:listed] if gain[row] < 0]
    winners = [ids[row] for row in order[::-1][:listed] if gain[row] > 0]
    sides = [_wanted(directory, {*losers, *winners}) for directory in (first, second)]
    return Changes(
        count_better=int((gain > 0).sum()),
        count_worse=int((gain < 0).sum()),
        better=tuple(_change(sides[0][id_], sides[1][id_]) for id_ in winners),
        worse=tuple(_change(sides[0][id_], sides[1][id_]) for id_ in losers),
    )


def _worth(table: Table) -> Floats:
    """Return how good each question's outcome is: right or rightly silent, and by how many words.

    Of questions of documents, how well these are ranked.
    """
    fine = np.isin(table["cause"], [CAUSES.index("right"), CAUSES.index("rightly_abstained")])
    ranked = np.where(np.isnan(table["cause"]), table["document_ndcg_at_10"], 0.0)
    return np.asarray(fine + np.nan_to_num(table["f1"]) + np.nan_to_num(ranked))


def _wanted(directory: Path, ids: set[str]) -> dict[str, Record]:
    return {record.id: record for record in read_records(directory) if record.id in ids}


def _change(first: Record, second: Record) -> Change:
    return Change(
        id=first.id,
        question=first.question,
        expected=tuple(dict.fromkeys(gold.text or gold.document or "" for gold in first.golds)),
        first=_side(first),
        second=_side(second),
    )


def _side(record: Record) -> Side:
    best = record.answers[0] if record.answers else None
    return Side(
        answer=None if best is None else best.text,
        confidence=record.confidence,
        withheld=record.abstained,
        f1=None if best is None else best.f1,
        cause=record.cause,
    )
