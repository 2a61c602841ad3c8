"""The numbers of a run, one row a question: all that figures are computed from."""

import hashlib
import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, get_args

import numpy as np
import numpy.typing as npt

from rag.eval.judging import covers_reference
from rag.eval.records import Cause, Kind, Record
from rag.metrics import overlap
from rag.metrics.ranking import ndcg_at, recall_at, reciprocal_rank_at

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

DEPTHS: Final = (1, 3, 5, 10, 20)
CUT: Final = 10
"""The ranks that reciprocal ranks and gains count to."""

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
CAUSES: Final[tuple[Cause, ...]] = get_args(Cause)
STAGES: Final = ("retrieve", "read", "answer", "total")

_RANKED: Final = (
    *(f"recall_at_{depth}" for depth in DEPTHS),
    f"mrr_at_{CUT}",
    f"ndcg_at_{CUT}",
)
_NAN: Final = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Columns of float64, a row a question in the order of the records.

    A number that a question has not is not a number (nan). `clusters` numbers, from 0 on, what the
    questions of one passage share. The columns "kind", "document_kind" and "cause" are numbers of
    `KINDS`, `document_kinds` and `CAUSES`.
    """

    columns: dict[str, Floats]
    clusters: npt.NDArray[np.int64]
    document_kinds: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.clusters)

    def __getitem__(self, column: str) -> Floats:
        """Return a column."""
        return self.columns[column]

    def select(self, rows: Bools | npt.NDArray[np.int64]) -> "Table":
        """Return some of the rows: those of a mask, or of positions in their order."""
        _, clusters = np.unique(self.clusters[rows], return_inverse=True)
        return Table(
            columns={name: column[rows] for name, column in self.columns.items()},
            clusters=clusters.astype(np.int64),
            document_kinds=self.document_kinds,
        )


class TableBuilder:
    """Takes records one by one and keeps of each only its row."""

    def __init__(self) -> None:
        self._columns: dict[str, array[float]] = {}
        self._clusters = array("q")
        self._document_kinds: dict[str, int] = {}

    def add(self, record: Record) -> None:
        """Add a record's row."""
        row = _row(record)
        row["document_kind"] = _NAN
        if record.document_kind is not None:
            count = len(self._document_kinds)
            row["document_kind"] = self._document_kinds.setdefault(record.document_kind, count)
        if not self._columns:
            self._columns = {name: array("d") for name in row}
        for name, value in row.items():
            self._columns[name].append(value)
        digest = hashlib.blake2b(record.cluster.encode("utf-8", "surrogatepass"), digest_size=8)
        self._clusters.append(int.from_bytes(digest.digest(), signed=True))

    def table(self) -> Table:
        """Return the rows so far."""
        _, clusters = np.unique(np.array(self._clusters, dtype=np.int64), return_inverse=True)
        return Table(
            columns={name: np.array(values) for name, values in self._columns.items()},
            clusters=clusters.astype(np.int64),
            document_kinds=tuple(self._document_kinds),
        )


def table_of(records: Iterable[Record]) -> Table:
    """Return the table of some records."""
    builder = TableBuilder()
    for record in records:
        builder.add(record)
    return builder.table()


def _row(record: Record) -> dict[str, float]:
    asked = record.task != "documents"
    scores, given = record.scores, record.given
    right = bool(record.answers and record.answers[0].right)
    texts_known = record.task == "answers"
    silent = float(not record.answerable)
    exact, f1 = (scores.exact, scores.f1) if scores else (0.0, 0.0)
    citations = [] if record.abstained else [c for a in record.answers[:1] for c in a.citations]
    judged = citations if record.answerable else []
    return {
        "kind": KINDS.index(record.kind),
        "cause": _NAN if record.cause is None else CAUSES.index(record.cause),
        "answerable": float(record.answerable) if asked else _NAN,
        "abstained": float(record.abstained) if asked else _NAN,
        "confidence": record.confidence if asked else _NAN,
        "right": float(right) if asked else _NAN,
        "exact": scores.exact if scores else _NAN,
        "f1": scores.f1 if scores else _NAN,
        "best_exact": scores.best_exact if scores else _NAN,
        "best_f1": scores.best_f1 if scores else _NAN,
        "spoken_exact": (silent if record.abstained else exact) if texts_known else _NAN,
        "spoken_f1": (silent if record.abstained else f1) if texts_known else _NAN,
        "given_exact": given.exact if given else _NAN,
        "given_f1": given.f1 if given else _NAN,
        "quotes": float(len(citations)),
        "quotes_verified": float(sum(c.verified for c in citations)),
        "quotes_judged": float(len(judged)),
        "quotes_holding_gold": float(sum(c.holds_gold for c in judged)),
        **_ranked("passage", _passage_ranks(record)),
        **_ranked("document", *_document_ranks(record)),
        **_overlaps(record),
        **{f"{stage}_ms": record.timings_ms.get(stage, _NAN) for stage in STAGES},
    }


def _passage_ranks(record: Record) -> list[float]:
    """Return the rank of each reference, or of the first passage with any right answer."""
    if record.task == "documents" or not record.golds:
        return []
    if record.task == "answers":
        return [_first(hit.holds_gold for hit in record.hits)]
    return [
        _first(covers_reference(hit.document, hit.start, hit.end, gold) for hit in record.hits)
        for gold in record.golds
    ]


def _document_ranks(record: Record) -> tuple[list[float], list[float]]:
    """Return the ranks of the relevant documents, and their grades."""
    grades = {gold.document: gold.grade for gold in record.golds if gold.document is not None}
    documents = list(dict.fromkeys(hit.document for hit in record.hits))
    if record.task == "answers":
        # Each is enough, as each of several right answers is.
        return ([_first(d in grades for d in documents)], [1.0]) if grades else ([], [])
    ranks = [_first(d == wanted for d in documents) for wanted in grades]
    return ranks, [float(grade) for grade in grades.values()]


def _first(flags: Iterable[bool]) -> float:
    return next((float(rank) for rank, flag in enumerate(flags, start=1) if flag), math.inf)


def _ranked(of: str, ranks: list[float], grades: list[float] | None = None) -> dict[str, float]:
    values = dict.fromkeys(_RANKED, _NAN)
    if ranks:
        values = {f"recall_at_{depth}": recall_at(ranks, depth) for depth in DEPTHS}
        values[f"mrr_at_{CUT}"] = reciprocal_rank_at(ranks, CUT)
        values[f"ndcg_at_{CUT}"] = ndcg_at(ranks, CUT, grades=grades)
    return {f"{of}_{name}": value for name, value in values.items()}


def _overlaps(record: Record) -> dict[str, float]:
    o = record.overlap
    row: dict[str, float] = {}
    for name, found, shared in (
        ("retrieved", o.retrieved if o else 0, o.retrieved_gold if o else 0),
        ("cited", o.cited if o else 0, o.cited_gold if o else 0),
    ):
        gold = o.gold if o else 0
        row |= {
            f"{name}_recall": overlap.recall(shared=shared, reference=gold),
            f"{name}_precision": overlap.precision(shared=shared, found=found) if o else _NAN,
            f"{name}_iou": overlap.iou(shared=shared, found=found, reference=gold),
        }
    row["word_pairs"] = float(2 * o.shared) if o else 0.0
    row["words"] = float(o.gold + o.cited) if o else 0.0
    return row
