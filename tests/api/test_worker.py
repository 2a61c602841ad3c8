"""The worker: one call at a time, in order, and no more waiting than it has places for."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from rag.api.deadline import DEADLINE, Deadline
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


def test_closing_ends_what_runs_and_refuses_what_waits() -> None:
    """The running call ends, waiting and later ones are refused without having run."""
    ran: list[str] = []

    async def main() -> None:
        worker = Worker("models", capacity=CAPACITY)
        gate = Gate()
        running = asyncio.create_task(worker.run(gate))
        await begun(gate)
        waiting = asyncio.create_task(worker.run(lambda: ran.append("waiting")))
        await asyncio.sleep(0)
        closing = asyncio.create_task(asyncio.to_thread(worker.close))
        with pytest.raises(Busy, match="models is shutting down"):
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


def test_a_call_whose_time_is_over_when_its_turn_comes_is_dropped(worker: Worker) -> None:
    """It never runs; one with time left and one without a deadline do."""
    ran: list[str] = []

    async def main() -> None:
        gate = Gate()
        running = asyncio.create_task(worker.run(gate))
        await begun(gate)
        DEADLINE.set(Deadline(seconds=0.0))
        late = asyncio.create_task(worker.run(lambda: ran.append("late")))
        DEADLINE.set(Deadline(seconds=PATIENCE))
        timely = asyncio.create_task(worker.run(lambda: ran.append("timely")))
        await asyncio.sleep(0)
        gate.may_end.set()
        with pytest.raises(Busy, match="time was over"):
            await late
        await asyncio.gather(running, timely)

    asyncio.run(main())
    assert ran == ["timely"]


def test_a_canary_goes_ahead_and_takes_no_place(worker: Worker) -> None:
    """With all places taken it is not refused, runs before what waits, and is not counted."""
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
        canary = asyncio.create_task(worker.run(lambda: ran.append("canary"), ahead=True))
        await asyncio.sleep(0)
        assert worker.waiting == CAPACITY
        gate.may_end.set()
        await asyncio.gather(running, canary, *waiting)
        assert worker.waiting == 0

    asyncio.run(main())
    assert ran == ["canary", *["waiting"] * (CAPACITY - 1)]


@pytest.mark.parametrize("end", ["gone", "late", "closed"])
def test_a_running_call_learns_at_its_checkpoint_that_it_is_useless(
    worker: Worker, end: str
) -> None:
    """The checkpoint lets it pass until its caller is gone, its time over or the worker closed."""
    passed, may_go_on = threading.Event(), threading.Event()
    outcome: list[str] = []

    def call() -> None:
        worker.checkpoint()
        passed.set()
        assert may_go_on.wait(PATIENCE)
        try:
            worker.checkpoint()
        except Busy:
            outcome.append("useless")
            raise

    async def main() -> None:
        deadline = Deadline(seconds=PATIENCE)
        DEADLINE.set(deadline)
        running = asyncio.create_task(worker.run(call))
        assert await asyncio.to_thread(passed.wait, PATIENCE)
        if end == "gone":
            running.cancel()
        elif end == "late":
            deadline.move(seconds=0.0)
        else:
            worker.stop()
        await asyncio.sleep(0)
        may_go_on.set()
        with pytest.raises((Busy, asyncio.CancelledError)):
            await running
        await asyncio.to_thread(worker.close)

    asyncio.run(main())
    assert outcome == ["useless"]


def test_how_long_to_wait_is_told_from_what_calls_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean time of a call and what waits, rounded up, from 1 to 60 seconds."""
    worker = Worker("models", capacity=1000)
    assert worker.retry_after == 1
    for seconds, waiting, expected in [(0.3, 4, 2), (0.3, 3, 1), (0.1, 0, 1), (2.0, 1000, 60)]:
        monkeypatch.setattr(worker, "_seconds", seconds)
        monkeypatch.setattr(worker, "_waiting", waiting)
        assert worker.retry_after == expected


def test_several_threads_run_as_many_calls_at_once() -> None:
    """Two calls that wait for each other end on two threads, a third waits meanwhile."""

    async def main() -> None:
        worker = Worker("models", capacity=CAPACITY, threads=2)
        both = threading.Barrier(2, timeout=PATIENCE)
        first, second = Gate(), Gate()
        meeting = [asyncio.create_task(worker.run(both.wait)) for _ in range(2)]
        await asyncio.gather(*meeting)
        calls = [asyncio.create_task(worker.run(gate)) for gate in (first, second)]
        await begun(first)
        await begun(second)
        third = asyncio.create_task(worker.run(lambda: "third"))
        await asyncio.sleep(0.01)
        assert not third.done()
        second.may_end.set()
        assert await third == "third"
        first.may_end.set()
        await asyncio.gather(*calls)
        await asyncio.to_thread(worker.close)

    asyncio.run(main())
