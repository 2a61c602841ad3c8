"""A service in a process of its own, over a copy of the seeds."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

ROOT: Final = Path(__file__).resolve().parents[2]
_READY_SECONDS: Final = 120.0


class Service:
    """A running `rag serve`."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, *, log: Path) -> None:
        self.process: Final = process
        self.port: Final = port
        self.log: Final = log

    def memory(self) -> float:
        """Return the resident memory of the process in MB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8").splitlines()
        (line,) = (one for one in lines if one.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024

    def stop(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Stop it; return its exit status and how long that took."""
        started = time.monotonic()
        self.process.send_signal(how)
        return self.process.wait(60), time.monotonic() - started


def environment(home: Path) -> dict[str, str]:
    """Return the environment of a command over a home."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("RAG_")}
    return own | {"RAG_HOME": str(home), "PYTHONFAULTHANDLER": "1"}


def fill(home: Path) -> None:
    """Ingest the seeds."""
    seeds = sorted(str(path) for path in (ROOT / "seeds").glob("*.md"))
    command = [sys.executable, "-m", "rag.cli", "ingest", *seeds]
    subprocess.run(command, env=environment(home), check=True, capture_output=True)


def questions() -> list[str]:
    """Return the questions on the seeds."""
    lines = (ROOT / "seeds" / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["question"] for line in lines]


@contextmanager
def serving(home: Path, *, module: str = "rag.cli") -> Iterator[Service]:
    """Serve a home on a free port, from when it is ready; killed at the end.

    `module` is run with the arguments of `rag serve`.
    """
    command = [sys.executable, "-m", module, "serve", "--port", str(_free_port())]
    log = home.parent / "serve.log"
    # Into a file: a pipe that nobody reads would hold the service up when it is full.
    with (
        log.open("ab") as errors,
        subprocess.Popen(command, cwd=ROOT, env=environment(home), stderr=errors) as process,
    ):
        service = Service(process, int(command[-1]), log=log)
        try:
            _await(service)
            yield service
        finally:
            process.kill()


def _await(service: Service) -> None:
    end = time.monotonic() + _READY_SECONDS
    while time.monotonic() < end:
        assert service.process.poll() is None, service.log.read_text(encoding="utf-8")
        try:
            with urlopen(f"http://127.0.0.1:{service.port}/health/ready", timeout=10) as response:
                if response.status == 200:
                    return
        except (URLError, OSError):
            time.sleep(0.1)
    message = "the service did not become ready"
    raise AssertionError(message)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
