"""Word documents: paragraphs, lists and tables in the order of the body, notes at the end."""

import zipfile
from collections.abc import Iterator
from io import BytesIO
from zlib import error as ZlibError  # noqa: N812 (a class, whatever its name)

import docx
from docx.document import Document as WordDocument
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.opc.exceptions import OpcError
from docx.oxml.ns import qn
from docx.oxml.parser import parse_xml
from lxml import etree
from lxml.etree import _Element

from rag.errors import BrokenFile, EncryptedFile
from rag.sources.content import Content, TextBuilder, one_line
from rag.sources.word_styles import Style, Styles, number_formats, value_of

_LARGEST = 500_000_000  # bytes unpacked; more is a zip bomb, or nothing that memory should hold
# What python-docx and the libraries below it raise on damaged files.
_DAMAGE = (
    zipfile.BadZipFile, ZlibError, EOFError, OSError, NotImplementedError, OpcError,
    etree.LxmlError, ValueError, TypeError, AttributeError, LookupError, AssertionError,
    RecursionError,
)  # fmt: skip

_BREAKS = {qn("w:tab"): "\t", qn("w:br"): "\n", qn("w:cr"): "\n", qn("w:noBreakHyphen"): "\u2011"}
# Deleted text, the text of field codes, older copies of a drawing, and paragraphs in text boxes,
# which are read on their own.
_NOT_PART = {
    qn("w:del"), qn("w:moveFrom"), qn("w:instrText"), qn("w:txbxContent"), qn("w:pPr"),
    "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback",
}  # fmt: skip


def read(data: bytes) -> Content:
    """Read a Word document; heading styles become sections, its properties give title and date.

    Raises EncryptedFile for an encrypted archive, BrokenFile for a damaged one.
    """
    try:
        _check_archive(data)
        document = docx.Document(BytesIO(data))
        text = TextBuilder()
        styles = Styles(document)
        _Body(document, styles=styles, text=text).add(document.element.body)
        for note in _notes(document):
            text.add(note)
        properties = document.core_properties
        title = properties.title or _styled_title(document, styles=styles)
        author, created = properties.author, properties.created
    except _DAMAGE as error:
        message = f"the Word document is damaged: open it in Word and save it again ({error})"
        raise BrokenFile(message) from error
    if author == "python-docx":  # the template's author and date, which nobody has replaced
        author, created = "", None
    return Content(
        media_type="application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        text=text.text,
        title=title,
        published=created.date().isoformat() if created else None,
        headings=text.headings,
        pages=(),
        metadata={"author": one_line(author)} if author.strip() else {},
    )


def _check_archive(data: bytes) -> None:
    with zipfile.ZipFile(BytesIO(data)) as archive:
        members = archive.infolist()
    if any(member.flag_bits & 1 for member in members):
        message = "the document is encrypted: save it without a password"
        raise EncryptedFile(message)
    if sum(member.file_size for member in members) > _LARGEST:
        message = f"the document unpacks to more than {_LARGEST:,} bytes: split it"
        raise BrokenFile(message)


class _Body:
    """Adds the blocks of a body to a text, counting the items of its numbered lists."""

    def __init__(self, document: WordDocument, *, styles: Styles, text: TextBuilder) -> None:
        self._text = text
        self._styles = styles
        self._formats = number_formats(document)
        self._counts: dict[tuple[str, int], int] = {}
        self._in_list = False

    def add(self, container: _Element) -> None:
        """Add the paragraphs and tables of `container`, and of content controls in it."""
        for block in container:
            if block.tag == qn("w:p"):
                self._paragraph(block)
            elif block.tag == qn("w:tbl"):
                self._table(block)
            elif block.tag in {qn("w:sdt"), qn("w:sdtContent"), qn("w:ins"), qn("w:customXml")}:
                self.add(block)

    def _paragraph(self, paragraph: _Element) -> None:
        text = _text_of(paragraph).strip()
        style = self._styles.of(paragraph)
        level = _heading_level(paragraph, style)
        marker = "" if level or not text else self._marker(paragraph, style)
        separator = "\n" if marker and self._in_list else "\n\n"
        self._text.add(marker + text, level=level, separator=separator)
        if text:
            self._in_list = bool(marker)
        for box in _boxes(paragraph):
            self.add(box)

    def _marker(self, paragraph: _Element, style: Style) -> str:
        number = value_of(paragraph, "w:pPr/w:numPr/w:numId") or style.number or "0"
        indent = value_of(paragraph, "w:pPr/w:numPr/w:ilvl") or style.indent or "0"
        if number == "0" or not indent.isdecimal():  # 0 takes a paragraph out of its style's list
            return ""
        level = int(indent)
        if self._formats.get((number, level), "bullet") in {"bullet", "none"}:
            return "  " * level + "- "
        count = self._counts.get((number, level), 0) + 1
        self._counts[number, level] = count
        for deeper in [key for key in self._counts if key[0] == number and key[1] > level]:
            del self._counts[deeper]
        return "  " * level + f"{count}. "

    def _table(self, table: _Element) -> None:
        self._in_list = False
        first = True
        for row in table.iter(qn("w:tr")):
            if next(row.iterancestors(qn("w:tbl"))) is not table:
                continue  # a row of a table inside a cell, which is part of the cell's text
            cells = [_cell_text(cell) for cell in row.iterchildren(qn("w:tc"), qn("w:sdt"))]
            if any(cells):
                self._text.add(" | ".join(cells), separator="\n\n" if first else "\n")
                first = False


def _cell_text(cell: _Element) -> str:
    texts = (one_line(_text_of(paragraph)) for paragraph in cell.iter(qn("w:p")))
    return " ".join(text for text in texts if text)


def _text_of(paragraph: _Element) -> str:
    return "".join(_pieces(paragraph))


def _pieces(element: _Element) -> Iterator[str]:
    for child in element:
        if child.tag == qn("w:t"):
            yield child.text or ""
        elif child.tag in _BREAKS:
            yield _BREAKS[child.tag]
        elif child.tag not in _NOT_PART:
            yield from _pieces(child)


def _boxes(paragraph: _Element) -> Iterator[_Element]:
    for box in paragraph.iter(qn("w:txbxContent")):
        around = {element.tag for element in box.iterancestors()}
        inner = next(box.iterancestors(qn("w:p"))) is not paragraph
        if not inner and not around & _NOT_PART:
            yield box


def _heading_level(paragraph: _Element, style: Style) -> int | None:
    if style.heading is not None:
        return style.heading
    outline = value_of(paragraph, "w:pPr/w:outlineLvl") or style.outline or "9"
    return int(outline) + 1 if outline in set("012345678") else None  # 9 is body text


def _styled_title(document: WordDocument, *, styles: Styles) -> str | None:
    paragraphs = document.element.body.iterchildren(qn("w:p"))
    texts = (_text_of(one) for one in paragraphs if styles.of(one).name == "Title")
    return next((text for text in texts if text.strip()), None)


def _notes(document: WordDocument) -> Iterator[str]:
    for kind in (RELATIONSHIP_TYPE.FOOTNOTES, RELATIONSHIP_TYPE.ENDNOTES):
        for relation in document.part.rels.values():
            if relation.reltype == kind and not relation.is_external:
                for note in parse_xml(relation.target_part.blob):
                    if note.get(qn("w:type")) is None:  # others are separator lines
                        yield " ".join(_text_of(one) for one in note.iter(qn("w:p")))
