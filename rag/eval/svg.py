"""Drawing in SVG, by classes that the page's style sheet gives colours to."""

from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree as ET

WIDTH: Final = 460
_LEFT: Final = 56
_RIGHT: Final = 14
_TOP: Final = 26
_HEIGHT: Final = 230

XY = tuple[float, float]


class Drawing:
    """An image of `WIDTH` by `height`; points are in its own units, from the upper left corner."""

    def __init__(self, title: str, *, height: float) -> None:
        """Begin an image, `title` being what is read to those who do not see it."""
        self._root: Final = ET.Element(
            "svg", {"viewBox": f"0 0 {WIDTH} {height:g}", "role": "img", "aria-label": title}
        )

    def text(self) -> str:
        """Return the image as text, everything in it escaped."""
        return ET.tostring(self._root, encoding="unicode", short_empty_elements=False)

    def words(self, at: XY, words: str, *, kind: str = "", anchor: str = "start") -> None:
        """Write words that start, end or have their middle at a point of their base line."""
        self._add("text", kind, x=at[0], y=at[1], **{"text-anchor": anchor}).text = words

    def stroke(self, start: XY, end: XY, *, kind: str) -> None:
        """Draw a straight line."""
        self._add("line", kind, x1=start[0], y1=start[1], x2=end[0], y2=end[1])

    def path(self, points: Sequence[XY], *, kind: str) -> None:
        """Draw a line through points."""
        if len(points) > 1:
            along = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            self._add("polyline", kind, points=along)

    def box(self, corner: XY, *, width: float, height: float, kind: str, note: str = "") -> None:
        """Draw a filled box by its upper left corner; the note shows under the pointer."""
        box = self._add("rect", kind, x=corner[0], y=corner[1], width=width, height=height)
        if note:
            ET.SubElement(box, "title").text = note

    def dot(self, at: XY, *, radius: float, kind: str, note: str) -> None:
        """Draw a filled circle; the note shows under the pointer."""
        dot = self._add("circle", kind, cx=at[0], cy=at[1], r=radius)
        ET.SubElement(dot, "title").text = note

    def _add(self, tag: str, kind: str, **attributes: float | str) -> ET.Element:
        written = {
            name: value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
            for name, value in attributes.items()
        }
        return ET.SubElement(self._root, tag, ({"class": kind} if kind else {}) | written)


class Frame:
    """Axes in a drawing: points are from 0 to 1 across and from 0 to `top` upwards."""

    def __init__(
        self,
        title: str,
        *,
        across: str,
        upwards: str,
        x_ticks: Sequence[tuple[float, str]] = (),
        top: float = 1.0,
        below: float = 0,
    ) -> None:
        """Draw axes with names; ticks are percentages, those across may be given.

        `below` is how much room there is under the axes' names.
        """
        self.drawing: Final = Drawing(title, height=_TOP + _HEIGHT + 38 + below)
        self._top: Final = top
        step = 0.2 if top > 0.5 else 0.1 if top > 0.2 else 0.05
        for number in range(int(top / step + 1e-6) + 1):
            x, y = self.at((0, step * number))
            self.drawing.stroke((x, y), (WIDTH - _RIGHT, y), kind="grid")
            self.drawing.words((x - 6, y + 4), f"{step * number:.0%}", kind="quiet", anchor="end")
        for share, words in x_ticks or [(n / 5, f"{n / 5:.0%}") for n in range(6)]:
            x, y = self.at((share, 0))
            self.drawing.stroke((x, y), (x, y + 4), kind="axis")
            self.drawing.words((x, y + 17), words, kind="quiet", anchor="middle")
        self.drawing.stroke(self.at((0, 0)), self.at((1, 0)), kind="axis")
        self.drawing.words((WIDTH - _RIGHT, self.base + 34), across, anchor="end")
        self.drawing.words((_LEFT - 6, _TOP - 13), upwards, anchor="end")

    @property
    def base(self) -> float:
        """Where the axis across lies in the drawing."""
        return _TOP + _HEIGHT

    def at(self, point: XY) -> XY:
        """Return where a point lies in the drawing; one out of bounds lies on the edge."""
        x, y = (max(0.0, min(1.0, share)) for share in (point[0], point[1] / self._top))
        return _LEFT + x * (WIDTH - _LEFT - _RIGHT), _TOP + (1 - y) * _HEIGHT
