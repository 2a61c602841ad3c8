"""A document that has something in every field."""

from rag.documents import Document, Page, Section
from tests.fakes import make_document


def rich_document() -> Document:
    """Return it: several scripts, signs beyond the first plane, sections, pages, metadata."""
    text = "# Tête\n𝒜 first line 🐙\r\nsecond e\u0301\n## Part\nthird, שלום\f\n\u2028fourth\n"
    part = text.index("## Part")
    return make_document(
        text,
        uri="file:///tmp/a%20b.md",
        title="Tête 🐙",
        media_type="text/markdown",
        published="2023-11-20",
        sections=[
            Section(start=0, end=part, path=("Tête",)),
            Section(start=part, end=len(text), path=("Tête", "Part")),
        ],
        pages=[Page(start=0, end=part, number=1), Page(start=part, end=len(text), number=2)],
        metadata={"author": "Zoë", "kind of source": 'a "quoted" one', "empty": ""},
    )
