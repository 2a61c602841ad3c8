"""Who may do what: each request has an `Access`, which its handler asks before it does anything."""

from dataclasses import dataclass
from typing import Final, Literal

Scope = Literal["ask", "write", "admin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a request may reach; `collections` is None where it may reach all."""

    collections: frozenset[str] | None

    def require(self, collection: str) -> None:
        """Raise the NotFound of an unknown collection unless this one may be reached."""


EVERYTHING: Final = Access(collections=None)
