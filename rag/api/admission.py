"""The layer that lets requests in: not too many, not for too long, for nobody who has gone.

It lies outside the framework, so that what is not there (404) and not allowed (405) counts too, and
refuses without reading a body. Health checks are let through always, the page while models load.
"""

import asyncio
from typing import Final

from litestar.types import (
    HTTPReceiveMessage,
    HTTPRequestEvent,
    HTTPScope,
    Message,
    Receive,
    Send,
    WebSocketReceiveMessage,
)

from rag.api.deadline import DEADLINE, Deadline
from rag.api.layers import HttpApp, Layer
from rag.api.lifecycle import Lifecycle
from rag.api.places import Bounds, Places
from rag.api.problems import refuse
from rag.errors import Busy

# Until when the body of a request that is no upload must have come, seconds.
_BODY_SECONDS: Final = 10.0
_CLOSE: Final = (b"connection", b"close")
_EMPTY: Final[HTTPRequestEvent] = {"type": "http.request", "body": b"", "more_body": False}


def with_admission(lifecycle: Lifecycle, *, bounds: Bounds, seconds: float) -> Layer:
    """Return a layer that lets a request in where there is a place for it, for `seconds` at most.

    A response of server-sent events may go on for as long as some of it is taken every `seconds`.
    """

    def layer(app: HttpApp) -> HttpApp:
        async def handle(scope: HTTPScope, receive: Receive, send: Send) -> None:
            path = scope["path"]
            if path.startswith("/health/"):
                await app(scope, receive, send)
                return
            if lifecycle.state == "draining":
                await _refuse_draining(scope, send)
                return
            if lifecycle.state == "loading" and path != "/" and not path.startswith("/page/"):
                await refuse(
                    scope,
                    send,
                    status=503,
                    kind="loading",
                    detail="Models are loaded and indexes are built. Try again in a few seconds.",
                    headers={"Retry-After": "2"},
                )
                return
            places = bounds.of(scope)
            has_body = _has_body(scope)
            for needed in (places, bounds.bodies) if has_body else (places,):
                if needed.full:
                    await _refuse_full(scope, send, needed)
                    return
            comes_in = has_body and places is not bounds.uploads
            await _Admitted(
                scope,
                receive,
                send,
                lifecycle=lifecycle,
                seconds=seconds,
                holding=bounds.bodies if comes_in else places,
                then=places if comes_in else None,
                has_body=has_body,
            ).answer(app)

        return handle

    return layer


class _Admitted:
    """A request that was let in, with the place it holds, until it is answered or given up.

    With `then` it is held until the body has come, and `then` is the place that is needed after.
    """

    def __init__(
        self,
        scope: HTTPScope,
        receive: Receive,
        send: Send,
        *,
        lifecycle: Lifecycle,
        seconds: float,
        holding: Places,
        then: Places | None,
        has_body: bool,
    ) -> None:
        self._scope: Final = scope
        self._receive: Final = receive
        self._send: Final = send
        self._lifecycle: Final = lifecycle
        self._seconds: Final = seconds
        self._deadline: Final = Deadline(seconds=seconds)
        self._clock: Final = asyncio.timeout(seconds)
        self._holds = holding
        self._next = then
        self._task: asyncio.Task[object] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._received = not has_body
        self._told = has_body  # where there is no body, the application is to hear of it
        self._gone = False
        self._started = False
        self._streaming = False
        self._complete = False

    async def answer(self, app: HttpApp) -> None:
        """Let the application answer in the time there is."""
        self._task = asyncio.current_task()
        self._holds.take()
        self._lifecycle.begin(self)
        token = DEADLINE.set(self._deadline)
        try:
            async with self._clock:
                if self._next is not None:
                    self._reschedule(min(_BODY_SECONDS, self._seconds))
                if self._received:
                    self._await_going()
                await app(self._scope, self.receive, self.send)
        except TimeoutError:
            if not self._clock.expired():
                raise
            await self._late()
        except asyncio.CancelledError:
            # Cancelled by this, unless somebody else wanted it too.
            if not self._gone or self._task is None or self._task.uncancel():
                raise
        finally:
            DEADLINE.reset(token)
            self._lifecycle.end(self)
            self._holds.leave()
            if self._watching is not None:
                self._watching.cancel()

    def end(self) -> None:
        """Let its time be over."""
        self._reschedule(0.0)

    async def receive(self) -> HTTPReceiveMessage | WebSocketReceiveMessage:
        """Give the application the next part of the body; raise Busy where there is no place."""
        if not self._told:
            self._told = True
            return _EMPTY
        if self._received:
            await asyncio.Event().wait()  # the client's going ends all of it
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._give_up()
            await asyncio.Event().wait()
        elif message["type"] == "http.request" and not message.get("more_body", False):
            self._received = True
            if self._next is not None:
                self._move(self._next)
            self._await_going()
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the response."""
        if message["type"] == "http.response.start":
            self._started = True
            headers = [(name.lower(), value) for name, value in message["headers"]]
            self._streaming = (b"content-type", b"text/event-stream") in [
                (name, value.partition(b";")[0]) for name, value in headers
            ]
            if self._lifecycle.state == "draining":
                message["headers"] = [*headers, _CLOSE]
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            self._complete = True
        if self._streaming:
            self._reschedule(self._seconds)
        await self._send(message)

    def _move(self, places: Places) -> None:
        """Take the place that the request needs now that it has come."""
        self._next = None
        if places.full:
            raise Busy(_full(places), retry_after=places.retry_after())
        self._holds.leave()
        places.take()
        self._holds = places
        self._reschedule(self._seconds)

    def _reschedule(self, seconds: float) -> None:
        self._deadline.move(seconds=seconds)
        if not self._clock.expired():
            self._clock.reschedule(asyncio.get_running_loop().time() + seconds)

    def _await_going(self) -> None:
        """Watch for the client's going: there is nothing else to come any more."""
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if not self._complete:
            self._give_up()

    def _give_up(self) -> None:
        if self._task is not None and not self._gone:
            self._gone = True
            self._task.cancel()

    async def _late(self) -> None:
        """Say what has taken too long; a response that has begun is cut off by the server."""
        if self._started:
            return
        if self._lifecycle.state == "draining":
            await _refuse_draining(self._scope, self._send)
        elif not self._received:
            await refuse(
                self._scope,
                self._send,
                status=408,
                kind="request-timeout",
                detail="The body of the request did not come in time.",
                headers={"Connection": "close"},
            )
        else:
            await refuse(
                self._scope,
                self._send,
                status=503,
                kind="timeout",
                detail=f"This takes longer than the {self._seconds:g} seconds that a request may "
                "take here (RAG_REQUEST_SECONDS). Try again when there is less to do.",
                headers={"Retry-After": "5"},
            )


async def _refuse_draining(scope: HTTPScope, send: Send) -> None:
    await refuse(
        scope,
        send,
        status=503,
        kind="draining",
        detail="The service is being stopped. Try again when it has started anew.",
        headers={"Retry-After": "5", "Connection": "close"},
    )


async def _refuse_full(scope: HTTPScope, send: Send, places: Places) -> None:
    headers = {"Retry-After": str(places.retry_after())}
    await refuse(scope, send, status=503, kind="busy", detail=_full(places), headers=headers)


def _full(places: Places) -> str:
    return f"There are as many {places.name} under way as can be. Try again soon."


def _has_body(scope: HTTPScope) -> bool:
    """Tell whether a body follows the headers (RFC 9112, 6)."""
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip(b" 0") != b"")
        for name, value in scope["headers"]
    )
