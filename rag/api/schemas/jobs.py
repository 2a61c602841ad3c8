"""Uploads that are taken in later."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from rag.api.schemas.fields import Time


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
