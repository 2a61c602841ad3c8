"""Plain text: the canonical text is the user's own file."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import BrokenFile, NoText
from rag.sources import read_bytes

POLISH = "Zażółć gęślą jaźń. Książka jest na półce w Łodzi, a nie w Krakowie."
RUSSIAN = "Москва является столицей России. Это большой город на реке."
FRENCH = "Le président a déclaré que l’élève était « très » heureux à Noël."


def test_text_is_the_decoded_file_unaltered():
    """Line ends, form feeds, tabs, white space at the ends: nothing of the file changes."""
    text = "  First line\r\nsecond\x0cpage two\rold Mac\n\tlast \u2028 \x85 \r\n"
    (document,) = read_bytes(text.encode(), name="notes.txt", uri="notes.txt")
    assert document.text == text
    assert document.metadata == {}
    assert document.media_type == "text/plain"
    assert [(s.start, s.end, s.path) for s in document.sections] == [(0, len(text), ())]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        pytest.param(FRENCH, "cp1252", id="western"),
        pytest.param("Die Straße heißt „Am Mühlgraben“.", "cp1252", id="quotes"),
        pytest.param("Café", "cp1252", id="one word"),
        pytest.param("Größe: 5 m", "cp1252", id="too short to detect"),
        pytest.param(POLISH, "cp1250", id="central"),
        pytest.param(RUSSIAN, "cp1251", id="cyrillic"),
        pytest.param("これは日本語の文章です。東京は日本の首都です。", "shift_jis", id="japanese"),
        pytest.param(RUSSIAN, "utf-16", id="utf-16 with a mark"),
        pytest.param(RUSSIAN, "utf-32", id="utf-32 with a mark"),
        pytest.param("Plain text saved without a mark.", "utf-16-le", id="utf-16-le"),
        pytest.param("Plain text saved without a mark.", "utf-16-be", id="utf-16-be"),
        pytest.param(FRENCH, "utf-8-sig", id="utf-8 with a mark"),
    ],
)
def test_encodings_are_detected(text, encoding):
    """The text is what was saved, and `encoding` decodes the file to exactly that text."""
    data = text.encode(encoding)
    (document,) = read_bytes(data, name="a.txt", uri="a.txt")
    assert document.text == text
    assert data.decode(document.metadata["encoding"]) == text


def test_byte_order_mark_is_not_text():
    """Offset 0 is the first character that an editor shows."""
    for mark, codec in ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        (document,) = read_bytes(mark + "Über uns".encode(codec), name="a.txt", uri="a")
        assert document.text == "Über uns"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff")))
def test_every_utf8_file_is_read_as_it_is(text):
    """For any text in UTF-8 the document's text is that text; white space alone is no text."""
    try:
        (document,) = read_bytes(text.encode(), name="a.txt", uri="a")
    except NoText:
        assert not text.strip()
    else:
        assert document.text == text


def test_title_is_the_first_line_if_it_is_short():
    """Up to 120 characters a first line is a title; above, the file's stem is."""
    for length, title in ((120, "x" * 120), (121, "report")):
        data = b"\n\n  " + b"x" * length + b"\nBody."
        assert read_bytes(data, name="report.txt", uri="a")[0].title == title


def test_binary_data_is_not_text():
    """Bytes with NULs that no encoding explains are refused, not indexed."""
    with pytest.raises(BrokenFile, match="UTF-8"):
        read_bytes(b"\x00\x01\x02\x00\xff\xfe\x80" * 9, name="a.txt", uri="a")
