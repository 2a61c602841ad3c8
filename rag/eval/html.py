"""`report.html`: an evaluation to look at, in one file that needs nothing else."""

from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from rag.eval import plots
from rag.eval.measures import MEASURES
from rag.eval.plots import Bar
from rag.eval.records import Record, Report
from rag.eval.worst import worst
from rag.metrics.intervals import Figure

WORST: Final = 50

_HEADLINES: Final = {
    "correct": "Right, or rightly silent",
    "answer_precision": "Right among the answers given",
    "f1": "F1 of the first answer, nothing withheld",
    "passage_recall_at_5": "Found in the first 5 passages",
    "auroc": "AUROC of the confidence",
    "coverage_at_10_error": "Answerable with one in ten wrong",
    "calibration_error": "Confidence is off by",
}
_OF_DOCUMENTS: Final = {
    "document_ndcg_at_10": "nDCG of the first 10 documents",
    "document_recall_at_10": "Found among the first 10 documents",
}
_INDICES: Final = {"auroc", "document_ndcg_at_10"}
_GOOD: Final = {"right", "rightly_abstained"}
_CAUSES: Final = {
    "right": ("right", "the answer given is right"),
    "rightly_abstained": ("rightly silent", "the documents do not say, and no answer was given"),
    "wrongly_answered": ("should be silent", "the documents do not say, yet an answer was given"),
    "wrongly_abstained": ("wrongly silent", "the right answer was found, but withheld"),
    "not_retrieved": ("not retrieved", "no passage with the answer was found"),
    "not_ranked": ("not ranked", "one was found, but too far down to be read"),
    "wrong_span": ("wrong span", "it was read, but something else was taken for the answer"),
}


def write_html(records: Iterable[Record], report: Report, path: Path) -> None:
    """Write the report of a run to `path`; of the records no more than the worst are kept.

    Questions and documents are foreign text: the template escapes every value, and the page forbids
    itself scripts and anything from outside.
    """
    files = resources.files("rag.eval") / "page"
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["share"] = lambda value: f"{value:.0%}"
    page = environment.from_string((files / "report.html").read_text(encoding="utf-8")).render(
        style=Markup((files / "report.css").read_text(encoding="utf-8")),  # noqa: S704  (our own)
        report=report,
        headlines=_headlines(report.figures),
        plots=[(name, told, Markup(image)) for name, told, image in _plots(report)],  # noqa: S704
        causes=_CAUSES,
        titles={name: measure.title for name, measure in MEASURES.items()},
        worst=worst(records, count=WORST),
    )
    path.write_text(page, encoding="utf-8")


def _plots(report: Report) -> Iterable[tuple[str, str, str]]:
    """Yield name, explanation and image of each plot that there is something to draw for."""
    if report.causes:
        rows = [
            _bar(_CAUSES[cause][0], figure, kind="good" if cause in _GOOD else "bad")
            for cause, figure in report.causes.items()
        ]
        told = "; ".join(f"{short}: {long}" for short, long in _CAUSES.values())
        yield "What became of the questions", f"{told}.", plots.bars(rows, title="Shares")
    if report.risk_coverage:
        image = plots.risk_coverage(
            report.risk_coverage,
            questions=report.counts["answerable"] + report.counts["unanswerable"],
            min_confidence=_number(report.settings.get("min_confidence")),
        )
        told = (
            "Lower is better. From left to right ever less sure answers are given; dotted where "
            "fewer than 20 are. Dashed: one wrong in ten."
        )
        yield "Wrong answers, if only the surest are given", told, image
    if report.reliability:
        told = (
            "On the dashed line it is: of the answers that are 70% sure, 70% are right. Strokes "
            "are 95% intervals."
        )
        yield "Is the confidence right?", told, plots.reliability(report.reliability)
    lines = [
        (name, points)
        for name in ("passage", "document")
        if (points := _cutoffs(report.figures, f"{name}_recall_at_"))
    ]
    if lines:
        told = "The share of the questions whose answer is in the first k passages"
        if len(lines) > 1:
            told += " (blue), or whose document is among the first k documents (orange)"
        yield "Is it found?", f"{told}.", plots.by_cutoff(lines)
    kinds = {kind: own["f1"] for kind, own in report.by_kind.items() if "f1" in own}
    if kinds:
        ranked = sorted(kinds.items(), key=lambda item: -item[1].value)
        told = "How well the words of the first answer agree with the right one's."
        image = plots.bars([_bar(kind, figure) for kind, figure in ranked], title="F1 by kind")
        yield "F1 by kind of question", told, image
    if report.cost.latency:
        told = (
            "Bars end at the median, ticks stand at 90%, 95% and 99%; the numbers are the median "
            "and 95%."
        )
        yield "Time to answer", told, plots.latencies(list(report.cost.latency.items()))


def _headlines(figures: Mapping[str, Figure]) -> Iterable[tuple[str, str, str, Figure]]:
    """Yield words, value, interval and figure of each headline that was measured."""
    asked = _HEADLINES if "correct" in figures else _OF_DOCUMENTS
    for name, words in asked.items():
        if name in figures:
            figure = figures[name]
            value, low, high = (
                f"{number:.3f}" if name in _INDICES else f"{number:.1%}"
                for number in (figure.value, figure.low, figure.high)
            )
            yield words, value, f"[{low}, {high}]", figure


def _bar(name: str, figure: Figure, *, kind: str = "") -> Bar:
    return Bar(
        name=name,
        value=figure.value,
        low=figure.low,
        high=figure.high,
        note=f"{figure.count:,}",
        kind=kind,
    )


def _cutoffs(figures: Mapping[str, Figure], prefix: str) -> list[tuple[int, Bar]]:
    found = (
        (int(name.removeprefix(prefix)), _bar(f"k = {name.removeprefix(prefix)}", figure))
        for name, figure in figures.items()
        if name.startswith(prefix) and name.removeprefix(prefix).isdigit()
    )
    return sorted(found, key=lambda point: point[0])


def _number(value: str | float | None) -> float | None:
    return None if value is None or isinstance(value, str) else float(value)
