"""Markdown: the canonical text is the decoded file, unaltered; headings are found by CommonMark."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import yaml
from markdown_it import MarkdownIt

from rag.sources.content import Content, Heading, one_line
from rag.sources.dates import iso_day
from rag.sources.text import decode

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")  # CommonMark's line ends, no others
_FENCE = re.compile(r"---[ \t]*[\r\n]*")
_LONGEST_FRONT_MATTER = 200  # lines; a file that opens with a rule is not parsed as YAML to its end
_DATE_KEYS = ("date", "published")


@dataclass(frozen=True, slots=True, kw_only=True)
class _FrontMatter:
    lines: int
    values: Mapping[str, str]


def read(data: bytes) -> Content:
    """Read Markdown; front matter (YAML between lines of ---) gives title, date and metadata.

    Front matter that is not a YAML mapping is text like any other.
    """
    decoded = decode(data)
    lines = [match.group() for match in _LINE.finditer(decoded.text)]
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    front_matter = _front_matter(lines)
    headings: list[Heading] = []
    body = "".join(lines[front_matter.lines :])
    if front_matter.lines and body.strip():
        blank = len(body) - len(body.lstrip())
        headings.append(Heading(start=starts[front_matter.lines] + blank, level=0, text=""))
    headings += _headings(lines[front_matter.lines :], starts=starts[front_matter.lines :])
    values = dict(front_matter.values)
    title = values.pop("title", None)
    published = None
    for key in _DATE_KEYS:
        if published is None and (day := iso_day(values.get(key, ""))):
            published = day
            del values[key]
    return Content(
        media_type="text/markdown",
        text=decoded.text,
        title=title,
        published=published,
        headings=tuple(headings),
        pages=(),
        metadata={**values, **decoded.metadata},
    )


def _headings(lines: list[str], *, starts: list[int]) -> list[Heading]:
    """Return the headings of the document itself, not those quoted or inside lists."""
    # Each line end is one line feed for the parser, so that its line numbers are ours.
    source = "\n".join(line.rstrip("\r\n") for line in lines)
    tokens = MarkdownIt("commonmark").parse(source)
    headings = []
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open" and opening.level == 0 and opening.map:
            words = "".join(
                " " if child.type.endswith("break") else child.content
                for child in inline.children or ()
                if child.type != "html_inline"
            )
            level = int(opening.tag.removeprefix("h"))
            start = starts[opening.map[0]]
            headings.append(Heading(start=start, level=level, text=one_line(words)))
    return headings


def _front_matter(lines: list[str]) -> _FrontMatter:
    none = _FrontMatter(lines=0, values={})
    if not lines or not _FENCE.fullmatch(lines[0]):
        return none
    fences = (
        number
        for number, line in enumerate(lines[:_LONGEST_FRONT_MATTER])
        if number and _FENCE.fullmatch(line)
    )
    end = next(fences, None)
    if end is None:
        return none
    try:
        # The base loader builds strings, lists and mappings only: values stay as they are written.
        values = yaml.load("".join(lines[1:end]), Loader=yaml.BaseLoader)  # noqa: S506
    except (yaml.YAMLError, RecursionError):
        return none
    if not isinstance(values, dict):
        return none
    strings = {one_line(str(key)): _string(value) for key, value in values.items()}
    return _FrontMatter(
        lines=end + 1,
        values={key: value for key, value in strings.items() if key and value},
    )


def _string(value: object) -> str:
    """Return a scalar, or a list of scalars joined by commas; anything deeper is left out."""
    if isinstance(value, list):
        return ", ".join(one_line(item) for item in value if isinstance(item, str))
    return one_line(value) if isinstance(value, str) else ""
