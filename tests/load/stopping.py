"""A service that is stopped while it has much to do, and what must come of that."""

import asyncio
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rag import catalog
from rag.jobs import JobQueue
from rag.jobs.job import OPEN
from rag.settings import DEFAULT_COLLECTION
from rag.store import SqliteStore
from tests.load.client import Client, Outcome, Reply
from tests.load.serving import Service

_CLIENTS: Final = 6
_WRITERS: Final = 2
_ANSWERED: Final = 5
_ENDED: Final = 120.0


@dataclass(slots=True, kw_only=True)
class Stopped:
    """What came of it: `texts` by uri and `jobs` by id are those that were acknowledged."""

    status: int = -1
    seconds: float = 0.0
    answered: int = 0
    refused: int = 0
    cut: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    jobs: dict[str, str] = field(default_factory=dict)


async def stop_under_load(service: Service, *, after: float, seed: int) -> Stopped:
    """Ask and write, send SIGTERM, and go on until nobody answers.

    The signal comes so many seconds after a document, a job and some answers were acknowledged.
    """
    load = _Load(service, seed)
    async with asyncio.timeout(_ENDED):
        await asyncio.gather(
            load.stop(after),
            *(load.ask(number) for number in range(_CLIENTS)),
            *(load.write(number) for number in range(_WRITERS)),
        )
    return load.stopped


class _Load:
    def __init__(self, service: Service, seed: int) -> None:
        self.stopped: Final = Stopped()
        self._service: Final = service
        self._seed: Final = seed
        self._gone = False

    async def ask(self, number: int) -> None:
        """Ask one question after the other."""
        client, count = Client(self._service.port), 0
        while not self._gone:
            count += 1
            body = {"question": f"Which clerk signed entry {number} of ledger {count}?"}
            self._note(*await client.send("POST", "/v1/ask", body))

    async def write(self, number: int) -> None:
        """Add one document after the other, every third by a job."""
        client, count = Client(self._service.port), 0
        while not self._gone:
            count += 1
            uri = f"stopping:{self._seed}:{number}:{count}"
            text = f"Ledger {count} was signed by clerk {number}.\nThe round is {self._seed}."
            path = f"/v1/documents?wait={'true' if count % 3 else 'false'}"
            body = {"text": text, "title": f"Ledger {count}", "uri": uri}
            outcome, reply = await client.send("POST", path, body)
            self._note(outcome, reply)
            if reply is not None and reply.status == 201:
                self.stopped.texts[uri] = text
            elif reply is not None and reply.status == 202:
                self.stopped.jobs[reply.json()["id"]] = uri

    async def stop(self, after: float) -> None:
        """Stop the service in the midst of it."""
        told = self.stopped
        while not (told.texts and told.jobs and told.answered > _ANSWERED) and not self._gone:
            await asyncio.sleep(0.01)
        await asyncio.sleep(after)
        told.status, told.seconds = await asyncio.to_thread(self._service.stop, signal.SIGTERM)
        self._gone = True

    def _note(self, outcome: Outcome, reply: Reply | None) -> None:
        told = self.stopped
        if outcome.begun and reply is None:
            told.cut.append(str(outcome))
        if reply is None:
            self._gone = True  # refused or reset: nothing was begun
        elif reply.status in {200, 201, 202}:
            told.answered += 1
        elif reply.status == 503:
            told.refused += 1
        else:
            told.strange.append(f"{reply.status} {reply.body!r}")


def lost(home: Path, stopped: Stopped) -> list[str]:
    """Return what was acknowledged and is not there."""
    store = SqliteStore(
        catalog.directory_of(home, DEFAULT_COLLECTION), fingerprint=None, create=False
    )
    try:
        with store.snapshot() as snapshot:
            there = {
                one.uri: snapshot.document(one.id).text for one in snapshot.summaries(limit=100_000)
            }
    finally:
        store.close()
    missing = [uri for uri, text in stopped.texts.items() if there.get(uri) != text]
    queue = JobQueue(home, capacity=1000)
    try:
        jobs = {job.id: job for job in queue.latest(limit=100_000)}
    finally:
        queue.close()
    for id_, uri in stopped.jobs.items():
        job = jobs.get(id_)
        if job is None or not (job.status in OPEN or (job.status == "done" and uri in there)):
            missing.append(f"job {id_}: {job}")
    return missing
