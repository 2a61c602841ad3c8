"""Lines of a paginated document and how they flow into paragraphs."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from rag.sources.content import Heading, one_line

_FEWEST_PAGES = 3  # fewer cannot show what recurs
_RECURS = 0.4  # of the pages: left and right pages often have heads of their own
_EDGE_LINES = 2  # how many lines at the top and at the bottom of a page may be running ones
_DIGITS = re.compile(r"\d+")
_NUMBER_AT_EDGE = re.compile(r"(\d{1,5})\b.*|.*\b(\d{1,5})")
_HYPHENS = ("-", "\N{HYPHEN}", "\N{SOFT HYPHEN}", "\x02")  # PDFium gives U+0002 at line ends
_SENTENCE_END = re.compile(r"""[.!?:;…。！？][)\]"'”’»]*$""")
_ITEM = re.compile(r"[•◦▪‣●○■\-–—*]\s|\(?(\d{1,3}|[a-zA-Z])[.)]\s")
_NUMBERING = 14  # characters that a heading may have before its bookmark's title: "Appendix C. "


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of text on a page; lengths in points, `bottom` grows upwards, `size` is its height."""

    text: str
    page: int
    left: float
    right: float
    bottom: float
    size: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookmark:
    """An entry of a document's outline; `level` 1 is the outermost, `page` is 1-based."""

    title: str
    level: int
    page: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Flowed:
    """Text with its headings; `page_starts` holds (page number, offset) of each page with text."""

    text: str
    headings: tuple[Heading, ...]
    page_starts: list[tuple[int, int]]


def without_running_lines(pages: Sequence[list[Line]]) -> list[list[Line]]:
    """Drop heads and feet: lines at the edges of many pages that have something in common.

    That is their text but for digits, a number that counts the pages, or a place apart from the
    text. Documents of less than three pages are left alone.
    """
    written = [page for page in pages if page]
    if len(written) < _FEWEST_PAGES:
        return list(pages)
    needed = max(_FEWEST_PAGES, _RECURS * len(written))
    sizes = median(line.size for page in written for line in page)
    marks: Counter[tuple[str, object]] = Counter()
    for page in written:
        marks.update({mark for place in _edges(page) for mark in _marks(page, place, body=sizes)})
    kept = []
    for page in pages:
        running = {
            index
            for place in _edges(page)
            for index in [place % len(page)]
            if any(marks[mark] >= needed for mark in _marks(page, place, body=sizes))
        }
        kept.append([line for index, line in enumerate(page) if index not in running])
    return kept


def _edges(page: list[Line]) -> list[int]:
    """Return the places at a page's top (0, 1) and bottom (-1, -2)."""
    top = range(min(_EDGE_LINES, len(page)))
    return [*top, *(-1 - place for place in top)]


def _marks(page: list[Line], place: int, *, body: float) -> set[tuple[str, object]]:
    """Return what would be the same on other pages if the line at `place` were a running one."""
    line = page[place]
    marks: set[tuple[str, object]] = {("text", _DIGITS.sub("#", line.text.casefold()))}
    if place not in {0, -1}:
        return marks
    if match := _NUMBER_AT_EDGE.fullmatch(line.text):
        marks.add(("number", int(match.group(1) or match.group(2)) - line.page))
    if len(page) > 1:
        inner = page[1 if place == 0 else -2]
        apart = abs(line.bottom - inner.bottom) > 1.6 * max(line.size, inner.size)
        # The titles of slides stand apart at one height as well, but in large letters.
        if apart and line.size < 1.15 * body:
            marks.add(("place", (place, round(line.bottom / 2))))
    return marks


def flow(pages: Iterable[list[Line]], *, bookmarks: Sequence[Bookmark]) -> Flowed:
    """Join lines into paragraphs, a blank line between them, also across the ends of pages.

    A word that is hyphenated at a line's end is joined, unless the document has it with the hyphen
    elsewhere. Lines that bear a bookmark's title are headings and paragraphs of their own.
    """
    lines = [line for page in pages for line in page]
    words = Counter(word for line in lines for word in _words(line.text))
    steps = [
        before.bottom - line.bottom
        for before, line in pairwise(lines)
        if before.page == line.page and 0.5 * line.size < before.bottom - line.bottom
    ]
    step = median(steps) if steps else 0.0
    right = median([line.right for line in lines]) if lines else 0.0
    levels = _heading_levels(lines, bookmarks=bookmarks)
    parts: list[str] = []
    headings: list[Heading] = []
    starts: list[tuple[int, int]] = []
    length = 0
    for index, line in enumerate(lines):
        glue = ""
        if index:
            before = lines[index - 1]
            separate = index in levels or index - 1 in levels
            if separate or _starts_paragraph(line, before=before, step=step, right=right):
                glue = "\n\n"
            elif before.text.endswith(_HYPHENS) and line.text[:1].islower():
                if not _keeps_hyphen(before.text, line.text, words=words):
                    parts[-1] = parts[-1][:-1]
                    length -= 1
            else:
                glue = " "
        start = length + len(glue)
        if not starts or starts[-1][0] != line.page:
            starts.append((line.page, start if starts else 0))
        if index in levels:
            headings.append(Heading(start=start, level=levels[index], text=one_line(line.text)))
        parts += (glue, line.text)
        length = start + len(line.text)
    text = "".join(parts).replace("\x02", "-")
    return Flowed(text=text, headings=tuple(headings), page_starts=starts)


def _starts_paragraph(line: Line, *, before: Line, step: float, right: float) -> bool:
    ended = _SENTENCE_END.search(before.text) is not None
    if _ITEM.match(line.text):
        return True
    resized = abs(line.size - before.size) > 0.15 * max(line.size, before.size)
    if resized and not line.text[:1].islower():
        return True
    gap = before.bottom - line.bottom
    if line.page != before.page or gap < 0:  # the next page or column
        return ended or not line.text[:1].islower()
    if gap > 1.3 * max(step, line.size):
        return True
    indented = line.left > before.left + line.size
    short = before.right < right - 3 * line.size
    return ended and (indented or short) and not line.text[:1].islower()


def _keeps_hyphen(before: str, after: str, *, words: Counter[str]) -> bool:
    first, second = before[:-1].split()[-1:], after.split()[:1]
    if not first or before[-1] == "\N{SOFT HYPHEN}":
        return False
    head, tail = _words(f"{first[0]}-{second[0]}")[-1:], _words(f"{first[0]}{second[0]}")[-1:]
    return bool(head) and words[head[0]] > (words[tail[0]] if tail else 0)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+(?:-\w+)*", text.lower())


def _heading_levels(lines: list[Line], *, bookmarks: Sequence[Bookmark]) -> dict[int, int]:
    """Return the indices of the lines that bear a bookmark's title, and their levels."""
    on_page: dict[int, list[int]] = {}
    for index, line in enumerate(lines):
        on_page.setdefault(line.page, []).append(index)
    levels: dict[int, int] = {}
    for bookmark in bookmarks:
        title = bookmark.title.casefold()
        for index in on_page.get(bookmark.page, ()):
            text = one_line(lines[index].text).casefold()
            if (
                index not in levels
                and text.endswith(title)
                and len(text) - len(title) <= _NUMBERING
            ):
                levels[index] = bookmark.level
                break
    return levels
