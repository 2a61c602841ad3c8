"""What every reader gives: text, its headings and pages; and the way they become a Document."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

from rag.documents import Document, Page, Section, document_id
from rag.errors import NoText

_FORBIDDEN = re.compile("[\x00\ud800-\udfff]")
_LINE_END = re.compile(r"\r\n?")
# Characters; what is longer is prose that is marked wrongly. Headings stand in every chunk's path.
_LONGEST_TITLE = 300
_LONGEST_HEADING = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A heading at code point `start` of the text; `level` 1 is the outermost.

    Level 0 opens a section without a heading: it only ends what came before.
    """

    start: int
    level: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The canonical text of one document and what its format tells about it.

    `title` is None where the source has none. `headings` are in order of their `start`.
    """

    media_type: str
    text: str
    title: str | None
    published: str | None
    headings: tuple[Heading, ...]
    pages: tuple[Page, ...]
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extract:
    """What a reader made of one document, before it has a uri.

    `record` tells the documents of one file apart, None where the file is one document. `sha256` is
    the hex digest of the document's own bytes, None where they are the whole file.
    """

    record: str | None
    sha256: str | None
    content: Content


def storable(text: str) -> str:
    """Return `text` without NULs and lone surrogates, which UTF-8 and databases cannot hold."""
    return _FORBIDDEN.sub("", text)


def clean(text: str) -> str:
    """Return extracted text as it may be stored: `storable`, with line ends as a line feed."""
    return _LINE_END.sub("\n", storable(text))


def one_line(text: str) -> str:
    """Return `text` fit for a title or a heading path: `storable`, white space collapsed."""
    return " ".join(storable(text).split())


class TextBuilder:
    """Joins extracted blocks into one text, a blank line between them, and knows the offsets."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._headings: list[Heading] = []
        self.length = 0

    def add(self, block: str, *, level: int | None = None, separator: str = "\n\n") -> int:
        """Append a block, a heading where `level` is given; return its offset in the text.

        A block without visible text is left out; the indentation of its first line is kept.
        `separator` stands before the block.
        """
        block = clean(block).rstrip().lstrip("\n")
        if not block:
            return self.length
        if self._parts:
            self._parts.append(separator)
            self.length += len(separator)
        start = self.length
        self._parts.append(block)
        self.length += len(block)
        if level is not None:
            self._headings.append(Heading(start=start, level=level, text=one_line(block)))
        return start

    @property
    def text(self) -> str:
        """The whole text so far."""
        return "".join(self._parts)

    @property
    def headings(self) -> tuple[Heading, ...]:
        """The headings so far, in order."""
        return tuple(self._headings)


def to_document(extract: Extract, *, name: str, uri: str, data: bytes) -> Document:
    """Return the Document that was read from the bytes `data` of the file `name` at `uri`.

    The title is the source's own, else its first heading, else the stem of the file's name; titles
    and headings are cut where they are too long to be any. Raises NoText for a text of white space
    only.
    """
    content = extract.content
    if not content.text.strip():
        message = "the file holds no text, only white space: there is nothing to read in it"
        raise NoText(message)
    if extract.record is not None:
        uri = f"{uri}#{extract.record}"
    first_heading = next((heading.text for heading in content.headings if heading.text), None)
    candidates = (content.title, first_heading, PurePath(name).stem, name)
    titles = (one_line(candidate) for candidate in candidates if candidate)
    return Document(
        id=document_id(uri),
        uri=uri,
        title=next((_cut(title, _LONGEST_TITLE) for title in titles if title), "Untitled"),
        media_type=content.media_type,
        text=content.text,
        sha256=extract.sha256 or hashlib.sha256(data).hexdigest(),
        published=content.published,
        sections=_sections(content.headings, length=len(content.text)),
        pages=content.pages,
        metadata={storable(key): storable(value) for key, value in content.metadata.items()},
    )


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def _sections(headings: tuple[Heading, ...], *, length: int) -> tuple[Section, ...]:
    sections: list[Section] = []
    start = 0
    path: tuple[str, ...] = ()
    open_headings: list[Heading] = []
    for heading in headings:
        if heading.start > start:
            sections.append(Section(start=start, end=heading.start, path=path))
        while open_headings and open_headings[-1].level >= heading.level:
            open_headings.pop()
        if heading.level > 0:
            open_headings.append(heading)
        start = heading.start
        path = tuple(_cut(outer.text, _LONGEST_HEADING) for outer in open_headings if outer.text)
    sections.append(Section(start=start, end=length, path=path))
    return tuple(sections)
