"""What the service does beyond its capacity: python -m tests.load.overload [--seconds 60].

From so many clients that wait for their answers its capacity is found; then it is asked at rates
up to four times that, which wait for nobody. Prints figures, writes `build/load/` and leaves with 1
where goodput, refusals, memory or recovery are worse than promised.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tests.load.client import Client, Outcome
from tests.load.drawing import page
from tests.load.generating import Ask, closed, opened, percentile
from tests.load.serving import ROOT, Service, fill, questions, serving

_CLIENTS: Final = (1, 2, 4, 8)
_STEPS: Final = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
_FACTOR: Final = 4.0
_WARM_UP: Final = 60  # questions

# What is promised.
GOODPUT: Final = 0.9
REFUSAL: Final = 0.1
GROWTH: Final = 0.1
RECOVERY: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What came of an offered load: rates are a second, times in seconds from when one was due.

    `answered` and `refused` are rates over the time in which requests were sent; `failed` counts
    what was neither.
    """

    clients: int | None
    offered: float
    answered: float
    refused: float
    failed: int
    median: float
    p99: float
    refusal_p99: float


def summary(outcomes: list[Outcome], *, seconds: float, clients: int | None = None) -> Point:
    """Sum up what was asked in so many seconds; answers that came later do not count."""
    end = min((one.due for one in outcomes), default=0.0) + seconds
    fine = [one for one in outcomes if one.status == 200]
    refused = [one.seconds for one in outcomes if one.status == 503]
    times = [one.seconds for one in fine]
    return Point(
        clients=clients,
        offered=len(outcomes) / seconds,
        answered=sum(one.done <= end for one in fine) / seconds,
        refused=len(refused) / seconds,
        failed=sum(one.status not in {200, 503} for one in outcomes),
        median=percentile(times, 0.5),
        p99=percentile(times, 0.99),
        refusal_p99=percentile(refused, 0.99),
    )


async def measure(service: Service, *, seconds: float, step: float) -> dict[str, object]:
    """Find the capacity, offer loads up to four times it, and watch the service come back."""
    client, random_, asked = Client(service.port), random.Random(1), questions()

    async def ask(due: float) -> Outcome:
        body = {"question": random_.choice(asked)}
        return (await client.send("POST", "/v1/ask", body, due=due))[0]

    for _ in range(_WARM_UP):
        await ask(time.monotonic())
    points = [
        _told(summary(await closed(ask, clients=count, seconds=step), seconds=step, clients=count))
        for count in _CLIENTS
    ]
    best = max(points, key=lambda point: point.answered)
    calm = points[0].median
    curve = []
    for share in _STEPS:
        rate = share * best.answered
        curve.append(_told(summary(await opened(ask, rate=rate, seconds=step), seconds=step)))
    before = service.memory()
    overload = await opened(ask, rate=_FACTOR * best.answered, seconds=seconds)
    recovery = await _recovery(
        ask, start=max((one.due for one in overload), default=0.0), calm=calm
    )
    after = service.memory()
    over = _told(summary(overload, seconds=seconds))
    curve.append(over)
    client.close()
    return {
        "best": best.answered,
        "goodput": over.answered / best.answered,
        "refusal_p99": over.refusal_p99,
        "failed": sum(point.failed for point in [*points, *curve]),
        "memory_before": before,
        "memory_after": after,
        "growth": after / before - 1,
        "recovery": recovery,
        "closed": [asdict(point) for point in points],
        "opened": [asdict(point) for point in curve],
    }


def _told(point: Point) -> Point:
    who = f"{point.clients} clients" if point.clients else f"{point.offered:5.1f}/s offered"
    print(
        f"{who:>16}: {point.answered:5.1f}/s answered (median {point.median:.3f} s, 99% "
        f"{point.p99:.3f}), {point.refused:5.1f}/s refused (99% {point.refusal_p99:.4f} s), "
        f"{point.failed} failed",
        flush=True,
    )
    return point


async def _recovery(ask: Ask, *, start: float, calm: float) -> float:
    """Return how long after the last request of the overload answers are as quick as before.

    That is three questions in a row, one after the other, in twice the calm median each.
    """
    good = 0
    while good < 3 and time.monotonic() < start + 60:
        outcome = await ask(time.monotonic())
        good = good + 1 if outcome.status == 200 and outcome.seconds < 2 * calm else 0
        if outcome.status != 200:
            await asyncio.sleep(0.05)
    return time.monotonic() - start


def broken(measured: dict[str, object]) -> list[str]:
    """Return the promises that were not kept."""
    figures = {name: value for name, value in measured.items() if isinstance(value, float | int)}
    promises = {
        f"goodput under overload at least {GOODPUT:.0%}": figures["goodput"] >= GOODPUT,
        f"99% of refusals within {REFUSAL} s": figures["refusal_p99"] <= REFUSAL,
        f"memory grows less than {GROWTH:.0%}": figures["growth"] < GROWTH,
        f"recovered within {RECOVERY:.0f} s": figures["recovery"] <= RECOVERY,
        "every request is answered or refused": figures["failed"] == 0,
    }
    return [name for name, kept in promises.items() if not kept]


def main() -> None:
    """Measure a service of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--step", type=float, default=15.0, help="Seconds for each other load.")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "load")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory) / "home"
        fill(home)
        with serving(home) as service:
            measured = asyncio.run(measure(service, seconds=arguments.seconds, step=arguments.step))
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "load.json").write_text(json.dumps(measured, indent=1), encoding="utf-8")
    (arguments.out / "load.html").write_text(page(measured), encoding="utf-8")
    print(
        "best {best:.1f}/s; goodput at four times that {goodput:.0%}; 99% of refusals within "
        "{refusal_p99:.4f} s; memory {memory_before:.0f} -> {memory_after:.0f} MB ({growth:+.1%}); "
        "recovered in {recovery:.1f} s".format(**measured)
    )
    print(f"{arguments.out / 'load.html'}")
    if missed := broken(measured):
        print("NOT KEPT:", *missed, sep="\n  ")
        sys.exit(1)


if __name__ == "__main__":
    main()
