"""Documents as they are sent, listed and shown."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from rag.api.schemas.fields import (
    Collection,
    Day,
    End,
    Generation,
    Published,
    SectionPath,
    Start,
    Version,
)


class DocumentRequest(Struct, forbid_unknown_fields=True, kw_only=True):
    """A document given as text."""

    text: Annotated[str, Meta(min_length=1, examples=["The cat Mimi sleeps on the red sofa."])]
    title: (
        Annotated[str, Meta(min_length=1, description="Null takes the text's first line.")] | None
    ) = None
    uri: (
        Annotated[
            str,
            Meta(
                min_length=1,
                description="Another text under the same uri replaces the document; null makes one "
                "from the text.",
            ),
        ]
        | None
    ) = None
    published: Annotated[Day, Meta(description="Day of publication.")] | None = None
    metadata: Annotated[dict[str, str], Meta(description="Keys to filter by.")] = {}
    collection: Collection = "default"


class DocumentSummary(Struct, kw_only=True):
    """A document of the collection."""

    id: str
    title: str
    uri: str
    version: Version
    media_type: str
    published: Published
    characters: Annotated[int, Meta(description="Length of its text in code points.")]
    chunks: int
    metadata: dict[str, str]


class DocumentAdded(Struct, kw_only=True):
    """What became of one document that was sent; it is searchable now."""

    status: Literal["added", "replaced", "unchanged"]
    document: DocumentSummary


class DocumentsAdded(Struct, kw_only=True):
    """What became of the documents in what was sent; a `.jsonl` file holds several."""

    generation: Generation
    documents: list[DocumentAdded]


class DocumentList(Struct, kw_only=True):
    """A page of the collection's documents, by uri."""

    generation: Generation
    total: int
    documents: list[DocumentSummary]


class SectionOut(Struct, kw_only=True):
    """A section of a document's text."""

    start: Start
    end: End
    path: SectionPath


class PageOut(Struct, kw_only=True):
    """A page of a document's text."""

    start: Start
    end: End
    number: int


class DocumentDetail(Struct, kw_only=True):
    """A document with its structure."""

    generation: Generation
    document: DocumentSummary
    sections: list[SectionOut]
    pages: list[PageOut]
