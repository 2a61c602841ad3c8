"""A tree of HTML elements as blocks of text: paragraphs, headings, list items, table rows, code."""

import re
from dataclasses import dataclass
from enum import Enum, auto

from lxml.etree import _Element

_SPACE = re.compile(r"[ \t\n\r\f]+")
_LINE_BREAK = re.compile(" ?\0 ?")  # NUL marks <br> while white space is collapsed
_HEADING = re.compile(r"h[1-6]")

_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details",
    "dialog", "dir", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form",
    "header", "hgroup", "hr", "legend", "li", "main", "menu", "nav", "ol", "p", "search",
    "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul"
})  # fmt: skip
_WITHOUT_TEXT = frozenset({
    "applet", "area", "audio", "base", "button", "canvas", "datalist", "embed", "frame",
    "frameset", "head", "iframe", "img", "input", "link", "map", "meta", "noscript", "object",
    "option", "optgroup", "progress", "script", "select", "style", "svg", "template", "textarea",
    "title", "video"
})  # fmt: skip
_PARTS_OF_TABLE = frozenset({"thead", "tbody", "tfoot"})

_NOTES = frozenset({"admonition", "caution", "important", "note", "tip", "warning"})


class Role(Enum):
    """What a block is; two blocks of one list or table may stand on adjacent lines."""

    PARAGRAPH = auto()
    HEADING = auto()
    CODE = auto()
    ITEM = auto()
    TERM = auto()
    DEFINITION = auto()
    ROW = auto()


_ADJACENT = {
    (Role.ITEM, Role.ITEM),
    (Role.ROW, Role.ROW),
    (Role.TERM, Role.TERM),
    (Role.TERM, Role.DEFINITION),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block of text and where it comes from.

    `owner` is the list or table it belongs to. `level` is a heading's, 1 to 6, else None. `linked`
    counts the characters of `text` that are links.
    """

    text: str
    element: _Element
    role: Role
    owner: _Element | None
    level: int | None
    linked: int

    def follows_closely(self, previous: "Block") -> bool:
        """Tell whether this block stands on the line after `previous`, without a blank line."""
        same = self.owner is not None and self.owner is previous.owner
        return same and (previous.role, self.role) in _ADJACENT


def blocks(root: _Element, *, without: frozenset[_Element]) -> list[Block]:
    """Return the visible text below `root` in order, leaving out the elements `without`."""
    renderer = _Renderer(without)
    renderer.visit(root)
    renderer.flush(root)
    return renderer.blocks


class _Renderer:
    def __init__(self, without: frozenset[_Element]) -> None:
        self.blocks: list[Block] = []
        self._without = without
        self._inline: list[str] = []
        self._linked = 0
        self._in_link = False
        self._lists: list[_Element] = []
        self._numbers: dict[_Element, int] = {}  # of the next item of each numbered list
        # What the first block inside an item, term or definition becomes, and its marker.
        self._next: tuple[Role, _Element, str] | None = None

    def flush(self, element: _Element, *, level: int | None = None) -> None:
        """End the block whose inline text has been gathered, if there is any."""
        text = _LINE_BREAK.sub("\n", _SPACE.sub(" ", "".join(self._inline))).strip()
        linked, self._linked = self._linked, 0
        self._inline.clear()
        if text:
            role = Role.PARAGRAPH if level is None else Role.HEADING
            self._emit(text, element, role=role, level=level, linked=linked)

    def _emit(
        self, text: str, element: _Element, *, role: Role, level: int | None, linked: int
    ) -> None:
        owner = None
        if self._next and role is Role.PARAGRAPH:
            role, owner, marker = self._next
            text = marker + text
        self._next = None
        self.blocks.append(
            Block(text=text, element=element, role=role, owner=owner, level=level, linked=linked)
        )

    def _text(self, text: str | None) -> None:
        if text:
            self._inline.append(text)
            if self._in_link:
                self._linked += len(_SPACE.sub(" ", text))

    def visit(self, element: _Element) -> None:
        """Render `element` without its tail."""
        tag = element.tag
        if tag in _WITHOUT_TEXT or element in self._without:
            return
        if tag == "br":
            self._inline.append("\0")
        elif tag == "pre":
            self._code(element)
        elif tag == "table":
            self.flush(element)
            self._table(element)
        elif tag in {"ul", "ol", "menu", "dir", "dl"}:
            self.flush(element)
            self._lists.append(element)
            self._children(element)
            self.flush(element)
            self._lists.pop()
        elif tag in {"li", "dt", "dd"}:
            self.flush(element)
            self._next = self._list_part(element)
            self._children(element)
            self.flush(element)
            self._next = None
        elif _HEADING.fullmatch(tag):
            self.flush(element)
            self._children(element)
            self.flush(element, level=None if _in_note(element) else int(tag[1]))
        elif tag in _BLOCKS:
            self.flush(element)
            self._children(element)
            self.flush(element)
        elif tag == "a" and element.get("href") is not None:
            outer, self._in_link = self._in_link, True
            self._children(element)
            self._in_link = outer
        else:
            self._children(element)

    def _children(self, element: _Element) -> None:
        self._text(element.text)
        for child in element:
            if isinstance(child.tag, str):
                self.visit(child)
            self._text(child.tail)

    def _list_part(self, element: _Element) -> tuple[Role, _Element, str]:
        owner = self._lists[0] if self._lists else element
        if element.tag == "dt":
            return Role.TERM, owner, ""
        if element.tag == "dd":
            return Role.DEFINITION, owner, ""
        indent = "  " * (len(self._lists) - 1)
        inner = self._lists[-1] if self._lists else element
        if inner.tag != "ol":
            return Role.ITEM, owner, f"{indent}- "
        following = self._numbers.get(inner, _integer(inner.get("start"), default=1))
        number = _integer(element.get("value"), default=following)
        self._numbers[inner] = number + 1
        return Role.ITEM, owner, f"{indent}{number}. "

    def _code(self, element: _Element) -> None:
        self.flush(element)
        for line_break in element.iter("br"):
            line_break.text = "\n"
        text = "".join(map(str, element.itertext())).replace("\r\n", "\n").replace("\r", "\n")
        text = "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")
        if text.strip():
            self._emit(text, element, role=Role.CODE, level=None, linked=0)

    def _table(self, table: _Element) -> None:
        """Render rows as lines of cells; a table that lays out a page as its cells' own blocks."""
        layout = next(table.iterdescendants("table", "h1", "h2"), None) is not None
        for part in table:
            if not isinstance(part.tag, str):
                continue
            for row in part if part.tag in _PARTS_OF_TABLE else (part,):
                cells = [cell for cell in row if cell.tag in {"td", "th"}]
                if not cells or len(cells) == 1 or layout:
                    self.visit(row)
                    self.flush(row)
                elif row not in self._without:
                    self._row(row, cells=cells, table=table)

    def _row(self, row: _Element, *, cells: list[_Element], table: _Element) -> None:
        rendered = [blocks(cell, without=self._without) for cell in cells]
        texts = [" ".join(_SPACE.sub(" ", block.text) for block in cell) for cell in rendered]
        if any(texts):
            linked = sum(block.linked for cell in rendered for block in cell)
            self.blocks.append(
                Block(
                    text=" | ".join(texts),
                    element=row,
                    role=Role.ROW,
                    owner=table,
                    level=None,
                    linked=linked,
                )
            )


def _in_note(element: _Element) -> bool:
    """Tell whether a heading names a box only: what follows the box is not under it."""
    around = " ".join(up.get("class") or "" for up in element.iterancestors())
    return not _NOTES.isdisjoint(around.lower().split())


def _integer(value: str | None, *, default: int) -> int:
    return int(value) if value and re.fullmatch(r"-?[0-9]{1,9}", value) else default
