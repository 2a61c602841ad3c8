"""Collections and their indexes."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from rag.api.schemas.fields import Generation, Time
from rag.settings import MAX_CHUNK_TOKENS, MIN_CHUNK_TOKENS

State = Annotated[
    Literal["ready", "stale", "damaged"],
    Meta(
        description="`stale`: made with other settings than those in force. `damaged`: not as it "
        "was written. Neither is answered from; `reason` says what to do."
    ),
]
Reason = Annotated[str, Meta(description="Why the state is what it is; empty where it is ready.")]


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
