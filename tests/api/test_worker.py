"""The worker: one call at a time, in order, and no more waiting than it has places for."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from rag.api.worker import Worker
from rag.errors import Busy

CAPACITY = 3
PATIENCE = 20.0


@pytest.fixture
def worker() -> Iterator[Worker]:
    opened = Worker("models", capacity=CAPACITY)
    yield opened
    opened.close()


class Gate:
    """A call that says when it has begun and ends when it may."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.may_end = threading.Event()

    def __call__(self) -> str:
        """Wait to be let through."""
        self.begun.set()
        assert self.may_end.wait(PATIENCE)
        return "through"


async def begun(gate: Gate) -> None:
    assert await asyncio.to_thread(gate.begun.wait, PATIENCE)


def test_calls_run_one_at_a_time_in_order_off_the_event_loop(worker: Worker) -> None:
    """Calls given at once run in the order given, none before the last has ended, on one thread."""
    order: list[str] = []

    def call(n: int) -> int:
        order.append(f"begin {n} {threading.get_ident()}")
        time.sleep(0.01)
        order.append(f"end {n} {threading.get_ident()}")
        return n * n

    async def main() -> list[int]:
        return await asyncio.gather(*(worker.run(lambda n=n: call(n)) for n in range(CAPACITY)))

    assert asyncio.run(main()) == [0, 1, 4]
    (thread,) = {line.split()[2] for line in order}
    assert int(thread) != threading.get_ident()
    assert order == [f"{what} {n} {thread}" for n in range(CAPACITY) for what in ("begin", "end")]


def test_one_call_too_many_is_refused_at_once(worker: Worker) -> None:
    """With one running and two waiting the fourth is refused without waiting, saying when to retry.

    When a place is free again, calls are taken again.
    """

    async def main() -> None:
        gate = Gate()
        calls = [asyncio.create_task(worker.run(gate)) for _ in range(CAPACITY)]
        await begun(gate)
        started = time.monotonic()
        with pytest.raises(Busy, match="3 requests are waiting for models") as caught:
            await worker.run(lambda: "fourth")
        assert time.monotonic() - started < 1.0
        assert caught.value.retry_after == 1
        gate.may_end.set()
        assert await asyncio.gather(*calls) == ["through"] * CAPACITY
        for _ in range(2 * CAPACITY):
            assert await worker.run(lambda: "again") == "again"

    asyncio.run(main())


def test_an_exception_reaches_its_caller_alone(worker: Worker) -> None:
    """A call that raises gives its caller that very exception, and its place back."""
    error = ValueError("mine")

    def fail() -> None:
        raise error

    async def main() -> None:
        for _ in range(2 * CAPACITY):
            with pytest.raises(ValueError, match="mine") as caught:
                await worker.run(fail)
            assert caught.value is error
        assert await worker.run(lambda: 5) == 5

    asyncio.run(main())


def test_a_waiting_call_that_is_cancelled_frees_its_place_and_never_runs(worker: Worker) -> None:
    """When a client goes away before its turn, another can have the place at once."""
    ran: list[str] = []

    async def main() -> None:
        gate = Gate()
        running = asyncio.create_task(worker.run(gate))
        await begun(gate)
        waiting = [
            asyncio.create_task(worker.run(lambda: ran.append("waiting")))
            for _ in range(CAPACITY - 1)
        ]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await worker.run(lambda: None)
        waiting[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting[0]
        instead = asyncio.create_task(worker.run(lambda: ran.append("instead")))
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await worker.run(lambda: None)
        gate.may_end.set()
        await asyncio.gather(running, waiting[1], instead)

    asyncio.run(main())
    assert ran == ["waiting", "instead"]


def test_a_running_call_that_is_cancelled_keeps_its_place_until_it_ends(worker: Worker) -> None:
    """A thread cannot be stopped: while the call runs on, its place is taken."""

    async def main() -> None:
        gate = Gate()
        running = asyncio.create_task(worker.run(gate))
        await begun(gate)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        waiting = [asyncio.create_task(worker.run(lambda: "ran")) for _ in range(CAPACITY - 1)]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await worker.run(lambda: None)
        gate.may_end.set()
        assert await asyncio.gather(*waiting) == ["ran"] * (CAPACITY - 1)

    asyncio.run(main())


def test_closing_ends_what_runs_and_drops_what_waits() -> None:
    """The running call ends, waiting ones are cancelled without having run, later ones refused."""
    ran: list[str] = []

    async def main() -> None:
        worker = Worker("models", capacity=CAPACITY)
        gate = Gate()
        running = asyncio.create_task(worker.run(gate))
        await begun(gate)
        waiting = asyncio.create_task(worker.run(lambda: ran.append("waiting")))
        await asyncio.sleep(0)
        closing = asyncio.create_task(asyncio.to_thread(worker.close))
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not closing.done()
        gate.may_end.set()
        assert await running == "through"
        await closing
        for _ in range(2 * CAPACITY):
            with pytest.raises(Busy, match="models is shutting down"):
                await worker.run(lambda: ran.append("late"))

    asyncio.run(main())
    assert ran == []
