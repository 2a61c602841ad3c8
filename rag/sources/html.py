"""HTML: the canonical text is the page's content, without navigation, banners and related links."""

import codecs
import logging
import re
from copy import copy, deepcopy

import trafilatura
from htmldate import find_date
from lxml import etree
from lxml.etree import _Element
from lxml.html import Element, HTMLParser

from rag.errors import BrokenFile, NoText, UnsupportedFormat
from rag.sources.boilerplate import boilerplate, content_blocks, main_content
from rag.sources.content import Content, TextBuilder, one_line, storable
from rag.sources.markup import Block, blocks
from rag.sources.text import decode

_LARGEST = 20_000_000  # bytes; larger pages are data exports, and take gigabytes as a tree
_DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([a-zA-Z0-9_:.-]+)""")
_CHARSETS = re.compile(r"utf-8|cp\d+|iso8859-\d+|koi8-\w|shift_jis\w*|euc_\w+|gb\w+|hz|big5\w*")
_ENOUGH = 0.3  # of the page's text; an element marked as main that holds less is only a part
# They log what they cannot find; what that means for the page is said by its error, if it is one.
logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
logging.getLogger("htmldate").setLevel(logging.CRITICAL)

# What the extractors raise on pages that break their assumptions.
_EXTRACTION_ERRORS = (
    ValueError, TypeError, AttributeError, LookupError, RecursionError, etree.LxmlError
)  # fmt: skip


def read(data: bytes) -> Content:
    """Read a page; headings become sections, its own metadata gives title, date and author.

    Raises UnsupportedFormat above 20 MB, BrokenFile for markup beyond the parser's limits (256
    elements deep, 10 MB of text in one element), NoText for a page that scripts would fill.
    """
    if len(data) > _LARGEST:
        message = f"the page is larger than {_LARGEST:,} bytes: split it into smaller files"
        raise UnsupportedFormat(message)
    tree = _parse(_decode(data))
    body = tree.find(".//body")
    if body is None:
        raise _no_text()
    found = _content(tree, body=body)
    details, published = _details(tree)
    text = TextBuilder()
    for number, block in enumerate(found):
        closely = number > 0 and block.follows_closely(found[number - 1])
        text.add(block.text, level=block.level, separator="\n" if closely else "\n\n")
    if not text.length:
        raise _no_text()
    named = {"author": details.author, "publisher": details.sitename}
    return Content(
        media_type="text/html",
        text=text.text,
        title=details.title,
        published=published,
        headings=text.headings,
        pages=(),
        metadata={key: one_line(value) for key, value in named.items() if value},
    )


def _no_text() -> NoText:
    return NoText(
        "the page holds no text: if a browser shows some, scripts load it; "
        "print the page to PDF and give that"
    )


def _decode(data: bytes) -> str:
    """Decode as browsers do: byte order mark, declared encoding, UTF-8, what it looks like."""
    declared = _DECLARED.search(data[:1024])
    encoding = _codec(declared.group(1).decode("ascii")) if declared else None
    marked = data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if encoding and not marked:
        for candidate in (encoding, "utf-8"):
            try:
                return storable(data.decode(candidate))
            except UnicodeError:
                continue
        return storable(data.decode(encoding, errors="replace"))
    return decode(data.replace(b"\0", b"") if not marked else data).text


def _codec(label: str) -> str | None:
    """Return Python's name of a web encoding, None for unknown ones and codecs of other kinds."""
    try:
        name = codecs.lookup(label).name
    except (LookupError, ValueError):
        return None
    if name in {"iso8859-1", "ascii"}:
        return "cp1252"  # the web's meaning of these labels (WHATWG Encoding)
    return name if _CHARSETS.fullmatch(name) else None


def _parse(markup: str) -> _Element:
    parser = HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    try:
        tree = etree.fromstring(markup.encode(), parser)
    except etree.ParserError as error:
        raise _no_text() from error
    except etree.XMLSyntaxError as error:
        message = f"the page cannot be parsed as HTML ({error}): save it from a browser again"
        raise BrokenFile(message) from error
    for entry in parser.error_log:
        if entry.type_name == "ERR_RESOURCE_LIMIT":
            limit = entry.message.partition(", ")[0]
            message = f"the page is beyond the parser's limits ({limit}): split or simplify it"
            raise BrokenFile(message)
    if tree is None:
        raise _no_text()
    return tree


def _content(tree: _Element, *, body: _Element) -> list[Block]:
    without = boilerplate(body)
    everything = blocks(body, without=without)
    main = main_content(body, without=without)
    if main is not None:
        inside = blocks(main, without=without)
        if _size(inside) >= _ENOUGH * _size(everything):
            return inside
    return content_blocks(everything, kept=_extracted_text(tree))


def _extracted_text(tree: _Element) -> str:
    """Return the text that trafilatura takes for the page's content, empty where it finds none."""
    try:
        document = trafilatura.bare_extraction(copy(tree), include_comments=False)
    except _EXTRACTION_ERRORS as error:
        raise _not_analysed(error) from error
    if document is None or isinstance(document, dict) or document.body is None:
        return ""
    return " ".join(map(str, document.body.itertext()))


def _details(tree: _Element) -> tuple[trafilatura.metadata.Document, str | None]:
    """Return the page's metadata and its day of publication."""
    try:
        details = trafilatura.extract_metadata(_machine_readable(tree))
        day = find_date(_machine_readable(tree), extensive_search=False, original_date=True)
    except _EXTRACTION_ERRORS as error:
        raise _not_analysed(error) from error
    return details, day


def _not_analysed(error: Exception) -> BrokenFile:
    return BrokenFile(f"the page's structure is damaged ({error}): save it from a browser again")


def _size(found: list[Block]) -> int:
    return sum(len(block.text) for block in found)


def _machine_readable(tree: _Element) -> _Element:
    """Return the page's statements about itself, without the prose in which dates are found too."""
    page: _Element = Element("html")
    head = tree.find(".//head")
    if head is not None:
        page.append(deepcopy(head))
    body = etree.SubElement(page, "body")
    for element in tree.iter("time", "h1", "script"):
        program = element.tag == "script" and element.get("type") != "application/ld+json"
        if not program and next(element.iterancestors("head"), None) is None:
            body.append(deepcopy(element))
    return page
