"""What a Word document says of paragraphs in its styles and lists."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from docx.document import Document as WordDocument
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml.ns import qn
from docx.styles.style import ParagraphStyle
from lxml.etree import _Element

_HEADING = re.compile(r"heading ([1-9])", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """What a paragraph style says, itself or by the styles it is based on."""

    name: str
    heading: int | None
    outline: str | None
    number: str | None
    indent: str | None


_NO_STYLE = Style(name="", heading=None, outline=None, number=None, indent=None)


class Styles:
    """The paragraph styles of a document, each worked out once."""

    def __init__(self, document: WordDocument) -> None:
        self._own = {
            style.style_id: style for style in document.styles if isinstance(style, ParagraphStyle)
        }
        self._default = next((key for key, one in self._own.items() if one.name == "Normal"), None)
        self._known: dict[str, Style] = {}

    def of(self, paragraph: _Element) -> Style:
        """Return the style of a paragraph."""
        key = value_of(paragraph, "w:pPr/w:pStyle") or self._default
        if key is None:
            return _NO_STYLE
        if key not in self._known:
            self._known[key] = self._inherited(key)
        return self._known[key]

    def _inherited(self, key: str) -> Style:
        lineage = list(self._lineage(key))
        if not lineage:
            return _NO_STYLE
        matches = (_HEADING.fullmatch(style.name or "") for style in lineage)
        heading = next((int(match.group(1)) for match in matches if match), None)

        def first(path: str) -> str | None:
            return next(filter(None, (value_of(style.element, path) for style in lineage)), None)

        return Style(
            name=lineage[0].name or "",
            heading=heading,
            outline=first("w:pPr/w:outlineLvl"),
            number=first("w:pPr/w:numPr/w:numId"),
            indent=first("w:pPr/w:numPr/w:ilvl"),
        )

    def _lineage(self, key: str | None) -> Iterator[ParagraphStyle]:
        """Yield a style and those it is based on, at most ten: a damaged file may have a loop."""
        for _ in range(10):
            style = self._own.get(key) if key else None
            if style is None:
                return
            yield style
            key = value_of(style.element, "w:basedOn")


def number_formats(document: WordDocument) -> dict[tuple[str, int], str]:
    """Return the format ("bullet", "decimal", ...) of each list and level."""
    numbering = next(
        (
            relation.target_part.element
            for relation in document.part.rels.values()
            if relation.reltype == RELATIONSHIP_TYPE.NUMBERING
        ),
        None,
    )
    if numbering is None:
        return {}
    abstract = {
        one.get(qn("w:abstractNumId")): {
            int(level.get(qn("w:ilvl")) or 0): value_of(level, "w:numFmt") or "decimal"
            for level in one.iterchildren(qn("w:lvl"))
        }
        for one in numbering.iterchildren(qn("w:abstractNum"))
    }
    return {
        (number.get(qn("w:numId")), level): kind
        for number in numbering.iterchildren(qn("w:num"))
        for level, kind in abstract.get(value_of(number, "w:abstractNumId"), {}).items()
    }


def value_of(element: _Element, path: str) -> str | None:
    """Return the w:val of the element that is found under `path`, None where there is none."""
    found = element.find("/".join(qn(step) for step in path.split("/")))
    return None if found is None else found.get(qn("w:val"))
