"""PDF: pages, paragraphs, running heads, words broken at line ends."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from rag.errors import BrokenFile, EncryptedFile, NoText
from rag.sources import read_bytes


def read(data: bytes, name: str = "file.pdf"):
    return read_bytes(data, name=name, uri=name)[0]


def column(*lines: str, top: float = 700.0, step: float = 14.0):
    """Lay lines one under the other, in 11 points."""
    return [(72, top - number * step, 11, line) for number, line in enumerate(lines)]


LINE = "This line is long enough to reach the margin of"


def test_lines_become_paragraphs(make_pdf):
    """Lines of a paragraph are joined; a wider gap and a short last line end it."""
    page = [
        *column(LINE, "the page and goes on. Then a second sentence of", "it ends."),
        *column("A new paragraph that follows after a short line", "goes on.", top=658),
        *column("After a gap comes another.", top=600),
    ]
    assert read(make_pdf([page])).text == (
        f"{LINE} the page and goes on. Then a second sentence of it ends.\n\n"
        "A new paragraph that follows after a short line goes on.\n\n"
        "After a gap comes another."
    )


def test_pages_are_numbered_and_cover_the_text(make_pdf):
    """Offsets of a page hold its words; a page without text has none; a sentence may run on."""
    pages = [column("First page ends in the middle of"), [], column("a sentence. Third page.")]
    document = read(make_pdf(pages))
    assert document.text == "First page ends in the middle of a sentence. Third page."
    assert [(p.number, document.text[p.start : p.end]) for p in document.pages] == [
        (1, "First page ends in the middle of "),
        (3, "a sentence. Third page."),
    ]


def test_hyphenated_words_are_joined(make_pdf):
    """A word broken at a line's end is one word, unless it is written with the hyphen elsewhere."""
    page = column(
        "The well-known minister spoke about infor-",
        "mation and co-operation. He is a well-",
        "known speaker.",
    )
    assert read(make_pdf([page])).text == (
        "The well-known minister spoke about information and co-operation. "
        "He is a well-known speaker."
    )


def test_characters_beyond_the_basic_plane(make_pdf):
    """Mathematical letters and the like are one character each; halves of them are none."""
    page = column("let x be #small", "and go on.")
    letters = {"x": "\N{MATHEMATICAL ITALIC SMALL X}", "#": "\N{LATIN SMALL LIGATURE FI}"}
    text = read(make_pdf([page], characters=letters)).text
    assert text == "let \N{MATHEMATICAL ITALIC SMALL X} be fismall and go on."


def test_dot_leaders_are_dropped(make_pdf):
    """The dots between an entry of a table of contents and its page number are no text."""
    assert read(make_pdf([column("Scope . . . . . . . . . 14")])).text == "Scope 14"


def with_edges(number: int, body: str):
    return [
        (72, 760, 9, "Annual Report of the Agency"),
        *column(body),
        (290, 40, 9, f"Chapter on topic {'abcdef'[number]} {number + 1}"),
    ]


BODIES = ["Apples were sold.", "Pears were bought.", "Plums fell down.", "Figs were rare."]


def test_running_heads_and_feet_are_removed(make_pdf):
    """Heads that recur, and feet that number the pages whatever else they say, are no text."""
    pages = [with_edges(number, body) for number, body in enumerate(BODIES)]
    assert read(make_pdf(pages)).text == "\n\n".join(BODIES)


def test_short_documents_keep_every_line(make_pdf):
    """Two pages cannot show what recurs."""
    pages = [with_edges(number, body) for number, body in enumerate(BODIES[:2])]
    text = read(make_pdf(pages)).text
    assert text.count("Annual Report of the Agency") == 2
    assert "Chapter on topic a 1" in text


def test_titles_of_slides_stay(make_pdf):
    """What stands apart at the same height, but in large letters, is content."""
    titles = ["Aims", "Means", "Costs", "Risks"]
    pages = [[(72, 740, 28, title), *column(f"About {title} here.")] for title in titles]
    text = read(make_pdf(pages)).text
    assert text == "\n\n".join(f"{title}\n\nAbout {title} here." for title in titles)


def test_the_outline_gives_the_sections(make_pdf):
    """A line that bears a bookmark's title on its page opens that section."""
    pages = [
        column("Preface words.", "1. Scope", "Scope text here."),
        column("2. Terms", "Terms text here."),
    ]
    document = read(make_pdf(pages, outline=[("Scope", 0), ("Terms", 1), ("Absent", 1)]))
    assert [(document.text[s.start : s.end], s.path) for s in document.sections] == [
        ("Preface words.\n\n", ()),
        ("1. Scope\n\nScope text here.\n\n", ("1. Scope",)),
        ("2. Terms\n\nTerms text here.", ("2. Terms",)),
    ]


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Annual Report", "Annual Report"),
        ("Microsoft Word - Annual Report", "Annual Report"),
        ("Microsoft Word - report_v3.doc", "file"),
        ("untitled", "file"),
        ("", "file"),
    ],
)
def test_title_and_date(make_pdf, title, expected):
    """The file's information names it, unless a program filled it in."""
    information = {"Title": title, "Author": "A. Mason", "CreationDate": "D:20230306180657Z"}
    document = read(make_pdf([column("Body text.")], information=information))
    assert document.title == expected
    assert document.published == "2023-03-06"
    assert document.metadata == {"author": "A. Mason"}
    assert document.media_type == "application/pdf"


def test_files_that_cannot_be_read_say_why(make_pdf):
    """Encrypted, scanned and damaged files are three different things to do something about."""
    whole = make_pdf([column("Body text.")])
    with pytest.raises(EncryptedFile, match="password"):
        read(make_pdf([column("Body text.")], encrypted=True))
    with pytest.raises(NoText, match="OCR"):
        read(make_pdf([[], []]))
    with pytest.raises(BrokenFile, match="damaged"):
        read(whole[:60])
    with pytest.raises(BrokenFile, match="not a PDF"):
        read(b"just words")


def test_threads_can_read_at_once(make_pdf):
    """PDFium is not safe for threads; reading is."""
    pages = [with_edges(number, body) for number, body in enumerate(BODIES)] * 5
    data = make_pdf(pages)
    with ThreadPoolExecutor(4) as pool:
        texts = set(pool.map(lambda _: read(data).text, range(12)))
    assert len(texts) == 1
