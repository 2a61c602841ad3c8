"""Which requests count against which bound, so that none of one kind keeps out another."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from litestar.types import HTTPScope

_UPLOADS: Final = 8  # each may hold its whole body in memory
_BODIES: Final = 4  # for each request that may be worked at, so many may still be coming in


class Places:
    """A number of places, to be taken and left on the event loop.

    `retry_after` tells in how many seconds there may be some again.
    """

    def __init__(
        self, name: str, *, capacity: int, retry_after: Callable[[], int] = lambda: 1
    ) -> None:
        self.name: Final = name
        self.retry_after: Final = retry_after
        self._capacity: Final = capacity
        self._taken = 0

    @property
    def full(self) -> bool:
        """Whether none is free."""
        return self._taken >= self._capacity

    def take(self) -> None:
        """Take one; the caller has looked whether there is one."""
        self._taken += 1

    def leave(self) -> None:
        """Leave one."""
        self._taken -= 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The places of a service.

    `questions` are for what needs the models, `uploads` for what adds documents, `others` for all
    else. `bodies` are for requests of which the body is still to come: how fast it comes is the
    client's doing, so until then they hold no place of their kind. Uploads hold theirs from the
    beginning, for what has come of them is held as well.
    """

    questions: Places
    uploads: Places
    others: Places
    bodies: Places

    def of(self, scope: HTTPScope) -> Places:
        """Return the places of the kind of a request."""
        path = scope["path"]
        if path in {"/v1/ask", "/v1/examples", "/v1/search"} or path.startswith("/v1/ask/"):
            return self.questions
        if path == "/v1/documents" and scope["method"] == "POST":
            return self.uploads
        return self.others


def bounds(capacity: int, *, retry_after: Callable[[], int]) -> Bounds:
    """Return bounds of `capacity` for questions, as many for others, and fewer for uploads.

    `retry_after` tells when there will be places for questions again, seconds from now.
    """
    return Bounds(
        questions=Places("questions", capacity=capacity, retry_after=retry_after),
        uploads=Places("uploads", capacity=min(_UPLOADS, capacity)),
        others=Places("requests", capacity=capacity),
        bodies=Places("unfinished requests", capacity=_BODIES * capacity),
    )
