"""Answers a second of one service and of two, over one database; printed, never asserted.

Run: python -m tests.benchmarks.bench_replicas [SECONDS]. Each service has one thread for its
models, and one core where there is more than one (`taskset`); the database has all. Wall-clock
rates mean something only on a machine that does nothing else; the processor time of a question
does on any.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from rag.bootstrap import file_uri, open_engine
from rag.indexing import File
from rag.settings import read_settings
from rag.store.postgres import migrate
from tests.cli.conftest import COMMAND
from tests.cli.test_replicas import processes
from tests.load.serving import ROOT, questions
from tests.postgres import PostgresServer, programs, running_server

_CLIENTS: Final = 2
_TICK: Final = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure and print."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    directory = programs()
    if directory is None:
        raise SystemExit("pip install -r tests/postgres-requirements.txt")
    with (
        running_server(directory) as server,
        tempfile.TemporaryDirectory(prefix="chapterverse-replicas-") as place,
    ):
        url = server.make_database()
        migrate(url)
        homes = [Path(place) / f"home {n}" for n in range(2)]
        fill(homes[0], url)
        homes[1].mkdir()
        (homes[1] / "models").symlink_to(homes[0] / "models", target_is_directory=True)
        for number in (1, 2):
            with serving(homes[:number], url) as (clients, ids):
                report(number, *measure(clients, ids, server, seconds=seconds))


def fill(home: Path, url: str) -> None:
    """Ingest the seeds."""
    seeds = sorted((ROOT / "seeds").glob("*.md"))
    files = [File(path=path, uri=file_uri(path, home=home)) for path in seeds]
    with open_engine(read_settings({"RAG_HOME": str(home), "RAG_STORE": url})) as engine:
        list(engine.indexer.add_files(files))


@contextmanager
def serving(homes: list[Path], url: str) -> Iterator[tuple[list[httpx.Client], list[int]]]:
    """Run a service over each home, each on a core of its own; give clients and process ids."""
    ids: list[int] = []
    cores = sorted(os.sched_getaffinity(0))

    def start(*arguments: object, home: Path, **given: str) -> subprocess.Popen[str]:
        core = cores[len(ids) % len(cores)]
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *COMMAND, *map(str, arguments)],
            env=os.environ | {"RAG_HOME": str(home), **given},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        ids.append(process.pid)
        return process

    with processes(start, homes, RAG_STORE=url, RAG_RATE="0") as clients:
        yield clients, ids


def measure(
    clients: list[httpx.Client], ids: list[int], server: PostgresServer, *, seconds: float
) -> tuple[float, float, float]:
    """Ask all services at once; return answers a second, and processor seconds an answer.

    The latter of the services and of the database.
    """
    asked = questions()
    counts = [0] * (len(clients) * _CLIENTS)
    until = 0.0

    def ask(number: int) -> None:
        with httpx.Client(base_url=clients[number % len(clients)].base_url, timeout=60) as client:
            while time.monotonic() < until:
                question = asked[(counts[number] * 7 + number) % len(asked)]
                client.post("/v1/ask", json={"question": question}).raise_for_status()
                counts[number] += 1

    for client in clients:
        for question in asked[:5]:
            client.post("/v1/ask", json={"question": question}).raise_for_status()
    used = sum(map(processor, ids)), processor(server.first)
    began = time.monotonic()
    until = began + seconds
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(counts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - began
    answers = sum(counts)
    now = sum(map(processor, ids)), processor(server.first)
    return answers / took, (now[0] - used[0]) / answers, (now[1] - used[1]) / answers


def processor(process: int) -> float:
    """Return the processor time of a process and of its children, past ones too, in seconds."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    own = sum(int(field) for field in fields[11:15]) / _TICK
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return own + sum(processor(int(child)) for child in children)


def report(number: int, rate: float, services: float, database: float) -> None:
    """Print one line."""
    print(
        f"{number} service(s): {rate:6.2f} answers a second; processor time of an answer: "
        f"{services * 1000:.0f} ms in the services, {database * 1000:.1f} ms in the database"
    )


if __name__ == "__main__":
    main()
