"""How the service is, and what went wrong."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct


class Health(Struct, kw_only=True):
    """State of the service."""

    status: Literal["ok", "loading", "draining", "failed"]
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
