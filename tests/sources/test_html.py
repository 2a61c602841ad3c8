"""HTML: the content of a page, all of it, and nothing else."""

import pytest

from rag.errors import BrokenFile, NoText, UnsupportedFormat
from rag.sources import read_bytes

PROSE = (
    "The bridge over the river was opened in 1931 after four years of work. It replaced a ferry "
    "that had run since the Middle Ages, and it carries some nine thousand vehicles on a weekday. "
    "The engineers chose steel because the ground on the northern bank was too soft for stone."
)
MORE = (
    "In 1987 the deck was renewed. During the works, which took eleven months, one lane stayed "
    "open in each direction, and the town council paid a third of the cost. The remaining money "
    "came from the region and from a loan that was repaid in full by the summer of 2004."
)


def read(markup: str | bytes, name: str = "page.html"):
    data = markup.encode() if isinstance(markup, str) else markup
    return read_bytes(data, name=name, uri=name)[0]


NEWS = f"""<!DOCTYPE html><html lang="en"><head><title>The old bridge | Town Courier</title>
<meta property="og:title" content="The old bridge">
<meta property="og:site_name" content="Town Courier">
<meta name="author" content="Ada Mason">
<meta property="article:published_time" content="2021-03-04T08:00:00Z">
</head><body>
<div id="cookie-banner" class="cookie-consent">We use cookies. <button>Accept all</button></div>
<header class="top"><a href="/">Town Courier</a></header>
<nav><ul><li><a href="/news">News desk</a></li><li><a href="/sport">Sport desk</a></li></ul></nav>
<div class="breadcrumbs"><a href="/">Home</a> &gt; <a href="/news">Local</a></div>
<{{tag}} class="story">
<h1>The old bridge</h1><p>{PROSE}</p><h2>Renewal</h2><p>{MORE}</p>
<div class="share-buttons"><a href="#">Tweet it</a> <a href="#">Mail it</a></div>
<p style="display: none">Hidden words</p>
</{{tag}}>
<div class="related-articles"><h3>Related articles</h3><ul>
<li><a href="/1">Ferry boats of old</a></li><li><a href="/2">Stone or steel</a></li></ul></div>
<aside>Subscribe today</aside>
<footer>Imprint and contact</footer><script>var tracking = 1;</script></body></html>"""


@pytest.mark.parametrize("tag", ["article", "main", "div"])
def test_boilerplate_is_left_out_and_content_kept(tag):
    """Whether or not the page marks its content, exactly the story remains."""
    document = read(NEWS.replace("{tag}", tag))
    assert document.text == f"The old bridge\n\n{PROSE}\n\nRenewal\n\n{MORE}"
    assert [(document.text[s.start : s.end].split("\n")[0], s.path) for s in document.sections] == [
        ("The old bridge", ("The old bridge",)),
        ("Renewal", ("The old bridge", "Renewal")),
    ]


def test_the_page_tells_title_date_author_and_publisher():
    """They come from the page's own metadata."""
    document = read(NEWS)
    assert document.title == "The old bridge"
    assert document.published == "2021-03-04"
    assert document.metadata == {"author": "Ada Mason", "publisher": "Town Courier"}
    assert document.media_type == "text/html"


def test_a_date_in_the_prose_is_not_the_date_of_publication():
    """An example's date says nothing about the page."""
    page = f"<html><body><h1>Types</h1><p>A day such as 2016-07-01 is valid. {PROSE}</p></body>"
    assert read(page).published is None


def test_unmarked_related_links_are_left_out():
    """A list of links that an extractor does not take for content goes, with its heading."""
    links = "".join(f'<li><a href="/{n}">Another story number {n}</a></li>' for n in range(9))
    page = f"""<html><body><div><h1>Bridge</h1><p>{PROSE}</p><p>{MORE}</p>
    <h2>You may also like</h2><ul>{links}</ul></div></body></html>"""
    assert read(page).text == f"Bridge\n\n{PROSE}\n\n{MORE}"


DOCUMENTATION = f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "x.dtd">
<html xmlns="http://www.w3.org/1999/xhtml"><head><title>9.1. Functions</title></head>
<body><div class="navheader"><table><tr><td><a href="a">Prev</a></td><td><a href="b">Next</a></td>
</tr></table></div>
<div class="sect1"><div class="titlepage"><h2 class="title">9.1. Functions</h2></div>
<p>{PROSE}</p>
<table><thead><tr><th>Name</th><th>Result</th></tr></thead>
<tbody><tr><td><code>abs</code></td><td><p>size</p><p>without sign</p></td></tr>
<tr><td>ceil</td><td>next integer</td></tr></tbody></table>
<table><tr><td><p><code>lower</code> ( <em>text</em> )</p><p>Makes small letters.</p></td></tr>
</table>
<pre class="screen">VACUUM
  ANALYZE;
</pre>
<dl><dt>work_mem</dt><dd><p>Memory for sorting.</p><p>The default is 4 MB.</p></dd>
<dt>wal_level</dt><dd>How much is written.</dd></dl>
<div class="note"><h3>Note</h3><p>Mind the locale.</p></div>
<ol start="3"><li>third</li><li><p>fourth</p><ul><li>inner</li></ul></li></ol>
<p>{MORE}<br/>Last line.</p></div>
<div class="navfooter"><a href="a">Prev</a> <a href="b">Next</a></div></body></html>"""


def test_structure_of_documentation_is_kept():
    """Tables are rows of cells, code keeps its lines, terms stand above their definitions.

    What a note calls itself does not open a section: the text goes on after the note.
    """
    document = read(DOCUMENTATION)
    assert document.text == "\n\n".join(
        [
            "9.1. Functions",
            PROSE,
            "Name | Result\nabs | size without sign\nceil | next integer",
            "lower ( text )",
            "Makes small letters.",
            "VACUUM\n  ANALYZE;",
            "work_mem\nMemory for sorting.",
            "The default is 4 MB.",
            "wal_level\nHow much is written.",
            "Note",
            "Mind the locale.",
            "3. third\n4. fourth\n  - inner",
            f"{MORE}\nLast line.",
        ]
    )
    assert [section.path for section in document.sections] == [("9.1. Functions",)]


def test_a_heading_over_the_content_belongs_to_it():
    """Also where the content is an element of its own, which does not hold the heading."""
    page = f"""<html><body><div class="nav-links"><a href="a">Start</a></div>
    <div><h1>Bridge</h1></div><div><p>{PROSE}</p><p>{MORE}</p></div></body></html>"""
    assert read(page).text == f"Bridge\n\n{PROSE}\n\n{MORE}"


def test_a_page_of_links_keeps_its_links():
    """An index has nothing but links; they are its content."""
    links = "".join(f'<li><a href="/{n}">Chapter {n} of the manual</a></li>' for n in range(9))
    text = read(f"<html><body><h1>Contents</h1><ul>{links}</ul></body></html>").text
    assert [f"Chapter {n} of the manual" in text for n in range(9)] == [True] * 9


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        pytest.param('<meta charset="windows-1252">', "cp1252", id="declared"),
        pytest.param('<meta charset="iso-8859-1">', "cp1252", id="latin-1 means windows-1252"),
        pytest.param('<meta charset="iso-8859-2">', "iso8859-2", id="central europe"),
        pytest.param('<meta charset="utf-8">', "utf-16", id="a mark beats a declaration"),
        pytest.param('<meta charset="latin-1">', "utf-8", id="undecodable declaration"),
        pytest.param('<meta charset="unicode_escape">', "utf-8", id="a codec for programs only"),
        pytest.param("", "utf-8", id="none"),
    ],
)
def test_encodings(head, encoding):
    """Pages are decoded as browsers decode them."""
    word = "żółw" if encoding == "iso8859-2" else "Ärger “x”" if encoding != "utf-8" else "Čá–”"
    page = f"<html><head>{head}</head><body><p>{word}</p></body></html>"
    assert read(page.encode(encoding)).text == word


def test_entities_and_white_space():
    """White space collapses as it does on the screen; NULs and lone surrogates are dropped."""
    page = b"<html><body><p>a \n b&nbsp;c&#0;&#xD800; &amp; d\0e</p></body></html>"
    text = read(page).text
    assert text.replace("\ufffd", "").split(" ") == ["a", "b\u00a0c", "&", "de"]


def test_limits_are_errors_not_crashes():
    """Markup that no reader can hold is refused with the limit that it exceeds."""
    deep = "<div>" * 100_000 + "text" + "</div>" * 100_000
    with pytest.raises(BrokenFile, match="depth"):
        read(f"<html><body>{deep}</body></html>")
    with pytest.raises(UnsupportedFormat, match="20,000,000"):
        read(b"<p>" + b"x" * 20_000_000)


@pytest.mark.parametrize(
    "page",
    [
        "<html><body><script>load()</script></body></html>",
        "<html><head><title>T</title></head></html>",
        "<!-- nothing -->",
        "<html><body><nav>Menu</nav></body></html>",
    ],
)
def test_a_page_without_text_is_named_so(page):
    """A page that scripts would fill is not an empty document."""
    with pytest.raises(NoText):
        read(page)
