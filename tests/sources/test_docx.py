"""Word: paragraphs, lists and tables in order, headings as sections."""

import datetime as dt
import zipfile
from io import BytesIO

import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

from rag.errors import BrokenFile, EncryptedFile, NoText
from rag.sources import read_bytes


def read(data: bytes, name: str = "file.docx"):
    return read_bytes(data, name=name, uri=name)[0]


def report(document):
    document.core_properties.title = "Annual report"
    document.core_properties.author = "A. Mason"
    document.core_properties.created = dt.datetime(2022, 5, 6, 7, 8)  # noqa: DTZ001
    document.add_heading("Summary", 1)
    document.add_paragraph("Before the table.")
    table = document.add_table(2, 3)
    for row, cells in enumerate(table.rows):
        for column, cell in enumerate(cells.cells):
            cell.text = f"r{row}c{column}"
    table.cell(1, 1).merge(table.cell(1, 2))
    table.cell(0, 0).add_paragraph("second\tline")
    document.add_paragraph("After the table.")
    document.add_heading("Details", 2)
    document.add_paragraph("one", style="List Bullet")
    document.add_paragraph("two", style="List Bullet")
    document.add_paragraph("first", style="List Number")
    document.add_paragraph("second", style="List Number")
    document.add_paragraph("The end.")


def test_order_lists_tables_and_sections(make_docx):
    """The body's order is kept; a merged cell stands once."""
    document = read(make_docx(report))
    assert document.text == "\n\n".join(
        [
            "Summary",
            "Before the table.",
            "r0c0 second line | r0c1 | r0c2\nr1c0 | r1c1 r1c2",
            "After the table.",
            "Details",
            "- one\n- two\n1. first\n2. second",
            "The end.",
        ]
    )
    assert [(document.text[s.start : s.end].split("\n")[0], s.path) for s in document.sections] == [
        ("Summary", ("Summary",)),
        ("Details", ("Summary", "Details")),
    ]


def test_properties_give_title_date_and_author(make_docx):
    """They are the document's own, not those of the template it was made from."""
    document = read(make_docx(report))
    assert document.title == "Annual report"
    assert document.published == "2022-05-06"
    assert document.metadata == {"author": "A. Mason"}
    bare = read(make_docx(lambda one: one.add_paragraph("Text.")))
    assert (bare.title, bare.published, bare.metadata) == ("file", None, {})


def test_a_paragraph_in_the_title_style_is_the_title(make_docx):
    """Where the properties name none."""

    def fill(document):
        document.add_heading("The styled title", 0)
        document.add_paragraph("Text.")

    assert read(make_docx(fill)).title == "The styled title"


def test_all_visible_text_of_a_paragraph_is_read(make_docx):
    """Links, tracked insertions, fields and content controls are text; deletions are not."""
    xml = (
        f"<w:p {nsdecls('w')}><w:r><w:t>plain</w:t></w:r>"
        '<w:ins w:id="1" w:author="a"><w:r><w:t> inserted</w:t></w:r></w:ins>'
        '<w:del w:id="2" w:author="a"><w:r><w:delText> deleted</w:delText></w:r></w:del>'
        "<w:hyperlink><w:r><w:t> linked</w:t></w:r></w:hyperlink>"
        "<w:r><w:instrText> PAGE </w:instrText></w:r>"
        "<w:sdt><w:sdtContent><w:r><w:t> controlled</w:t></w:r></w:sdtContent></w:sdt>"
        "<w:r><w:br/><w:t>next line</w:t></w:r></w:p>"
    )
    block = f"<w:sdt {nsdecls('w')}><w:sdtContent><w:p><w:r><w:t>In a control.</w:t></w:r></w:p>"

    def fill(document):
        body = document.element.body
        body.insert(0, parse_xml(xml))
        body.insert(1, parse_xml(block + "</w:sdtContent></w:sdt>"))

    text = read(make_docx(fill)).text
    assert text == "plain inserted linked controlled\nnext line\n\nIn a control."


def test_localised_headings_are_found_by_their_outline_level(make_docx):
    """A style of another name is a heading if its outline level says so."""

    def fill(document):
        style = document.styles.add_style("Kapitel", 1)
        level = parse_xml(f'<w:outlineLvl {nsdecls("w")} w:val="0"/>')
        style.element.get_or_add_pPr().append(level)
        document.add_paragraph("Über uns", style="Kapitel")
        document.add_paragraph("Text.")

    assert read(make_docx(fill)).sections[0].path == ("Über uns",)


def test_files_that_cannot_be_read_say_why(make_docx):
    """Empty, truncated, incomplete, encrypted and oversized documents each have their reason."""
    whole = make_docx(report)
    with pytest.raises(NoText):
        read(make_docx(lambda _: None))
    with pytest.raises(BrokenFile, match="damaged"):
        read(whole[: len(whole) // 2])
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("word/document.xml", "<broken")
    with pytest.raises(BrokenFile, match="damaged"):
        read(buffer.getvalue())
    office = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500) + "EncryptedPackage".encode("utf-16-le")
    )
    with pytest.raises(EncryptedFile, match="password"):
        read(office)
    at = whole.index(b"PK\x01\x02")
    flagged = whole[: at + 8] + b"\x01" + whole[at + 9 :]
    with pytest.raises(EncryptedFile, match="password"):
        read(flagged)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(make_docx, monkeypatch):
    """The archive's own table says how much it would unpack to."""
    monkeypatch.setattr("rag.sources.docx._LARGEST", 10_000)
    with pytest.raises(BrokenFile, match="more than 10,000 bytes"):
        read(make_docx(report))
