"""The report of a run: every figure of its table, by kinds of questions and of documents too."""

import hashlib
import json
import platform
import resource
import sys
from collections.abc import Mapping
from functools import partial
from importlib.metadata import version
from typing import Final

import numpy as np
import numpy.typing as npt

from rag.eval.directories import Setting
from rag.eval.measures import MEASURES, figures
from rag.eval.records import (
    FORMAT,
    Cause,
    Cost,
    Latency,
    ReliabilityBin,
    Report,
    RiskPoint,
)
from rag.eval.table import CAUSES, KINDS, STAGES, Table
from rag.metrics.confidence import reliability, risk_coverage
from rag.metrics.intervals import Figure, bootstrap, mean

Floats = npt.NDArray[np.float64]

_BY_KIND: Final = tuple(
    MEASURES[name]
    for name in (
        "passage_recall_at_10",
        "document_recall_at_10",
        "document_ndcg_at_10",
        "exact",
        "f1",
        "best_f1",
        "given_exact",
        "given_f1",
        "correct",
        "answered",
        "answer_precision",
        "auroc",
    )
)
_POINTS: Final = 201
_PACKAGES: Final = ("chapterverse", "numpy", "onnxruntime", "openvino", "faiss-cpu", "tantivy")


def summarise(table: Table, *, settings: Mapping[str, Setting]) -> Report:
    """Return the report on a table of at least one row."""
    asked = ~np.isnan(table["confidence"])
    confidence, right = table["confidence"][asked], table["right"][asked] > 0
    return Report(
        format=FORMAT,
        settings=dict(settings),
        fingerprint=fingerprint(settings),
        versions={
            "python": platform.python_version(),
            **{package: version(package) for package in _PACKAGES},
        },
        counts=_counts(table),
        figures=figures(table, tuple(MEASURES.values())),
        by_kind=_by(table, "kind", KINDS),
        by_document_kind=_by(table, "document_kind", table.document_kinds),
        causes=_causes(table),
        risk_coverage=_thinned(*risk_coverage(confidence, right)) if len(right) else (),
        reliability=tuple(
            ReliabilityBin(confidence=part.confidence, right=part.right, count=part.count)
            for part in reliability(confidence, right)
        ),
        cost=_cost(table),
    )


def fingerprint(settings: Mapping[str, Setting]) -> str:
    """Return the sha256 of settings, whatever their order."""
    return hashlib.sha256(json.dumps(dict(settings), sort_keys=True).encode()).hexdigest()


def _counts(table: Table) -> dict[str, int]:
    return {
        "questions": len(table),
        "answerable": int(np.nansum(table["answerable"])),
        "unanswerable": int(np.nansum(1.0 - table["answerable"])),
        "answered": int(np.nansum(1.0 - table["abstained"])),
        "abstained": int(np.nansum(table["abstained"])),
        "passages": int(table.clusters.max()) + 1,
    }


def _by(table: Table, column: str, names: tuple[str, ...]) -> dict[str, dict[str, Figure]]:
    parts = {name: table[column] == number for number, name in enumerate(names)}
    return {
        name: figures(table.select(rows), _BY_KIND)
        for name, rows in sorted(parts.items())
        if rows.any()
    }


def _causes(table: Table) -> dict[Cause, Figure]:
    known = table.select(~np.isnan(table["cause"]))
    if not len(known):
        return {}
    shares = {}
    for number, cause in enumerate(CAUSES):
        here = (known["cause"] == number).astype(np.float64)
        figure = bootstrap(partial(mean, here), len(known), clusters=known.clusters)
        shares[cause] = Figure(
            value=figure.value, low=figure.low, high=figure.high, count=int(here.sum())
        )
    return shares


def _thinned(confidence: Floats, coverage: Floats, risk: Floats) -> tuple[RiskPoint, ...]:
    kept = np.unique(np.linspace(0, len(confidence) - 1, _POINTS).round().astype(int))
    return tuple(
        RiskPoint(confidence=float(confidence[i]), coverage=float(coverage[i]), risk=float(risk[i]))
        for i in kept
    )


def _cost(table: Table) -> Cost:
    latency = {}
    for stage in STAGES:
        times = table[f"{stage}_ms"]
        times = times[~np.isnan(times)]
        if len(times):
            p50, p90, p95, p99 = (float(v) for v in np.percentile(times, (50, 90, 95, 99)))
            latency[stage] = Latency(p50=p50, p90=p90, p95=p95, p99=p99)
    seconds = float(np.nansum(table["total_ms"])) / 1000
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Cost(
        latency=latency,
        questions_per_second=len(table) / seconds if seconds else 0.0,
        peak_memory_bytes=peak if sys.platform == "darwin" else peak * 1024,
    )
