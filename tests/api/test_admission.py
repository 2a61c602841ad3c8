"""What is let in: so many requests of a kind, for so long, of clients that are still there."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from litestar.types import HTTPScope, Receive, Send

from rag.api.admission import with_admission
from rag.api.app import create_app
from rag.api.lifecycle import Lifecycle
from rag.api.places import Bounds, bounds
from rag.api.service import Service
from tests.api.asgi import Exchange, get, post
from tests.api.stuck import PATIENCE, StuckAnswerer
from tests.services import FakeOpening, make_service

QUEUE = 2
QUESTION = {"question": "What now?"}


@asynccontextmanager
async def stuck_service(
    path: Path, **options: Any
) -> AsyncIterator[tuple[Any, StuckAnswerer, Service]]:
    """Give the application of a service that answers when it may, with two places of a kind."""
    opening = FakeOpening(path)
    answerer = opening.answerer = StuckAnswerer()
    service = make_service(path, opening, queue=QUEUE, **options)
    try:
        yield create_app(service), answerer, service
    finally:
        answerer.may_end.set()
        await asyncio.to_thread(service.close)


async def until(condition: Any) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.001)


def test_a_question_too_many_is_refused_at_once_and_unread(tmp_path: Path) -> None:
    """503 with Retry-After, before the body is asked for; what else there is goes on meanwhile."""

    async def main() -> None:
        async with stuck_service(tmp_path) as (app, answerer, service):
            asked = [post(app, "/v1/ask", QUESTION) for _ in range(QUEUE)]
            await until(lambda: service.models.waiting == QUEUE)
            for method, path in (
                ("POST", "/v1/ask"),
                ("POST", "/v1/search"),
                ("GET", "/v1/ask/stream?question=x"),
                ("POST", "/v1/ask/batch"),
                ("GET", "/v1/examples"),
                ("POST", "/v1/ask/"),
            ):
                refused = Exchange(app, method, path, headers={"content-length": "10"})
                await refused.end()
                assert (refused.status, refused.kind) == (503, "busy")
                assert refused.headers["retry-after"] == "1"
                assert not refused.asked_for_body
            head = get(app, "/v1/examples", "HEAD")
            await head.end()
            assert head.status == 503
            for path, status in [("/v1/documents", 200), ("/nope", 404), ("/", 200)]:
                other = get(app, path)
                await other.end()
                assert other.status == status
            answerer.may_end.set()
            for exchange in asked:
                await exchange.end()
                assert exchange.status == 200
            again = post(app, "/v1/ask", QUESTION)
            await again.end()
            assert again.status == 200

    asyncio.run(main())


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/documents"), ("GET", "/nope"), ("PUT", "/v1/feedback"), ("GET", "/openapi.json")],
)
def test_beyond_capacity_every_kind_of_route_is_refused(
    tmp_path: Path, method: str, path: str
) -> None:
    """Routes that are there, are not, or not by this method, but never the health checks."""

    async def main() -> None:
        limits = bounds(QUEUE, kinds={}, retry_after=lambda: 1)
        async with stuck_service(tmp_path) as (inner, _, _service):
            app = with_admission(Lifecycle(), bounds=limits, seconds=PATIENCE)(inner)
            for _ in range(QUEUE):
                limits.others.take()
            refused = get(app, path, method)
            await refused.end()
            assert (refused.status, refused.kind) == (503, "busy")
            live = get(app, "/health/live")
            await live.end()
            assert live.status == 200

    asyncio.run(main())


def test_bodies_that_come_slowly_hold_no_place_of_questions(tmp_path: Path) -> None:
    """While they come, others are asked and answered; one that finds no place then is told so."""

    async def main() -> None:
        async with stuck_service(tmp_path) as (app, answerer, service):
            data = json.dumps(QUESTION).encode()
            headers = {"content-type": "application/json", "content-length": str(len(data))}
            slow = [Exchange(app, "POST", "/v1/ask", headers=headers) for _ in range(3 * QUEUE)]
            for exchange in slow:
                exchange.give(data[:5], more=True)
            await until(lambda: all(exchange.asked_for_body for exchange in slow))
            assert service.lifecycle.in_flight == len(slow)
            fast = [post(app, "/v1/ask", QUESTION) for _ in range(QUEUE)]
            await until(lambda: service.models.waiting == QUEUE)
            slow[0].give(data[5:])
            await slow[0].end()
            assert (slow[0].status, slow[0].kind) == (503, "busy")
            answerer.may_end.set()
            for exchange in fast:
                await exchange.end()
                assert exchange.status == 200
            slow[1].give(data[5:])
            await slow[1].end()
            assert slow[1].status == 200
            for exchange in slow[2:]:
                exchange.leave()
                await exchange.end()
                assert exchange.sent == []
            assert service.lifecycle.in_flight == 0

    asyncio.run(main())


def test_uploads_hold_their_own_places_from_the_beginning(tmp_path: Path) -> None:
    """As many as may be are coming in: the next is refused unread, a question is not."""

    async def main() -> None:
        async with stuck_service(tmp_path) as (app, answerer, _):
            answerer.may_end.set()
            headers = {"content-type": "application/json", "content-length": "1000"}
            slow = [Exchange(app, "POST", "/v1/documents", headers=headers) for _ in range(QUEUE)]
            await until(lambda: all(exchange.asked_for_body for exchange in slow))
            refused = Exchange(app, "POST", "/v1/documents", headers=headers)
            await refused.end()
            assert (refused.status, refused.kind) == (503, "busy")
            assert not refused.asked_for_body
            asked = post(app, "/v1/ask", QUESTION)
            await asked.end()
            assert asked.status == 200
            for exchange in slow:
                exchange.leave()
                await exchange.end()
            document = {"text": "The sofa is red.", "title": "Sofa"}
            added = post(app, "/v1/documents", document)
            await added.end()
            assert added.status == 201

    asyncio.run(main())


@pytest.mark.parametrize("path", ["/v1/ask", "/v1/documents"])
def test_a_body_that_does_not_come_in_time_is_given_up(tmp_path: Path, path: str) -> None:
    """408 that closes the connection, and the place is free again."""

    async def main() -> None:
        async with stuck_service(tmp_path, request_seconds=0.05) as (app, _, service):
            headers = {"content-type": "application/json", "content-length": "1000"}
            slow = Exchange(app, "POST", path, headers=headers)
            slow.give(b"{", more=True)
            await slow.end()
            assert (slow.status, slow.kind) == (408, "request-timeout")
            assert slow.headers["connection"] == "close"
            assert service.lifecycle.in_flight == 0

    asyncio.run(main())


def test_what_takes_too_long_is_refused_and_a_call_that_waits_for_it_never_runs(
    tmp_path: Path,
) -> None:
    """503 with Retry-After after the wall time, for the one that runs and the one that waits."""

    async def main() -> None:
        async with stuck_service(tmp_path, request_seconds=0.1) as (app, answerer, service):
            first = post(app, "/v1/ask", {"question": "First?"})
            assert await asyncio.to_thread(answerer.begun.wait, PATIENCE)
            second = post(app, "/v1/ask", {"question": "Second?"})
            for exchange in (first, second):
                await exchange.end()
                assert (exchange.status, exchange.kind) == (503, "timeout")
                assert exchange.headers["retry-after"] == "5"
            assert service.models.waiting == 1  # a thread cannot be stopped
            answerer.may_end.set()
            await until(lambda: service.models.waiting == 0)
            assert answerer.asked == ["First?"]

    asyncio.run(main())


def test_a_client_that_goes_away_cancels_what_waits_for_it(tmp_path: Path) -> None:
    """Its question is never asked and its place free at once; nothing is sent."""

    async def main() -> None:
        async with stuck_service(tmp_path) as (app, answerer, service):
            first = post(app, "/v1/ask", {"question": "First?"})
            assert await asyncio.to_thread(answerer.begun.wait, PATIENCE)
            second = post(app, "/v1/ask", {"question": "Second?"})
            await until(lambda: service.models.waiting == QUEUE)
            second.leave()
            await second.end()
            assert second.sent == []
            assert (service.models.waiting, service.lifecycle.in_flight) == (1, 1)
            third = post(app, "/v1/ask", {"question": "Third?"})
            await until(lambda: service.models.waiting == QUEUE)
            answerer.may_end.set()
            for exchange in (first, third):
                await exchange.end()
                assert exchange.status == 200
            assert answerer.asked == ["First?", "Third?"]

    asyncio.run(main())


async def _events(_: HTTPScope, receive: Receive, send: Send) -> None:
    """Send an event now and then, for as long as it may."""
    await receive()
    headers = [(b"Content-Type", b"text/event-stream; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for number in range(20):
        await send({"type": "http.response.body", "body": b"%d " % number, "more_body": True})
        await asyncio.sleep(0.02)
    await send({"type": "http.response.body", "body": b"end", "more_body": False})


def _admitting(app: Any, *, seconds: float) -> tuple[Any, Lifecycle, Bounds]:
    lifecycle, limits = Lifecycle(), bounds(QUEUE, kinds={}, retry_after=lambda: 1)
    return with_admission(lifecycle, bounds=limits, seconds=seconds)(app), lifecycle, limits


def test_events_go_on_beyond_the_wall_time_while_they_are_taken() -> None:
    """A stream of four times the wall time is complete."""

    async def main() -> None:
        app, lifecycle, _ = _admitting(_events, seconds=0.1)
        stream = get(app, "/v1/ask/stream")
        await stream.end()
        assert stream.body.endswith(b"19 end")
        assert lifecycle.in_flight == 0

    asyncio.run(main())


def test_events_end_when_the_client_goes_away() -> None:
    """The application is cancelled, its place free."""

    async def main() -> None:
        app, lifecycle, limits = _admitting(_events, seconds=PATIENCE)
        stream = get(app, "/v1/ask/stream")
        await stream.begun.wait()
        stream.leave()
        await stream.end()
        assert b"end" not in stream.body
        assert (lifecycle.in_flight, limits.questions._taken) == (0, 0)

    asyncio.run(main())


def test_a_stream_of_which_nothing_is_taken_is_cut_off() -> None:
    """A client that does not read holds its place no longer than the wall time."""

    async def main() -> None:
        app, lifecycle, _ = _admitting(_events, seconds=0.05)
        stuck = asyncio.Event()

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                await stuck.wait()

        async def receive() -> Any:
            await stuck.wait()

        scope = {"type": "http", "path": "/v1/ask/stream", "method": "GET", "headers": []}
        async with asyncio.timeout(PATIENCE):
            await app(scope, receive, send)
        assert lifecycle.in_flight == 0

    asyncio.run(main())


def test_a_timeout_of_the_application_itself_is_not_taken_for_ours() -> None:
    """A TimeoutError from inside goes on as what it is."""

    async def fail(_: HTTPScope, __: Receive, ___: Send) -> None:
        raise TimeoutError("its own")

    async def main() -> None:
        app, lifecycle, _ = _admitting(fail, seconds=PATIENCE)
        with pytest.raises(TimeoutError, match="its own"):
            await get(app, "/v1/documents").end()
        assert lifecycle.in_flight == 0

    asyncio.run(main())


def test_while_it_loads_only_health_and_the_page_are_served(tmp_path: Path) -> None:
    """All else is 503 `loading` with Retry-After; when it is ready, it is served."""

    async def main() -> None:
        lifecycle = Lifecycle("loading")
        async with stuck_service(tmp_path, lifecycle=lifecycle) as (app, answerer, _):
            answerer.may_end.set()
            for path in ("/", "/page/main.js", "/health/live"):
                served = get(app, path)
                await served.end()
                assert served.status == 200
            ready = get(app, "/health/ready")
            await ready.end()
            assert (ready.status, json.loads(ready.body)["status"]) == (503, "loading")
            for exchange in (post(app, "/v1/ask", QUESTION), get(app, "/nope")):
                await exchange.end()
                assert (exchange.status, exchange.kind) == (503, "loading")
                assert exchange.headers["retry-after"] == "2"
            lifecycle.ready()
            asked = post(app, "/v1/ask", QUESTION)
            await asked.end()
            assert asked.status == 200

    asyncio.run(main())


def test_while_it_drains_what_was_accepted_is_finished_and_nothing_else_taken(
    tmp_path: Path,
) -> None:
    """New requests are 503 `draining` on connections that close; the old one is answered."""

    async def main() -> None:
        async with stuck_service(tmp_path) as (app, answerer, service):
            old = post(app, "/v1/ask", QUESTION)
            assert await asyncio.to_thread(answerer.begun.wait, PATIENCE)
            service.lifecycle.drain()
            for exchange in (post(app, "/v1/ask", QUESTION), get(app, "/"), get(app, "/nope")):
                await exchange.end()
                assert (exchange.status, exchange.kind) == (503, "draining")
                assert exchange.headers["connection"] == "close"
                assert exchange.headers["retry-after"] == "5"
            ready = get(app, "/health/ready")
            await ready.end()
            assert (ready.status, json.loads(ready.body)["status"]) == (503, "draining")
            idle = asyncio.create_task(service.lifecycle.idle(seconds=PATIENCE, grace=PATIENCE))
            answerer.may_end.set()
            await old.end()
            assert (old.status, old.headers["connection"]) == (200, "close")
            await idle
            service.lifecycle.ready()
            assert service.lifecycle.state == "draining"

    asyncio.run(main())


def test_what_is_not_done_when_draining_ends_is_refused(tmp_path: Path) -> None:
    """It is told `draining` instead of being cut off."""

    async def main() -> None:
        async with stuck_service(tmp_path) as (app, answerer, service):
            old = post(app, "/v1/ask", QUESTION)
            assert await asyncio.to_thread(answerer.begun.wait, PATIENCE)
            service.lifecycle.drain()
            await service.lifecycle.idle(seconds=0.05, grace=PATIENCE)
            await old.end()
            assert (old.status, old.kind) == (503, "draining")

    asyncio.run(main())
