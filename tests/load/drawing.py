"""The plot of a load test: latency and goodput against offered load."""

from collections.abc import Sequence
from typing import Any, Final

from rag.eval.svg import WIDTH, Drawing

_LEFT: Final = 56
_RIGHT: Final = 14
_TOP: Final = 30
_HEIGHT: Final = 200
_GAP: Final = 64
_STYLE: Final = """
body { font: 14px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem;
  color-scheme: light dark; }
svg { width: 100%; } svg text { font-size: 11px; fill: currentColor; }
.axis, .grid { stroke: currentColor; } .grid { opacity: .15; } .quiet { opacity: .7; }
.curve { fill: none; stroke-width: 2; stroke: #2f6fde; } .point { fill: #2f6fde; }
.second { stroke: #d9822b; } circle.second, text.second { fill: #d9822b; stroke: none; }
text.first { fill: #2f6fde; } .guide { stroke: currentColor; stroke-dasharray: 4 4; opacity: .5; }
table { border-collapse: collapse; } td, th { padding: .1rem .6rem; text-align: right; }
"""
_COLUMNS: Final = ("offered", "answered", "refused", "median", "p99", "refusal_p99", "failed")

Points = Sequence[tuple[float, float]]


def page(measured: dict[str, Any]) -> str:
    """Return a page with the plot and the figures it is drawn from."""
    points: list[dict[str, float]] = measured["opened"]
    rows = "".join(
        "<tr>" + "".join(f"<td>{point[name]:.4g}</td>" for name in _COLUMNS) + "</tr>"
        for point in points
    )
    head = "".join(f"<th>{name.replace('_', ' ')}</th>" for name in _COLUMNS)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Load</title>'
        f"<style>{_STYLE}</style><h1>Load</h1>"
        f"<p>Rates are requests a second, times seconds from the moment a request was due; "
        f"{measured['best']:.1f} a second is the best that clients who wait get.</p>"
        f"{plot(points, best=measured['best'])}<table><tr>{head}</tr>{rows}</table>"
    )


def plot(points: Sequence[dict[str, float]], *, best: float) -> str:
    """Draw goodput and refusals over the offered load, and under them the latencies."""
    height = 2 * (_TOP + _HEIGHT) + _GAP + 40
    drawing = Drawing("Goodput and latency by offered load", height=height)
    right = max(point["offered"] for point in points) * 1.05
    rates = _Panel(drawing, y=_TOP, right=right, top=right, upwards="a second", ticks="{:.0f}")
    rates.line([(0, best), (right, best)], kind="guide")
    rates.curve([(p["offered"], p["answered"]) for p in points], "answered", kind="first")
    rates.curve([(p["offered"], p["refused"]) for p in points], "refused", kind="second")
    top = max(*(point["p99"] for point in points), 0.1) * 1.1
    times = _Panel(
        drawing,
        y=_TOP + _HEIGHT + _GAP,
        right=right,
        top=top,
        upwards="seconds",
        ticks="{:.3g}",
    )
    times.curve([(p["offered"], p["median"]) for p in points], "half the answers", kind="first")
    times.curve([(p["offered"], p["p99"]) for p in points], "99% of the answers", kind="second")
    drawing.words((WIDTH - _RIGHT, height - 8), "offered, a second", anchor="end")
    return drawing.text()


class _Panel:
    """Axes from 0 on, with a scale of their own."""

    def __init__(
        self, drawing: Drawing, *, y: float, right: float, top: float, upwards: str, ticks: str
    ) -> None:
        self._drawing, self._y, self._right, self._top = drawing, y, right, top
        for number in range(5):
            share = number / 4
            left, level = self._at((0, share * top))
            drawing.stroke((left, level), (WIDTH - _RIGHT, level), kind="grid")
            drawing.words(
                (left - 6, level + 4), ticks.format(share * top), kind="quiet", anchor="end"
            )
            x, base = self._at((share * right, 0))
            drawing.words((x, base + 16), f"{share * right:.0f}", kind="quiet", anchor="middle")
        drawing.stroke(self._at((0, 0)), self._at((right, 0)), kind="axis")
        drawing.words((_LEFT, y - 12), upwards, anchor="end")

    def line(self, points: Points, *, kind: str) -> None:
        """Draw a plain line."""
        self._drawing.path([self._at(point) for point in points], kind=kind)

    def curve(self, points: Points, name: str, *, kind: str) -> None:
        """Draw a line with a dot for each point, named at its end."""
        self.line(points, kind=f"curve {kind}")
        for point in points:
            note = f"{name}: {point[1]:.3g} at {point[0]:.1f} a second"
            self._drawing.dot(self._at(point), radius=3.5, kind=f"point {kind}", note=note)
        x, y = self._at(points[-1])
        self._drawing.words((x - 6, y - 8), name, kind=kind, anchor="end")

    def _at(self, point: tuple[float, float]) -> tuple[float, float]:
        across = point[0] / self._right * (WIDTH - _LEFT - _RIGHT)
        return _LEFT + across, self._y + (1 - point[1] / self._top) * _HEIGHT
