"""Load: from so many clients that wait for each answer, or at a rate that waits for nobody.

A generator of one's own, since those that are kept up (locust, molotov) simulate users who wait for
their answers: when the service is slow they ask less, and what they measure leaves out those who
would have come meanwhile (coordinated omission). Here each request has its moment beforehand, and
its time is counted from that.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

from tests.load.client import Outcome

# Sends one request that was due at a moment, and tells what came of it.
Ask = Callable[[float], Awaitable[Outcome]]


async def closed(ask: Ask, *, clients: int, seconds: float) -> list[Outcome]:
    """Let so many clients ask one after the other for so long."""
    end = time.monotonic() + seconds
    outcomes: list[Outcome] = []

    async def client() -> None:
        while (now := time.monotonic()) < end:
            outcomes.append(await ask(now))

    await asyncio.gather(*(client() for _ in range(clients)))
    return outcomes


async def opened(ask: Ask, *, rate: float, seconds: float, seed: int = 0) -> list[Outcome]:
    """Ask at random moments, `rate` a second on average (a Poisson process), for so long."""
    random_ = random.Random(seed)
    due, moments = 0.0, []
    while (due := due + random_.expovariate(rate)) < seconds:
        moments.append(due)
    start = time.monotonic()
    tasks = []
    for moment in moments:
        delay = start + moment - time.monotonic()
        if delay > 0:
            await asyncio.sleep(delay)
        tasks.append(asyncio.create_task(_run(ask, start + moment)))
    return list(await asyncio.gather(*tasks))


async def _run(ask: Ask, due: float) -> Outcome:
    return await ask(due)


def percentile(values: list[float], share: float) -> float:
    """Return the smallest value that at least this share of all does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(len(ordered) * share * 1000) // 1000) - 1)] if ordered else 0.0
