"""The route that answers a question as it goes: passages first, then answers."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

import msgspec
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Send

from rag.answering import Found
from rag.api import openapi, problems, queries, schemas, wire
from rag.api.access import Access
from rag.api.service import Service

MEDIA_TYPE: Final = "text/event-stream"
HEARTBEAT: Final = b": still at it\n\n"
_HEARTBEAT_SECONDS: Final = 5.0


class EventStream(ASGIResponse):
    """A response of server-sent events.

    The framework's own one waits for the client's going by itself, which is admission's part here.
    """

    _should_set_content_length = False

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        super().__init__(
            media_type=MEDIA_TYPE,
            # nginx would hold events back until its buffer is full.
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
        self._events: Final = events

    async def send_body(self, send: Send, receive: Receive) -> None:  # noqa: ARG002
        """Send the events as they come."""
        async with aclosing(self._events) as events:
            async for event in events:
                await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


@get(
    "/v1/ask/stream",
    summary="Answer a question, passages first",
    scope="ask",
    responses=openapi.EVENTS | openapi.INVALID | openapi.UNKNOWN | openapi.BUSY,
    query=queries.NAMES,
)
async def ask_stream(
    request: Request[Any, Any, Any],
    service: NamedDependency[Service],
    access: NamedDependency[Access],
) -> EventStream:
    """Send the passages that were found, before they are read, and the answers after.

    The events are `hits`, one `answer` for each, best first, and `done`, which has the abstention
    if there is one. What goes wrong after `hits` is an event `problem` and the last one; what goes
    wrong before is an ordinary problem. Lines that begin with a colon keep the connection alive.
    """
    data = queries.question_in(request.scope["query_string"])
    access.require(data.collection)
    events = _events(data, service=service, path=request.url.path)
    # Begun here, so that what fails before there is anything to send is an ordinary problem.
    first = await anext(events)
    return EventStream(_chained(first, events))


async def _chained(
    first: bytes, events: AsyncGenerator[bytes, None]
) -> AsyncGenerator[bytes, None]:
    async with aclosing(events):
        yield first
        async for event in events:
            yield event


async def _events(
    data: schemas.AskRequest, *, service: Service, path: str
) -> AsyncGenerator[bytes, None]:
    """Ask on the thread of the models and yield what is known as soon as it is.

    When this is closed early, a question that has not begun never will, and one whose passages are
    being looked for is not read.
    """
    filters = wire.filters_in(data.filters)
    loop = asyncio.get_running_loop()
    hits: asyncio.Future[bytes] = loop.create_future()

    def hand_out(found: Found) -> None:
        service.models.checkpoint()
        loop.call_soon_threadsafe(_set, hits, _event("hits", wire.hits_out(found)))

    def ask() -> list[bytes]:
        answered = service.home.engine(data.collection).answerer.ask(
            data.question,
            answers=data.answers,
            k=data.k,
            filters=filters,
            min_confidence=data.min_confidence,
            on_found=hand_out,
        )
        response = wire.asked_out(answered)
        return [
            *(_event("answer", answer) for answer in response.answers),
            _event("done", wire.done_out(response)),
        ]

    asking = asyncio.create_task(service.models.run(ask))
    # Where nobody listens any more, what went wrong is nobody's concern.
    asking.add_done_callback(lambda task: task.cancelled() or task.exception())
    try:
        either: set[asyncio.Future[Any]] = {asking, hits}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not hits.done():
            await asking  # which raises what went wrong
        yield await hits
        while not asking.done():
            await asyncio.wait({asking}, timeout=_HEARTBEAT_SECONDS)
            if not asking.done():
                yield HEARTBEAT
        try:
            rest = asking.result()
        except Exception as error:  # noqa: BLE001  (it is too late for a response of its own)
            rest = [_event("problem", problems.of(error, path=path))]
        for event in rest:
            yield event
    finally:
        asking.cancel()
        hits.cancel()


def _set(future: asyncio.Future[bytes], value: bytes) -> None:
    if not future.done():  # cancelled: nobody listens any more
        future.set_result(value)


def _event(name: str, data: msgspec.Struct) -> bytes:
    """Return a server-sent event; JSON has no line breaks, so its data is one line."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))
