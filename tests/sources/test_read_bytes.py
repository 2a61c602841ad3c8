"""Every reader behind one function: the right reader, or a reason."""

import contextlib
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag.documents import document_id
from rag.errors import BrokenFile, NoText, SourceError, UnsupportedFormat
from rag.sources import SUFFIXES, read_bytes


def test_importing_sources_loads_no_reader():
    """`rag --help` must not wait for libraries that it does not need."""
    program = (
        "import sys, rag.sources;"
        "print([m for m in ('trafilatura', 'pypdfium2', 'docx', 'lxml', 'yaml', 'chardet')"
        " if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"


def test_identity_of_a_document():
    """The id depends on the uri, the digest on the bytes, and suffixes ignore case."""
    (document,) = read_bytes(b"abc", name="A.TXT", uri="file:///a")
    assert document.id == document_id("file:///a")
    assert document.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_names_that_are_not_text_give_storable_titles():
    """A file name may hold bytes that are no characters; a title may not."""
    (document,) = read_bytes(b"x" * 200, name="caf\udce9.txt", uri="a")
    assert document.title == "caf"


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("data", [b"", b" \n\t\r\n "])
def test_nothing_is_no_text(suffix, data):
    """A file of no bytes, or of white space only, is refused; only white space may be no PDF."""
    with pytest.raises((NoText, BrokenFile)) as caught:
        read_bytes(data, name=f"a{suffix}", uri="a")
    assert caught.type is NoText or (data and suffix in {".pdf", ".docx"})


@pytest.mark.parametrize("name", ["a.xyz", "README", "a.doc", ".txt", "a.PNG"])
def test_unknown_kinds_are_named_with_the_known_ones(name):
    """The message lists what can be read."""
    with pytest.raises(UnsupportedFormat, match=r"\.docx.*\.html.*\.pdf.*\.txt"):
        read_bytes(b"data", name=name, uri="a")


@pytest.mark.parametrize(
    ("name", "start", "message"),
    [
        ("report.docx", b"%PDF-1.7\n", r"\.docx.*PDF file; rename it to end in \.pdf"),
        ("notes.txt", b"%PDF-1.7\n", r"\.txt.*PDF file; rename"),
        ("page.html", b"\x89PNG\r\n\x1a\n", r"PNG picture; run OCR"),
        ("paper.pdf", b"<!DOCTYPE html><html>", r"HTML page; rename it to end in \.html"),
        ("paper.pdf", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", r"old kind"),
        ("data.jsonl", b"\x1f\x8b\x08", r"gzip archive; unpack"),
    ],
)
def test_content_of_another_kind_is_refused(name, start, message):
    """A wrong suffix is said to be one, with what the content really is and what to do."""
    with pytest.raises(BrokenFile, match=message):
        read_bytes(start + b"rest of the file", name=name, uri="a")


def test_a_word_document_with_a_wrong_name(make_docx):
    """A zip archive is told by what is inside it."""
    data = make_docx(lambda document: document.add_paragraph("Text."))
    with pytest.raises(BrokenFile, match=r"Word document \(\.docx\); rename"):
        read_bytes(data, name="a.pdf", uri="a")
    with pytest.raises(UnsupportedFormat, match=r"Word document \(\.docx\); rename"):
        read_bytes(data, name="a.zip", uri="a")


TEXTS = [
    b"---\ntitle: x\n---\n# A\n\ntext\n## B\n",
    b"<html><body><main><h1>A</h1><p>text</p><table><tr><td>a<td>b</table></main></body></html>",
    b"<html><body><div><ul><li><a href=x>l</a></ul><p>text &amp; more</p></div></body></html>",
    b'{"text": "a", "id": 3}\n{"text": "b"}\n',
    "Ünïcode\r\ntext\x0c".encode("utf-16"),
]
RELAXED = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])


@RELAXED
@given(data=st.binary(max_size=300) | st.sampled_from(TEXTS), suffix=st.sampled_from(SUFFIXES))
def test_any_bytes_give_documents_or_a_reason(assert_consistent, data, suffix):
    """Whatever the bytes: consistent documents or a SourceError, and nothing else."""
    with contextlib.suppress(SourceError):
        for document in read_bytes(data, name=f"a{suffix}", uri="a"):
            assert_consistent(document)


@st.composite
def damage(draw):
    """Return a function that overwrites, removes or inserts some bytes of a file."""
    edits = draw(
        st.lists(
            st.tuples(st.floats(0, 1), st.integers(0, 8), st.binary(max_size=8)),
            min_size=1,
            max_size=6,
        )
    )

    def apply(data: bytes) -> bytes:
        for where, removed, inserted in edits:
            at = int(where * len(data))
            data = data[:at] + inserted + data[at + removed :]
        return data

    return apply


@RELAXED
@given(hurt=damage(), kind=st.sampled_from([".pdf", ".docx", ".html", ".md", ".jsonl"]))
def test_damaged_files_give_documents_or_a_reason(
    assert_consistent, make_pdf, make_docx, hurt, kind
):
    """Files that were whole once, with some bytes changed."""
    if kind == ".pdf":
        data = make_pdf(
            [[(72, 700, 11, "Some text.")], [(72, 700, 11, "Scope")]],
            information={"Title": "T", "CreationDate": "D:20200101"},
            outline=[("Scope", 1)],
        )
    elif kind == ".docx":
        data = make_docx(lambda document: document.add_heading("Heading", 1))
    else:
        data = TEXTS[{".html": 1, ".md": 0, ".jsonl": 3}[kind]]
    with contextlib.suppress(SourceError):
        for document in read_bytes(hurt(data), name=f"a{kind}", uri="a"):
            assert_consistent(document)
