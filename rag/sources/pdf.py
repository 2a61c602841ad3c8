"""PDF: page by page, without running heads and feet, lines joined into paragraphs."""

import re
import threading
from collections.abc import Iterator

import pypdfium2  # type: ignore[import-untyped]
from pypdfium2 import raw

from rag.documents import Page
from rag.errors import BrokenFile, EncryptedFile, NoText
from rag.sources.content import Content, one_line
from rag.sources.dates import iso_day
from rag.sources.layout import Bookmark, Line, flow, without_running_lines

# PDFium is not safe for threads, whatever documents they work on.
_PDFIUM = threading.Lock()

# PDFium ends a line that it takes for hyphenated with U+0002, and goes on without a line end.
_LAYOUT = frozenset(map(ord, "\t\r\n\x02"))
_LINE = re.compile("[^\r\n\x02]*\x02?")
_BLANK = re.compile(r"[ \t]+")
_LEADERS = re.compile(r"(?: ?\.){5,}(?= )")  # the dots between an entry and its page number
_NOT_A_TITLE = re.compile(r"(?i)untitled.*|.*\.(docx?|odt|tex|dvi|indd|pdf|rtf|xlsx?|pptx?|qxd)")
_PASSWORD_ERRORS = {raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY}


def read(data: bytes) -> Content:
    """Read a PDF; its outline (bookmarks) gives the sections, its information the title and date.

    Raises EncryptedFile where a password is needed, BrokenFile for a damaged file or page, NoText
    where no page has text.
    """
    with _PDFIUM:
        pages, bookmarks, information = _extract(data)
    if not any(pages):
        message = (
            "the PDF holds no text, only pictures (a scan?): "
            "run OCR on it (for example with ocrmypdf) and give the result"
        )
        raise NoText(message)
    flowed = flow(without_running_lines(pages), bookmarks=bookmarks)
    title = one_line(information.get("Title", "")).removeprefix("Microsoft Word - ")
    author = one_line(information.get("Author", ""))
    return Content(
        media_type="application/pdf",
        text=flowed.text,
        title=None if _NOT_A_TITLE.fullmatch(title) else title,
        published=iso_day(information.get("CreationDate", "")),
        headings=flowed.headings,
        pages=_pages(flowed.page_starts, length=len(flowed.text)),
        metadata={"author": author} if author else {},
    )


def _extract(data: bytes) -> tuple[list[list[Line]], list[Bookmark], dict[str, str]]:
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code in _PASSWORD_ERRORS:
            message = "the PDF needs a password: save it without one (qpdf --decrypt) and try again"
            raise EncryptedFile(message) from error
        message = f"the file is not a PDF, or is damaged: get it again ({error})"
        raise BrokenFile(message) from error
    number = 0
    try:
        pages = []
        for number in range(1, len(document) + 1):
            pages.append(list(_lines(document, number=number)))
        return pages, _bookmarks(document), document.get_metadata_dict()
    except pypdfium2.PdfiumError as error:
        message = f"page {number} of the PDF is damaged: get the file again ({error})"
        raise BrokenFile(message) from error
    finally:
        document.close()


def _lines(document: pypdfium2.PdfDocument, *, number: int) -> Iterator[Line]:
    page = document[number - 1]
    try:
        text_page = page.get_textpage()
        try:
            # One by one, so that places in the text are PDFium's, which ask for a character's box.
            unicode, handle = raw.FPDFText_GetUnicode, text_page.raw
            units = "".join(_unit(unicode(handle, i)) for i in range(text_page.count_chars()))
            for start, end in _line_spans(units):
                if text := _text(units[start:end]):
                    yield _line(text_page, text, start=start, end=end, page=number)
        finally:
            text_page.close()
    finally:
        page.close()


def _unit(code: int) -> str:
    """Return a code unit of UTF-16, a blank for one that stands for no character."""
    if code < 0x20:
        return chr(code) if code in _LAYOUT else " "
    return chr(code) if code < 0xFFFE else " "


def _text(units: str) -> str:
    """Return the text of a line: pairs of surrogates are one character, lone ones none."""
    text = units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    return _BLANK.sub(" ", _LEADERS.sub(" ", text)).strip(" \t")


def _line_spans(units: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each line with visible text, without the blanks around it."""
    for match in _LINE.finditer(units):
        text = match.group()
        if visible := text.strip():
            start = match.start() + text.index(visible[0])
            yield start, start + len(visible)


def _line(text_page: pypdfium2.PdfTextPage, text: str, *, start: int, end: int, page: int) -> Line:
    left, bottom, _, top = text_page.get_charbox(start, loose=True)
    _, _, right, _ = text_page.get_charbox(end - 1, loose=True)
    return Line(text=text, page=page, left=left, right=right, bottom=bottom, size=top - bottom)


def _bookmarks(document: pypdfium2.PdfDocument) -> list[Bookmark]:
    found = []
    for bookmark in document.get_toc():
        target = bookmark.get_dest()
        index = target.get_index() if target else None
        title = one_line(bookmark.get_title())
        if index is not None and title:
            found.append(Bookmark(title=title, level=bookmark.level + 1, page=index + 1))
    return found


def _pages(starts: list[tuple[int, int]], *, length: int) -> tuple[Page, ...]:
    ends = [start for _, start in starts[1:]] + [length]
    return tuple(
        Page(start=start, end=end, number=number)
        for (number, start), end in zip(starts, ends, strict=True)
    )
