"""The wire: what `/v1` takes and gives.

Offsets are half-open, in code points of the document's text. Descriptions and bounds here are those
of the OpenAPI document, as are the docstrings.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from rag.answering import MAX_ANSWERS, MAX_K, MAX_QUESTION_CHARACTERS
from rag.settings import MAX_CHUNK_TOKENS, MIN_CHUNK_TOKENS

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


class QuotedSpan(Struct, kw_only=True, forbid_unknown_fields=True):
    """A quote and where it stands in a stored document."""

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


class CitationToVerify(QuotedSpan, kw_only=True, forbid_unknown_fields=True):
    """A quote to be checked against the stored document."""

    before: Annotated[str, Meta(description="What stands before it, as in a citation.")] = ""
    after: Annotated[str, Meta(description="What stands after it, as in a citation.")] = ""


class VerifyRequest(Struct, kw_only=True, forbid_unknown_fields=True):
    """Citations to check, at most a hundred."""

    citations: Annotated[list[CitationToVerify], Meta(min_length=1, max_length=100)]
    collection: Collection = "default"


class Verification(Struct, kw_only=True):
    """Whether the quote is in the version that is named, and where it stands in the present one.

    `valid`: it stands there. `mismatch`: another text does. `superseded`: it is of a version that
    was replaced. `unknown`: there is no such document, or no such version was ever stored.
    """

    status: Literal["valid", "mismatch", "superseded", "unknown"]
    message: str
    version: Annotated[
        Version | None, Meta(description="The present version; null where there is none.")
    ]
    start: Annotated[
        int | None, Meta(description="Where the quote stands in it; null where it does not.")
    ]
    end: Annotated[int | None, Meta(description="Code point after the last of the quote.")]


class VerifyResponse(Struct, kw_only=True):
    """One verification a citation, in the order given."""

    generation: Generation
    results: list[Verification]


class FeedbackSpan(QuotedSpan, kw_only=True, forbid_unknown_fields=True):
    """A span of a stored document, such as a citation names it."""

    quote: Annotated[str, Meta(min_length=1, max_length=2000)]


class FeedbackRequest(Struct, kw_only=True, forbid_unknown_fields=True):
    """What a person says of an answer, or of getting none."""

    question: Question
    generation: Annotated[
        int, Meta(ge=0, description="Of the response that is judged, as it names it.")
    ]
    verdict: Annotated[
        Literal["right", "wrong", "should_abstain", "span"],
        Meta(
            description="`right` of an abstention: the documents do not say. `should_abstain`: "
            "they do not say, yet there was an answer. `span`: the right answer is `span`."
        ),
    ]
    answer: (
        Annotated[
            FeedbackSpan,
            Meta(description="Where the answer that is judged stands; null for an abstention."),
        ]
        | None
    ) = None
    span: (
        Annotated[FeedbackSpan, Meta(description="The right answer, for the verdict `span`.")]
        | None
    ) = None
    collection: Collection = "default"


class FeedbackStored(Struct, kw_only=True):
    """What became of a feedback; it is on disk."""

    status: Annotated[
        Literal["stored", "known"], Meta(description="`known`: the same was said before.")
    ]
    id: str


State = Annotated[
    Literal["ready", "stale", "damaged"],
    Meta(
        description="`stale`: made with other settings than those in force. `damaged`: not as it "
        "was written. Neither is answered from; `reason` says what to do."
    ),
]
Reason = Annotated[str, Meta(description="Why the state is what it is; empty where it is ready.")]
Time = Annotated[str | None, Meta(description="UTC, ISO 8601; null where it is not known.")]


class Embedder(Struct, kw_only=True):
    """The model that makes vectors of texts."""

    name: str
    version: Annotated[str, Meta(description="`sha256:` and the digest of the model's files.")]


class Chunking(Struct, kw_only=True):
    """How documents are cut, in the embedder's tokens."""

    max_tokens: Annotated[int, Meta(description="The most that a chunk has.")]
    overlap_tokens: Annotated[int, Meta(description="The most that a chunk repeats.")]


class Index(Struct, kw_only=True):
    """A collection's index; counts are null where it cannot be read."""

    collection: str
    state: State
    reason: Reason
    generation: Generation | None
    documents: int | None
    chunks: int | None
    characters: Annotated[int | None, Meta(description="Length of all texts in code points.")]
    embedder: Embedder
    reader: Annotated[str, Meta(description="Name of the reader that chooses spans.")]
    chunking: Chunking
    fingerprint: Annotated[
        str, Meta(description="Names all that chunks and vectors made now would depend on.")
    ]
    stored_fingerprint: Annotated[
        str | None, Meta(description="The same of those that are stored; equal unless `stale`.")
    ]
    created: Time
    updated: Time


class CollectionSummary(Struct, kw_only=True):
    """A collection; counts are null where it cannot be read."""

    name: str
    state: State
    reason: Reason
    documents: int | None
    chunks: int | None


class CollectionList(Struct, kw_only=True):
    """The collections by name."""

    collections: list[CollectionSummary]


class CollectionRequest(Struct, kw_only=True, forbid_unknown_fields=True):
    """A collection to be made."""

    name: Annotated[
        str,
        Meta(
            pattern="^[a-z0-9][a-z0-9_-]{0,63}$",
            description="Small letters, digits, dashes and underscores, a letter or digit first.",
            examples=["letters"],
        ),
    ]
    chunk_tokens: (
        Annotated[
            int,
            Meta(
                ge=MIN_CHUNK_TOKENS,
                le=MAX_CHUNK_TOKENS,
                description="Bound of a chunk in the embedder's tokens; null takes the service's.",
            ),
        ]
        | None
    ) = None


class CollectionDeleted(Struct, kw_only=True):
    """What became of a collection."""

    name: str
    kept: Annotated[str, Meta(description="Where it lies now, where the service keeps its index.")]


class Job(Struct, kw_only=True):
    """An upload on its way into a collection."""

    id: str
    status: Annotated[
        Literal["waiting", "running", "interrupted", "done", "failed", "cancelled"],
        Meta(description="`interrupted` by the end of the service: it is begun anew by itself."),
    ]
    collection: str
    name: Annotated[str, Meta(description="The file's name, or the text's title.")]
    uri: Annotated[str, Meta(description="Its documents are known by it, or by what follows it.")]
    bytes: int
    chunks_done: int
    chunks_total: Annotated[int | None, Meta(description="Null until they are counted.")]
    error: Annotated[str | None, Meta(description="Why it failed, and what to do.")]
    generation: Annotated[
        int | None, Meta(description="From this one on all of it is there; null until it is done.")
    ]
    documents: Annotated[int | None, Meta(description="How many it gave; null until it is done.")]
    created: str
    finished: Time


class JobList(Struct, kw_only=True):
    """Jobs, the newest first."""

    jobs: list[Job]


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
