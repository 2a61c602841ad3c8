"""A report of an evaluation as tables in the terminal."""

from typing import TYPE_CHECKING, Final

from rag.cli.printing import console, one_line

if TYPE_CHECKING:
    from rich.table import Table

    from rag.eval.records import Report
    from rag.metrics.intervals import Figure

_PIPE: Final = 120  # characters: wide enough that no table is cut
_COLUMNS: Final = {
    "passage_recall_at_10": "found",
    "document_ndcg_at_10": "nDCG",
    "f1": "F1",
    "given_f1": "given F1",
    "correct": "correct",
    "answered": "answered",
    "answer_precision": "of it right",
}
_CAUSES: Final = {
    "right": "answered right",
    "rightly_abstained": "rightly silent",
    "wrongly_answered": "answered the unanswerable",
    "wrongly_abstained": "right answer withheld",
    "not_retrieved": "no passage found with the answer",
    "not_ranked": "passage with the answer found, not read",
    "wrong_span": "passage read, wrong span chosen",
}


def print_report(report: "Report") -> None:
    """Print counts, figures with their intervals, kinds, causes and latencies."""
    from rich.table import Table

    from rag.eval.measures import MEASURES

    out = console()
    if not out.is_terminal:
        out.width = _PIPE
    counts = report.counts
    out.print(
        f"{counts['questions']} questions over {one_line(str(report.settings.get('corpus', '')))}: "
        f"{counts['answerable']} answerable, {counts['unanswerable']} not; "
        f"{counts['answered']} answered, {counts['abstained']} left unanswered.",
        soft_wrap=True,
    )
    figures = Table("figure", "value", "95% interval", "of", box=None, title_justify="left")
    group = ""
    for name, figure in report.figures.items():
        measure = MEASURES[name]
        if measure.group != group:
            group = measure.group
            figures.add_row(f"[{group}]")
        figures.add_row(f"  {measure.title}", *_cells(figure))
    out.print(figures)
    for title, parts in (("question", report.by_kind), ("document", report.by_document_kind)):
        if parts:
            out.print(_kinds(title, parts))
    if report.causes:
        causes = Table("cause", "share", "95% interval", "of", box=None)
        for cause, figure in report.causes.items():
            causes.add_row(_CAUSES[cause], *_cells(figure))
        out.print(causes)
    cost = Table("milliseconds", "50%", "90%", "95%", "99%", box=None)
    for stage, latency in report.cost.latency.items():
        times = (latency.p50, latency.p90, latency.p95, latency.p99)
        cost.add_row(stage, *(f"{time:.0f}" for time in times))
    out.print(cost)
    out.print(
        f"{report.cost.questions_per_second:.1f} questions/s, "
        f"{report.cost.peak_memory_bytes / 1e6:.0f} MB at most"
    )


def _cells(figure: "Figure") -> tuple[str, str, str]:
    interval = f"{figure.low:.3f} to {figure.high:.3f}"
    return f"{figure.value:.3f}", interval, str(figure.count)


def _kinds(title: str, parts: "dict[str, dict[str, Figure]]") -> "Table":
    from rich.table import Table

    shown = [name for name in _COLUMNS if any(name in figures for figures in parts.values())]
    table = Table(title, *(_COLUMNS[name] for name in shown), "of", box=None)
    for kind, figures in parts.items():
        cells = [f"{figures[name].value:.3f}" if name in figures else "" for name in shown]
        most = max((figure.count for figure in figures.values()), default=0)
        table.add_row(kind, *cells, str(most))
    return table
