"""The figures of the stores, side by side."""

from collections.abc import Callable, Mapping
from typing import Any, Final

Figures = Mapping[str, Any]


def show(report: Figures) -> None:
    """Print the table; what was not measured stays empty."""
    stores = report["stores"]
    print(f"\n{report['chunks']:,} chunks, {report['questions']} questions")
    print(f"{'':40}" + "".join(f"{name:>24}" for name in stores))
    for label, cell in _ROWS.items():
        print(f"{label:40}" + "".join(f"{_filled(cell, one):>24}" for one in stores.values()))


def _filled(cell: Callable[[Figures], str], one: Figures) -> str:
    try:
        return cell(one)
    except KeyError:
        return ""


def _pair(key: str) -> Callable[[Figures], str]:
    return lambda one: f"{one[key]['median_ms']:,.1f}  {one[key]['p95_ms']:,.1f}"


def _megabytes(count: float) -> str:
    return f"{count / 1e6:,.0f}"


_ROWS: Final[Mapping[str, Callable[[Figures], str]]] = {
    "load, s": lambda one: f"{one['load_s']:,.0f}",
    "  of a processor: process + server, s": lambda one: (
        f"{one['load_work_s']:,.0f} + {one['load_server_work_s']:,.0f}"
    ),
    "graph, once, s (of processors)": lambda one: (
        f"{one['graph_s']:,.0f} ({one['graph_server_work_s']:,.0f})"
    ),
    "each start: open, s": lambda one: f"{one['open_s']:,.1f}",
    "then ready after, s (of processors)": lambda one: (
        f"{one['ready_s']:,.1f} ({one['ready_work_s']:,.1f})"
    ),
    "memory of the process, MB (peak)": lambda one: (
        f"{_megabytes(one['process']['pss'])} ({_megabytes(one['process_peak'])})"
    ),
    "memory of the server, MB": lambda one: _megabytes((one["server"] or {})["pss"]),
    "disk, MB": lambda one: _megabytes(one["disk"]),
    "dense recall@10 (lowest)": lambda one: (
        f"{one['dense']['recall']:.4f} ({one['dense']['lowest']:.1f})"
    ),
    "dense recall@10 in 1% (lowest)": lambda one: (
        f"{one['dense_1%']['recall']:.4f} ({one['dense_1%']['lowest']:.1f})"
    ),
    "dense search, ms: median, p95": _pair("dense"),
    "dense search in 1%, ms": _pair("dense_1%"),
    "search, ms": _pair("search"),
    "search in 1%, ms": _pair("search_1%"),
    "ask, ms": _pair("ask"),
    "ask in 1%, ms": _pair("ask_1%"),
    "same passages: all, in 1%": lambda one: (
        f"{one['search']['same']:.3f}  {one['search_1%']['same']:.3f}"
    ),
    "same answers: all, in 1%": lambda one: (
        f"{one['ask']['same']:.3f}  {one['ask_1%']['same']:.3f}"
    ),
    "replace a small document, ms": _pair("put"),
    "found after its acknowledgement, ms": _pair("found"),
}
