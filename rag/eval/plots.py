"""The report's plots, as SVG that takes its colours from the page around it.

Written out instead of drawn by a library: five small plots in the reader's own fonts and colours,
light or dark, need CSS classes on their parts. matplotlib gives fixed colours, and letters as
outlines, for 30 MB of packages; what stands on Vega needs a script, or a browser engine to render.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rag.eval.records import Latency, ReliabilityBin, RiskPoint
from rag.eval.svg import WIDTH, Drawing, Frame

_FEW: Final = 20
_ROW: Final = 26
_NAMES: Final = 130.0
_NUMBERS: Final = 110
_SPAN: Final = WIDTH - _NAMES - _NUMBERS
_COUNTS: Final = 34


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A value from 0 to 1 with its 95% interval, under a name, with a remark such as its count.

    `kind` is "good", "bad" or empty.
    """

    name: str
    value: float
    low: float
    high: float
    note: str
    kind: str = ""


def risk_coverage(
    points: Sequence[RiskPoint], *, questions: int, min_confidence: float | None
) -> str:
    """Draw the share of wrong answers over the share answered, and where the threshold stands.

    The line is dotted where fewer than twenty questions are answered: there a single one moves it.
    """
    top = min(1.0, (int(max([p.risk for p in points] + [0.1]) * 10) + 1) / 10)
    frame = Frame("Wrong answers by answers given", across="answered", upwards="wrong", top=top)
    drawing = frame.drawing
    drawing.stroke(frame.at((0, 0.1)), frame.at((1, 0.1)), kind="guide")
    few = sum(point.coverage * questions < _FEW for point in points)
    along = [frame.at((point.coverage, point.risk)) for point in points]
    drawing.path(along[: few + 1], kind="curve few")
    drawing.path(along[few:], kind="curve")
    if min_confidence is not None:
        above = [point for point in points if point.confidence >= min_confidence]
        for point in above[-1:]:
            x, y = frame.at((point.coverage, point.risk))
            told = f"{point.coverage:.0%} answered, {point.risk:.0%} of them wrong"
            drawing.dot((x, y), radius=5, kind="point here", note=told)
            # On the side of the dot where there is room, away from the curve.
            side, anchor = (-10, "end") if point.coverage > 0.5 else (10, "start")
            drawing.words((x + side, y - 8), f"from {min_confidence:.2f} on", anchor=anchor)
    return drawing.text()


def reliability(bins: Sequence[ReliabilityBin]) -> str:
    """Draw the share right over the confidence, with Wilson's 95% intervals and bins' counts."""
    frame = Frame(
        "Right answers by confidence", across="confidence", upwards="right", below=_COUNTS + 22
    )
    drawing = frame.drawing
    drawing.stroke(frame.at((0, 0)), frame.at((1, 1)), kind="guide")
    most = max((part.count for part in bins), default=1)
    floor = frame.base + 40 + _COUNTS
    for part in bins:
        low, high = wilson(part.right, part.count)
        told = (
            f"{part.count} answers, {part.confidence:.0%} sure, {part.right:.0%} right "
            f"[{low:.0%}, {high:.0%}]"
        )
        x, y = frame.at((part.confidence, part.right))
        ends = (frame.at((part.confidence, end)) for end in (low, high))
        drawing.stroke(*ends, kind="interval")
        drawing.dot((x, y), radius=4, kind="point", note=told)
        tall = _COUNTS * part.count / most
        drawing.box((x - 4, floor - tall), width=8, height=tall, kind="bar", note=told)
    drawing.words(
        (frame.at((0, 0))[0], floor + 13), f"answers a point, at most {most}", kind="quiet"
    )
    return drawing.text()


def by_cutoff(lines: Sequence[tuple[str, Sequence[tuple[int, Bar]]]]) -> str:
    """Draw values over cut-offs that lie at equal distances, a line a name."""
    cutoffs = sorted({k for _, points in lines for k, _ in points})
    places = {k: (number + 0.5) / len(cutoffs) for number, k in enumerate(cutoffs)}
    frame = Frame(
        "Found among the first k passages",
        across="first k passages",
        upwards="found",
        x_ticks=[(places[k], str(k)) for k in cutoffs],
    )
    for number, (name, points) in enumerate(lines):
        shift = (number - (len(lines) - 1) / 2) * 0.02
        at = [(places[k] + shift, bar) for k, bar in points]
        frame.drawing.path([frame.at((x, b.value)) for x, b in at], kind=f"curve line{number}")
        for x, bar in at:
            told = f"{name}, {bar.name}: {bar.value:.1%} [{bar.low:.1%}, {bar.high:.1%}]"
            frame.drawing.stroke(frame.at((x, bar.low)), frame.at((x, bar.high)), kind="interval")
            frame.drawing.dot(
                frame.at((x, bar.value)), radius=4, kind=f"point line{number}", note=told
            )
    return frame.drawing.text()


def bars(rows: Sequence[Bar], *, title: str) -> str:
    """Draw values as bars from 0% to 100%, each with its interval, number and note."""
    bottom = 4 + len(rows) * _ROW
    drawing = Drawing(title, height=bottom + 22)
    for share in (0.0, 0.5, 1.0):
        x = _NAMES + _SPAN * share
        drawing.stroke((x, 4), (x, bottom), kind="grid")
        drawing.words((x, bottom + 15), f"{share:.0%}", anchor="middle", kind="quiet")
    for number, row in enumerate(rows):
        y = 4.0 + number * _ROW
        told = f"{row.name}: {row.value:.1%} [{row.low:.1%}, {row.high:.1%}]"
        drawing.words((_NAMES - 8, y + 16), row.name, anchor="end")
        drawing.box(
            (_NAMES, y + 5),
            width=_SPAN * row.value,
            height=_ROW - 12,
            kind=f"bar {row.kind}".strip(),
            note=told,
        )
        ends = ((_NAMES + _SPAN * end, y + _ROW / 2 - 1) for end in (row.low, row.high))
        drawing.stroke(*ends, kind="interval")
        drawing.words((WIDTH - _NUMBERS + 12, y + 16), f"{row.value:.0%}", kind="value")
        drawing.words((WIDTH, y + 16), row.note, anchor="end", kind="quiet")
    return drawing.text()


def latencies(stages: Sequence[tuple[str, Latency]]) -> str:
    """Draw each stage's median time as a bar and its 90th, 95th and 99th percentile as ticks."""
    bottom = 4 + len(stages) * _ROW
    drawing = Drawing("Milliseconds by stage", height=bottom + 22)
    longest = max([latency.p99 for _, latency in stages] + [0.1])
    for x, words in ((_NAMES, "0"), (_NAMES + _SPAN, f"{_ms(longest)} ms")):
        drawing.stroke((x, 4), (x, bottom), kind="grid")
        drawing.words((x, bottom + 15), words, anchor="middle", kind="quiet")
    for number, (name, latency) in enumerate(stages):
        y = 4.0 + number * _ROW
        median, *ticks = (
            _NAMES + _SPAN * value / longest
            for value in (latency.p50, latency.p90, latency.p95, latency.p99)
        )
        told = (
            f"{name}: median {_ms(latency.p50)}, 90% {_ms(latency.p90)}, 95% {_ms(latency.p95)}, "
            f"99% {_ms(latency.p99)} ms"
        )
        middle = y + _ROW / 2 - 1
        drawing.words((_NAMES - 8, y + 16), name, anchor="end")
        drawing.box((_NAMES, y + 5), width=median - _NAMES, height=_ROW - 12, kind="bar", note=told)
        drawing.stroke((median, middle), (ticks[-1], middle), kind="interval")
        for x in ticks:
            drawing.stroke((x, middle - 4), (x, middle + 4), kind="interval")
        drawing.words((WIDTH, y + 16), f"{_ms(latency.p50)} / {_ms(latency.p95)} ms", anchor="end")
    return drawing.text()


def wilson(share: float, count: int) -> tuple[float, float]:
    """Return the 95% interval of a share of `count` trials (Wilson 1927)."""
    squared = 1.959964**2
    whole = 1 + squared / count
    middle = (share + squared / (2 * count)) / whole
    spread = share * (1 - share) / count + squared / (4 * count**2)
    reach = (squared * spread) ** 0.5 / whole
    return max(0.0, middle - reach), min(1.0, middle + reach)


def _ms(value: float) -> str:
    return f"{value:.1f}" if value < 10 else f"{value:,.0f}"
