"""Files of every format, made by hand: small enough to read, whole enough to be real."""

from collections.abc import Callable, Sequence
from io import BytesIO
from itertools import pairwise

import docx
import pytest

from rag.documents import Document

# One piece of text on a page: x and y from the lower left corner and font size, all in points.
Piece = tuple[float, float, float, str]
MakePdf = Callable[..., bytes]


def _literal(text: str) -> bytes:
    escaped = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
    return b"(" + escaped.encode("cp1252") + b")"


def build_pdf(
    pages: Sequence[Sequence[Piece]],
    *,
    information: dict[str, str] | None = None,
    outline: Sequence[tuple[str, int]] = (),
    encrypted: bool = False,
    characters: dict[str, str] | None = None,
) -> bytes:
    """Write a PDF 1.4 by hand; `outline` holds titles and 0-based page indices.

    `characters` says, as fonts do, for which other characters some stand. An encrypted file has the
    hashes of a password that nobody knows.
    """
    first_page = 6
    kids = " ".join(f"{first_page + 2 * number} 0 R" for number in range(len(pages)))
    first_item = first_page + 2 * len(pages)
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R /Outlines 4 0 R >>",
        2: f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        3: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding"
        b" /ToUnicode 5 0 R >>",
        4: f"<< /First {first_item} 0 R /Last {first_item + len(outline) - 1} 0 R >>".encode()
        if outline
        else b"<< >>",
        5: _stream(_to_unicode(characters or {})),
    }
    for number, pieces in enumerate(pages):
        drawing = b"0 0 m 9 9 l S\n" + b"".join(
            f"BT /F1 {size} Tf {x} {y} Td ".encode() + _literal(text) + b" Tj ET\n"
            for x, y, size, text in pieces
        )
        page = first_page + 2 * number
        objects[page] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {page + 1} 0 R"
            " /Resources << /Font << /F1 3 0 R >> >> >>"
        ).encode()
        objects[page + 1] = _stream(drawing)
    for number, (title, index) in enumerate(outline):
        item = first_item + number
        following = f"/Next {item + 1} 0 R " if number + 1 < len(outline) else ""
        objects[item] = (
            b"<< /Title "
            + _literal(title)
            + f" /Parent 4 0 R {following}/Dest [{first_page + 2 * index} 0 R /Fit] >>".encode()
        )
    trailer = b"/Root 1 0 R"
    if information:
        entries = b" ".join(
            b"/" + key.encode() + b" " + _literal(value) for key, value in information.items()
        )
        objects[max(objects) + 1] = b"<< " + entries + b" >>"
        trailer += b" /Info %d 0 R" % max(objects)
    if encrypted:
        unknown = b"<" + b"5a" * 32 + b">"
        trailer += b" /ID [<00> <00>] /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 "
        trailer += b"/O " + unknown + b" /U " + unknown + b" >>"
    return _assemble(objects, trailer=trailer)


def _stream(data: bytes) -> bytes:
    return b"<< /Length %d >>\nstream\n%s\nendstream" % (len(data), data)


def _to_unicode(characters: dict[str, str]) -> bytes:
    pairs = "".join(
        f"<{code.encode('cp1252').hex()}> <{meant.encode('utf-16-be').hex()}>\n"
        for code, meant in characters.items()
    )
    return (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapType 2 def\n"
        "1 begincodespacerange <00> <ff> endcodespacerange\n"
        f"{len(characters)} beginbfchar\n{pairs}endbfchar\nendcmap end end"
    ).encode()


def _assemble(objects: dict[int, bytes], *, trailer: bytes) -> bytes:
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number in sorted(objects):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, objects[number])
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d %s >>\n" % (len(objects) + 1, trailer)
    out += b"startxref\n%d\n%%%%EOF\n" % table
    return bytes(out)


def build_docx(fill: Callable[..., None]) -> bytes:
    """Make a Word document: `fill` gets the empty one."""
    document = docx.Document()
    fill(document)
    buffer = BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def check_invariants(document: Document) -> None:
    """Assert what holds for every document, whatever its source."""
    length = len(document.text)
    assert document.text.strip()
    assert document.title.strip()
    document.text.encode()  # fails for lone surrogates
    assert "\0" not in document.text
    for value in (document.title, *document.metadata, *document.metadata.values()):
        value.encode()
        assert "\0" not in value
    assert document.sections[0].start == 0
    assert document.sections[-1].end == length
    assert all(before.end == after.start for before, after in pairwise(document.sections))
    assert all(section.start < section.end for section in document.sections)
    if document.pages:
        assert document.pages[0].start == 0
        assert document.pages[-1].end == length
        assert all(before.end == after.start for before, after in pairwise(document.pages))
        assert all(before.number < after.number for before, after in pairwise(document.pages))


@pytest.fixture(scope="session")
def make_pdf() -> MakePdf:
    return build_pdf


@pytest.fixture(scope="session")
def make_docx() -> Callable[..., bytes]:
    return build_docx


@pytest.fixture(scope="session")
def assert_consistent() -> Callable[[Document], None]:
    return check_invariants
