"""Quotes that are checked, and what people say of answers."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from rag.api.schemas.fields import Collection, End, Generation, Question, Start, Version


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
