"""All hostile files, at the limits that are the default and through a service: `make torture`."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from rag.components import build_parser
from rag.documents import Document
from rag.errors import SourceError
from rag.settings import read_settings
from tests.cli.conftest import COMMAND, environment
from tests.sources.hostile import FILES

pytestmark = pytest.mark.long

# What a file may take beside its own 15 seconds: a new child's start, and the kill.
_BESIDE_SECONDS = 5.0
_GROWTH_BYTES = 50_000_000


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Show a figure although the test passes."""

    def write(line: str) -> None:
        with capsys.disabled():
            print(line)  # noqa: T201

    return write


def test_there_are_sixty() -> None:
    """As many as were promised, of every format."""
    assert len(FILES) >= 60
    assert {Path(name).suffix for name in FILES} == {
        ".docx",
        ".html",
        ".jsonl",
        ".md",
        ".pdf",
        ".txt",
    }


def test_each_ends_in_time(
    assert_consistent: Callable[[Document], None], report: Callable[[str], None]
) -> None:
    """With a sound text or a clear error of one sentence, and this process does not grow."""
    settings = read_settings({})
    parser = build_parser(settings)
    slowest = 0.0
    try:
        parser.read(b"text", name="a.txt", uri="a")
        before = resident(None)
        for name, make in FILES.items():
            data = make()
            started = time.monotonic()
            try:
                for document in parser.read(data, name=name, uri=name):
                    assert_consistent(document)
                outcome = "text"
            except SourceError as error:
                outcome = f"{type(error).__name__}: {error}"
            seconds = time.monotonic() - started
            report(f"{name}: {len(data):,} bytes, {seconds:.1f} s, {outcome[:100]}")
            assert len(outcome) < 500, name
            assert seconds < settings.parse_seconds + _BESIDE_SECONDS, name
            slowest = max(slowest, seconds)
            del data
        grown = resident(None) - before
    finally:
        parser.close()
    report(f"slowest {slowest:.1f} s, grown by {grown / 1e6:.1f} MB")
    assert grown < _GROWTH_BYTES


def test_a_service_answers_while_it_reads_them(
    make_home: Callable[..., Path], report: Callable[[str], None]
) -> None:
    """Each upload ends with 201 or a problem, never 500; it lives on, quickly, and does not grow.

    Documents are bounded at 50,000 characters here, so that the hours go into reading hostile files
    and not into embedding their text.
    """
    with serving(make_home(seeded=True), RAG_PARSE_CHARACTERS="50000") as (url, pid):
        ordinary = "\n\n".join(f"Sentence {n} tells of ants and of bees." for n in range(300))
        assert upload(url, "ordinary.txt", ordinary.encode()) == 201
        before = resident(pid)
        done = threading.Event()
        waits: list[float] = []
        watch = threading.Thread(target=watch_health, args=(url, done, waits))
        watch.start()
        try:
            statuses = {name: upload(url, name, make()) for name, make in FILES.items()}
        finally:
            done.set()
            watch.join()
        grown = resident(pid) - before
    last = sorted(waits)[int(len(waits) * 0.99)]
    report(
        f"{len(waits)} calls of /health/live: 99% within {1000 * last:.0f} ms, "
        f"all within {1000 * max(waits):.0f} ms; grown by {grown / 1e6:.1f} MB"
    )
    assert set(statuses.values()) <= {200, 201, 413, 415, 422}, statuses
    assert last < 0.1
    assert grown < _GROWTH_BYTES


@contextmanager
def serving(home: Path, **settings: str) -> Iterator[tuple[str, int]]:
    """Start a service and give its address and process id."""
    command = [*COMMAND, "serve", "--port", "0"]
    with subprocess.Popen(
        command, env=environment(home, **settings), stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            assert line.startswith("Ready: "), line + process.stderr.read()
            yield line.removeprefix("Ready: ").strip(), process.pid
        finally:
            process.terminate()


def upload(url: str, name: str, data: bytes) -> int:
    """Upload a file and return the status, once it is taken in or refused."""
    files = {"file": (name, data)}
    wait = {"wait": "true"}
    return httpx.post(f"{url}/v1/documents", params=wait, files=files, timeout=300).status_code


def watch_health(url: str, done: threading.Event, waits: list[float]) -> None:
    """Ask whether the service lives, twenty times a second, and note how long each call took."""
    with httpx.Client(timeout=60) as client:
        while not done.wait(0.05):
            started = time.monotonic()
            assert client.get(f"{url}/health/live").status_code == 200
            waits.append(time.monotonic() - started)


def resident(pid: int | None) -> int:
    """Return the resident bytes of a process, of this one where `pid` is None."""
    if sys.platform != "linux":
        pytest.skip("asks /proc")
    status = Path(f"/proc/{pid or 'self'}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))
