"""Which requests count against which bound, so that none of one kind keeps out another."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from litestar.handlers import HTTPRouteHandler
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
    else; `kinds` tells which is for what, by method and path, as `kinds_of` reads it from routes.
    `bodies` are for requests of which the body is still to come: how fast it comes is the
    client's doing, so until then they hold no place of their kind. Uploads hold theirs from the
    beginning, for what has come of them is held as well.
    """

    questions: Places
    uploads: Places
    others: Places
    bodies: Places
    kinds: Mapping[tuple[str, str], str]

    def of(self, scope: HTTPScope) -> Places:
        """Return the places of the kind of a request."""
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        # As the framework routes: a slash at the end makes no difference.
        match self.kinds.get((method, scope["path"].rstrip("/"))):
            case "questions":
                return self.questions
            case "uploads":
                return self.uploads
            case _:
                return self.others


def kinds_of(routes: Iterable[HTTPRouteHandler]) -> dict[tuple[str, str], str]:
    """Return of what kind routes are marked to be (`place=`), by method and path.

    Requests are let in before they are routed, so a marked path must have no parameters.
    """
    return {
        (method, path): route.opt["place"]
        for route in routes
        if "place" in route.opt
        for method in route.http_methods
        for path in route.paths
    }


def bounds(
    capacity: int, *, kinds: Mapping[tuple[str, str], str], retry_after: Callable[[], int]
) -> Bounds:
    """Return bounds of `capacity` for questions, as many for others, and fewer for uploads.

    `retry_after` tells when there will be places for questions again, seconds from now.
    """
    return Bounds(
        questions=Places("questions", capacity=capacity, retry_after=retry_after),
        uploads=Places("uploads", capacity=min(_UPLOADS, capacity)),
        others=Places("requests", capacity=capacity),
        bodies=Places("unfinished requests", capacity=_BODIES * capacity),
        kinds=kinds,
    )
