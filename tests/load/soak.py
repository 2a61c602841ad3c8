"""Half an hour of questions, uploads, jobs and deletes: python -m tests.load.soak [--minutes 30].

Prints errors and how the memory went; the exit status is 1 where anything failed.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import numpy as np
import numpy.typing as npt

from tests.load.client import Client, Outcome
from tests.load.serving import Service, fill, questions, serving

_PAUSE: Final = 0.05  # seconds that a client thinks
_SAMPLE: Final = 5.0  # seconds between looks at the memory
_WARM: Final = 1 / 6  # of the time, left out of the slope: caches and heaps grow to their size
_ASKERS: Final = 3
_TEXTS: Final = 40
_FINE: Final = {200, 201, 202, 204}


class Log:
    """What came of the requests: counts by kind and status, times of questions, failures."""

    def __init__(self) -> None:
        self.counts: Final[Counter[tuple[str, int]]] = Counter()
        self.times: Final[list[float]] = []
        self.failures: Final[list[str]] = []

    def note(self, kind: str, outcome: Outcome) -> None:
        """Count one."""
        self.counts[kind, outcome.status] += 1
        if kind == "ask":
            self.times.append(outcome.seconds)
        # A document may be deleted, or replaced by a job, between two looks at it.
        if outcome.status not in _FINE | ({404} if kind == "delete" else set()):
            self.failures.append(f"{kind} {outcome}")


async def ask(client: Client, random_: random.Random, asked: list[str]) -> tuple[str, Outcome]:
    """Ask, search, look at documents, the index and citations."""
    question = random_.choice(asked)
    kind = random_.choices(
        ["ask", "stream", "batch", "search", "documents", "text", "index", "page", "ready"],
        [50, 10, 3, 15, 6, 6, 4, 3, 3],
    )[0]
    if kind == "ask":
        body = {"question": question, "k": random_.choice([3, 10]), "answers": 3}
        outcome, reply = await client.send("POST", "/v1/ask", body)
    elif kind == "stream":
        query = urlencode({"question": question})
        outcome, reply = await client.send("GET", f"/v1/ask/stream?{query}")
        if reply is not None and b"event: done" not in reply.body:
            outcome = replace(outcome, status=0, error=f"an unfinished stream: {reply.body!r}")
    elif kind == "batch":
        batch = {"questions": [{"question": each} for each in random_.sample(asked, 3)]}
        outcome, reply = await client.send("POST", "/v1/ask/batch", batch)
        if reply is not None and b'"problem":{' in reply.body:
            outcome = replace(outcome, status=0, error=f"a problem in a batch: {reply.body!r}")
    elif kind == "search":
        mode = random_.choice(["hybrid", "dense", "lexical"])
        body = {"question": question, "k": 10, "retriever": mode}
        outcome, reply = await client.send("POST", "/v1/search", body)
    elif kind == "text":
        outcome, reply = await client.send("GET", "/v1/documents?limit=5")
        if reply is not None and reply.status == 200:
            id_ = random_.choice(reply.json()["documents"])["id"]
            outcome, reply = await client.send("GET", f"/v1/documents/{id_}/text")
            if reply is not None and reply.status == 404:  # deleted in between
                outcome = replace(outcome, status=200)
    else:
        path = {
            "documents": "/v1/documents?limit=50",
            "index": "/v1/index",
            "page": "/",
            "ready": "/health/ready",
        }[kind]
        outcome, reply = await client.send("GET", path)
    return kind, outcome


async def change(client: Client, random_: random.Random, number: int) -> tuple[str, Outcome]:
    """Add or replace a document, at once or by a job, or delete one that was added."""
    slot = random_.randrange(_TEXTS)
    sentences = [
        f"Ledger {slot} entry {random_.randrange(10**6)} was signed by clerk {n} in room {number}."
        for n in range(random_.randrange(5, 60))
    ]
    kind = random_.choices(["add", "job", "delete"], [50, 15, 35])[0]
    uri = f"soak:{slot}"
    if kind == "delete":
        outcome, reply = await client.send("GET", "/v1/documents?limit=1000")
        added = [
            document["id"]
            for document in (reply.json()["documents"] if reply and reply.status == 200 else [])
            if document["uri"].startswith("soak:")
        ]
        if added:
            outcome, _ = await client.send("DELETE", f"/v1/documents/{random_.choice(added)}")
        return kind, outcome
    body = {"text": " ".join(sentences), "title": f"Ledger {slot}", "uri": uri}
    path = "/v1/documents?wait=false" if kind == "job" else "/v1/documents"
    outcome, _ = await client.send("POST", path, body)
    return kind, outcome


async def soak(service: Service, *, seconds: float) -> int:
    """Run the load and print what came of it; return how many requests failed."""
    start = time.monotonic()
    end = start + seconds
    asked = questions()
    log = Log()
    memory: list[tuple[float, float]] = []

    async def asker(seed: int) -> None:
        client, random_ = Client(service.port), random.Random(seed)
        while time.monotonic() < end:
            log.note(*await ask(client, random_, asked))
            await asyncio.sleep(_PAUSE)

    async def changer() -> None:
        client, random_, number = Client(service.port), random.Random(99), 0
        while time.monotonic() < end:
            log.note(*await change(client, random_, number))
            number += 1
            await asyncio.sleep(10 * _PAUSE)

    async def watcher() -> None:
        while time.monotonic() < end:
            if (status := service.process.poll()) is not None:
                told = service.log.read_text(encoding="utf-8")[-5000:]
                raise AssertionError(f"the service ended with status {status}: {told}")
            memory.append((time.monotonic() - start, service.memory()))
            if len(memory) % 12 == 0:
                at, used = memory[-1]
                print(f"{at:6.0f} s  {used:7.1f} MB  {log.counts.total()} requests", flush=True)
            await asyncio.sleep(_SAMPLE)

    await asyncio.gather(*(asker(seed) for seed in range(_ASKERS)), changer(), watcher())
    _report(log, np.array([each for each in memory if each[0] >= seconds * _WARM]))
    return len(log.failures)


def _report(log: Log, kept: npt.NDArray[np.float64]) -> None:
    """Print what was asked, and how the memory went: rows of seconds and MB."""
    slope, at_start = np.polyfit(kept[:, 0] / 3600, kept[:, 1], 1)
    spread = float(np.std(kept[:, 1] - (at_start + slope * kept[:, 0] / 3600)))
    print(f"requests: {dict(sorted((f'{k} {s}', n) for (k, s), n in log.counts.items()))}")
    print(f"questions: {len(log.times)}, median {np.median(log.times):.3f} s")
    print(
        f"memory: {kept[0, 1]:.0f} MB at {kept[0, 0]:.0f} s, {kept[-1, 1]:.0f} MB at the end, "
        f"slope {slope:+.1f} MB an hour (around the line: {spread:.1f} MB)"
    )
    print(f"failures: {len(log.failures)}", *log.failures[:20], sep="\n  ")


def _complaints(log: Path) -> list[str]:
    """Return the lines of a log that are no plain record of a request that went well."""
    lines = log.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if '"level":"error"' in line or not line.startswith("{")]


def main() -> None:
    """Soak a service of its own and leave with 1 where something failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    seconds = parser.parse_args().minutes * 60
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory) / "home"
        fill(home)
        with serving(home) as service:
            failed = asyncio.run(soak(service, seconds=seconds))
            status, took = service.stop()
            print(f"stopped with status {status} in {took:.1f} s")
            print("\n".join(_complaints(service.log)) or "nothing in the log that is an error")
    sys.exit(1 if failed or status else 0)


if __name__ == "__main__":
    main()
