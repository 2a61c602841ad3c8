"""Questions, their answers and the passages they are read from."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from rag.api.schemas.fields import (
    Collection,
    Day,
    End,
    Generation,
    PageNumber,
    Published,
    Question,
    Score,
    SectionPath,
    Start,
    Timings,
    Version,
)
from rag.api.schemas.state import Problem
from rag.bounds import MAX_ANSWERS, MAX_BATCH, MAX_K


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


class Examples(Struct, kw_only=True):
    """Questions that the collection answers, made of its documents' titles and headings."""

    generation: Generation
    questions: Annotated[list[str], Meta(max_length=4, description="None where none is found.")]


class Hits(Struct, kw_only=True):
    """The event `hits` of a stream: the passages that are going to be read."""

    question: str
    generation: Generation
    passages: Annotated[list[Passage], Meta(description="The best first.")]
    timings_ms: Timings


class Done(Struct, kw_only=True):
    """The event `done`, the last of a stream that went well."""

    question: str
    generation: Generation
    reader: Annotated[str, Meta(description="Name of the reader that chose the spans.")]
    abstention: Annotated[Abstention | None, Meta(description="Null where there are answers.")]
    timings_ms: Timings


class BatchRequest(Struct, forbid_unknown_fields=True, kw_only=True):
    """Questions to be answered one after the other."""

    questions: Annotated[list[AskRequest], Meta(min_length=1, max_length=MAX_BATCH)]


class BatchResult(Struct, kw_only=True, omit_defaults=True):
    """What became of one question: either its response or the problem it had."""

    response: AskResponse | msgspec.UnsetType = msgspec.UNSET
    problem: Problem | msgspec.UnsetType = msgspec.UNSET


class BatchResponse(Struct, kw_only=True):
    """One result a question, in the order given."""

    results: list[BatchResult]
