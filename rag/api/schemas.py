"""The wire: what `/v1` takes and gives.

Offsets are half-open, in code points of the document's text. Descriptions and bounds here are those
of the OpenAPI document, as are the docstrings.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from rag.answering import MAX_ANSWERS, MAX_K, MAX_QUESTION_CHARACTERS

Question = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_QUESTION_CHARACTERS,
        description="A question in plain words.",
        examples=["How many soldiers were injured in May 2023?"],
    ),
]
Collection = Annotated[str, Meta(description="Name of the collection.", examples=["default"])]
Day = Annotated[str, Meta(description="A day, YYYY-MM-DD.", examples=["2023-11-20"])]
Generation = Annotated[
    int, Meta(description="The state of the index that the whole response is of; it only grows.")
]
Score = Annotated[float, Meta(description="Higher is better, comparable inside this list only.")]
Start = Annotated[int, Meta(ge=0, description="First code point in the document's text.")]
End = Annotated[int, Meta(ge=0, description="Code point after the last.")]
PageNumber = Annotated[
    int | None, Meta(description="From 1 on; null in documents without pages, and before page 1.")
]
SectionPath = Annotated[list[str], Meta(description="Headings, the outermost first.")]
Published = Annotated[str | None, Meta(description="Day of publication, YYYY-MM-DD, if known.")]
Version = Annotated[str, Meta(description="`sha256:` and the digest of the source's bytes.")]
Timings = Annotated[dict[str, float], Meta(description="Milliseconds that each stage took.")]


class Filters(Struct, forbid_unknown_fields=True, kw_only=True):
    """Which documents may answer; every condition given must hold."""

    documents: Annotated[list[str], Meta(description="Ids of the documents.")] | None = None
    media_types: (
        Annotated[list[str], Meta(description="Media types.", examples=[["application/pdf"]])]
        | None
    ) = None
    published_from: (
        Annotated[Day, Meta(description="Earliest day, included; the undated do not match.")] | None
    ) = None
    published_to: (
        Annotated[Day, Meta(description="Latest day, included; the undated do not match.")] | None
    ) = None
    metadata: (
        Annotated[dict[str, str], Meta(description="Keys and the exact value each must have.")]
        | None
    ) = None


class AskRequest(Struct, forbid_unknown_fields=True, kw_only=True):
    """A question to be answered with spans of the documents."""

    question: Question
    answers: Annotated[
        int, Meta(ge=1, le=MAX_ANSWERS, description="At most this many answers.")
    ] = 3
    k: Annotated[int, Meta(ge=1, le=MAX_K, description="How many passages to read.")] = 10
    filters: Filters | None = None
    min_confidence: (
        Annotated[
            float,
            Meta(
                ge=0,
                le=1,
                description="Answers below this probability are withheld; null takes the reader's "
                "own threshold.",
            ),
        ]
        | None
    ) = None
    collection: Collection = "default"


class SearchRequest(Struct, forbid_unknown_fields=True, kw_only=True):
    """A question for which to rank passages, without reading them."""

    question: Question
    k: Annotated[int, Meta(ge=1, le=MAX_K, description="At most this many hits.")] = 10
    filters: Filters | None = None
    retriever: Annotated[
        Literal["hybrid", "dense", "lexical"],
        Meta(description="Rank by meaning and words, by meaning, or by words."),
    ] = "hybrid"
    collection: Collection = "default"


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


class DocumentRef(Struct, kw_only=True):
    """The document a citation points into."""

    id: str
    title: str
    uri: str
    version: Version


class Citation(Struct, kw_only=True):
    """A place in a document: `text[start:end] == quote`, and `before`, `after` stand around it."""

    document: DocumentRef
    start: Start
    end: End
    start_byte: Annotated[int, Meta(description="First byte in the UTF-8 form of the text.")]
    end_byte: Annotated[int, Meta(description="Byte after the last.")]
    page: PageNumber
    section: SectionPath
    published: Published
    before: Annotated[str, Meta(description="The sentence up to the quote.")]
    quote: str
    after: Annotated[str, Meta(description="The sentence from the quote on.")]


class Answer(Struct, kw_only=True):
    """A span of the documents that answers the question."""

    text: str
    confidence: Annotated[
        float, Meta(ge=0, le=1, description="Calibrated probability that the answer is right.")
    ]
    sentence: Annotated[str, Meta(description="The sentence around the first citation's quote.")]
    citations: Annotated[
        list[Citation], Meta(description="Places that say so, the strongest first.")
    ]


class Abstention(Struct, kw_only=True):
    """Why there is no answer."""

    reason: Literal["empty_index", "no_passage", "no_span", "low_confidence"]
    message: str


class Passage(Struct, kw_only=True):
    """A passage that was retrieved: `text` stands at `start:end` of its document."""

    document: DocumentRef
    start: Start
    end: End
    page: PageNumber
    section: SectionPath
    published: Published
    text: str
    score: Score


class AskResponse(Struct, kw_only=True):
    """Answers, best first; with none, `abstention` tells why."""

    question: str
    generation: Generation
    reader: Annotated[str, Meta(description="Name of the reader that chose the spans.")]
    answers: list[Answer]
    abstention: Abstention | None
    passages: Annotated[list[Passage], Meta(description="What was read, the best first.")]
    timings_ms: Timings


class SearchResponse(Struct, kw_only=True):
    """Passages, best first."""

    question: str
    generation: Generation
    hits: list[Passage]
    timings_ms: Timings


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


class CitationToVerify(Struct, kw_only=True, forbid_unknown_fields=True):
    """A quote to be checked against the stored document."""

    document: Annotated[str, Meta(description="Id of the document.")]
    start: Start
    end: End
    quote: str
    version: (
        Annotated[
            Version, Meta(description="As a citation's document names it; null takes the present.")
        ]
        | None
    ) = None


class VerifyRequest(Struct, kw_only=True, forbid_unknown_fields=True):
    """Citations to check, at most a hundred."""

    citations: Annotated[list[CitationToVerify], Meta(min_length=1, max_length=100)]
    collection: Collection = "default"


class Verification(Struct, kw_only=True):
    """`valid`: the stored text has the quote at these offsets; the others say what differs."""

    status: Literal["valid", "mismatch", "superseded", "unknown"]
    message: str


class VerifyResponse(Struct, kw_only=True):
    """One verification a citation, in the order given."""

    generation: Generation
    results: list[Verification]


class Health(Struct, kw_only=True):
    """State of the service."""

    status: Literal["ok", "failed"]
    detail: str


class Problem(Struct, kw_only=True):
    """An error, as RFC 9457 (problem details) has it."""

    type: Annotated[str, Meta(description="Names this kind of problem and stays the same.")]
    title: str
    status: int
    detail: Annotated[str, Meta(description="What is wrong, where, and what to do.")]
    instance: str | msgspec.UnsetType = msgspec.UNSET
    pointer: (
        Annotated[str, Meta(description="JSON pointer to the field of the body at fault.")]
        | msgspec.UnsetType
    ) = msgspec.UNSET
