"""What a call is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Generic, Literal, TypeVar
from urllib.parse import quote

import msgspec

T = TypeVar("T")

DEFAULT: Final = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    """A request and the type of what it returns: a struct, a text, or nothing.

    `statuses` are those of the responses that have that type; `file` is sent as a form, from disk.
    """

    method: Literal["GET", "POST", "DELETE"]
    path: str
    returns: type[T]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    body: msgspec.Struct | None = None
    file: Path | None = None
    statuses: tuple[int, ...] = (200, 201)


def part_of_path(name: str) -> str:
    """Return a part of a path, whatever signs it has."""
    return quote(name, safe="")
