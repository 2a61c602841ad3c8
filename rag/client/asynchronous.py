"""The client for an event loop."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx

from rag.api import schemas
from rag.client import calls, wire
from rag.client.errors import StreamEnded

T = TypeVar("T")
P = ParamSpec("P")


def _sent(
    make: "Callable[P, calls.Call[T]]",
) -> "Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]":
    """Return a method that makes a call and sends it."""

    @wraps(make)
    async def method(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.send(make(*args, **kwargs))

    return method


class AsyncClient:
    """Asks a running service from an event loop; has the methods of `Client`, to be awaited.

    Arguments are those of `Client`.
    """

    def __init__(
        self,
        address: str = wire.ADDRESS,
        *,
        key: str | None = None,
        retries: int = 4,
        patience: float = 30.0,
        timeout: float = wire.TIMEOUT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._retries = retries
        self._patience = patience
        self._http = httpx.AsyncClient(
            base_url=address, headers=wire.headers_of(key), timeout=timeout, transport=transport
        )

    async def send(self, call: calls.Call[T]) -> T:
        """Return what a call of `rag.client.calls` returns; raise ServiceError where refused."""
        retries = wire.Retries(self._retries, self._patience)
        while True:
            with wire.request_of(call) as request:
                response = await self._http.request(**request)
            delay = retries.delay(call, response)
            if delay is None:
                return wire.value_of(call, response)
            await asyncio.sleep(delay)

    ask = _sent(calls.ask)
    batch = _sent(calls.batch)
    search = _sent(calls.search)
    examples = _sent(calls.examples)
    add_file = _sent(calls.add_file)
    add_text = _sent(calls.add_text)
    documents = _sent(calls.documents)
    document = _sent(calls.document)
    text = _sent(calls.text)
    delete = _sent(calls.delete)
    verify = _sent(calls.verify)
    feedback = _sent(calls.feedback)
    index = _sent(calls.index)
    collections = _sent(calls.collections)
    create_collection = _sent(calls.create_collection)
    delete_collection = _sent(calls.delete_collection)
    jobs = _sent(calls.jobs)
    job = _sent(calls.job)
    cancel_job = _sent(calls.cancel_job)
    health = _sent(calls.health)

    async def stream(
        self,
        question: str,
        *,
        answers: int = 3,
        k: int = 10,
        filters: schemas.Filters | None = None,
        min_confidence: float | None = None,
        collection: str = calls.DEFAULT,
    ) -> AsyncGenerator[wire.Event, None]:
        """Yield `Hits` before they are read, then each `Answer`, best first, then `Done`."""
        call = calls.stream(
            question,
            answers=answers,
            k=k,
            filters=filters,
            min_confidence=min_confidence,
            collection=collection,
        )
        retries = wire.Retries(self._retries, self._patience)
        while True:
            with wire.request_of(call) as request:
                async with self._http.stream(**request) as response:
                    if response.status_code == 200:
                        async with aclosing(_events(response)) as events:
                            async for event in events:
                                yield event
                        return
                    await response.aread()
                    delay = retries.delay(call, response)
                    if delay is None:
                        raise wire.error_in(response)
            await asyncio.sleep(delay)

    async def wait(self, job: schemas.Job, *, seconds: float = 600.0) -> schemas.Job:
        """Return a job when its documents are searchable; raise JobFailed, or TimeoutError."""
        waiting = wire.Waiting(seconds=seconds)
        while (pause := waiting.pause(job)) is not None:
            await asyncio.sleep(pause)
            job = await self.job(job.id)
        return job

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the client."""
        await self.close()


async def _events(response: httpx.Response) -> AsyncGenerator[wire.Event, None]:
    events = wire.Events()
    async for line in response.aiter_lines():
        event = events.take(line)
        if event is not None:
            yield event
    if not events.done:
        raise StreamEnded("The answer was cut off. Ask again.")
