"""Fields that several of the wire's values have."""

from typing import Annotated

from msgspec import Meta

from rag.bounds import MAX_QUESTION_CHARACTERS

# For the description only: what is blank is told so in words. Python's white space.
NOT_BLANK = (
    r"[^\u0009-\u000d\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
)
Question = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_QUESTION_CHARACTERS,
        description="A question in plain words.",
        extra_json_schema={"pattern": NOT_BLANK},
        examples=["How many soldiers were injured in May 2023?"],
    ),
]
Collection = Annotated[str, Meta(description="Name of the collection.", examples=["default"])]
Day = Annotated[
    str,
    Meta(
        description="A day, YYYY-MM-DD.",
        examples=["2023-11-20"],
        extra_json_schema={"format": "date"},
    ),
]
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
Time = Annotated[str | None, Meta(description="UTC, ISO 8601; null where it is not known.")]
