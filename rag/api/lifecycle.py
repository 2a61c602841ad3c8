"""The life of a service: it loads, it answers, it drains; and the requests it has under way."""

import asyncio
import time
from typing import Final, Literal, Protocol, TypeAlias

State: TypeAlias = Literal["loading", "ready", "draining"]

_STEP: Final = 0.02  # seconds


class InFlight(Protocol):
    """A request that was let in and has not ended."""

    def end(self) -> None:
        """Let it end now: refused where its response has not begun."""
        ...


class Lifecycle:
    """What a service is doing; changed on the event loop, but for `ready`, read anywhere."""

    def __init__(self, state: State = "ready") -> None:
        self._state: State = state
        self._requests: Final[set[InFlight]] = set()

    @property
    def state(self) -> State:
        """Whether it loads, answers, or finishes what it has and takes no more."""
        return self._state

    @property
    def in_flight(self) -> int:
        """How many requests are under way, health checks left out."""
        return len(self._requests)

    def ready(self) -> None:
        """Begin to answer, unless it is being stopped already; called from any thread."""
        if self._state == "loading":
            self._state = "ready"

    def drain(self) -> None:
        """Take no more requests from now on."""
        self._state = "draining"

    def begin(self, request: InFlight) -> None:
        """Count a request among those under way."""
        self._requests.add(request)

    def end(self, request: InFlight) -> None:
        """Count it no more."""
        self._requests.discard(request)

    async def idle(self, *, seconds: float, grace: float) -> None:
        """Return when no request is under way; after so many seconds they are told to end.

        After `grace` seconds more it returns in any case.
        """
        if not await self._none_until(time.monotonic() + seconds):
            for request in list(self._requests):
                request.end()
            await self._none_until(time.monotonic() + grace)

    async def _none_until(self, end: float) -> bool:
        while self._requests and time.monotonic() < end:
            await asyncio.sleep(_STEP)
        return not self._requests
