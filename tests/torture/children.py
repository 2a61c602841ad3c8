"""Processes to be killed, forked from one that has loaded all it needs before."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]


class Forker:
    """Forks a child for each order; one at a time."""

    def __init__(self, process: subprocess.Popen[bytes], errors: Path) -> None:
        self._process: Final = process
        self._errors: Final = errors

    def start(self, directory: Path, *, order: str, **arguments: object) -> int:
        """Give an order and return the id of the process that does it, once it is ready."""
        self.tell(json.dumps(arguments | {"directory": str(directory), "order": order}))
        return int(self.hear("ready"))

    def tell(self, line: str = "go") -> None:
        """Send a line to the child."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def hear(self, what: str) -> Any:
        """Return what the child tells next, which has to be this."""
        told = self.next()
        assert what in told, f"{told} instead of {what}: {self._errors.read_text()}"
        return told[what]

    def rest(self) -> tuple[list[dict[str, Any]], int]:
        """Return all else that the child tells, and its exit code; negative is a signal."""
        told = []
        while "ended" not in (last := self.next()):
            told.append(last)
        return told, last["ended"]

    def finish(self) -> None:
        """Wait for a child that has done its order and nothing else to tell."""
        told, code = self.rest()
        assert (told, code) == ([], 0), self._errors.read_text()

    def kill(self, child: int) -> list[dict[str, Any]]:
        """Kill a child; return what it told before it died of that."""
        os.kill(child, signal.SIGKILL)
        told, code = self.rest()
        assert code == -signal.SIGKILL, self._errors.read_text()
        return told

    def next(self) -> dict[str, Any]:
        """Return what the child, or the one it was forked from, tells next."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self._errors.read_text()
        told: dict[str, Any] = json.loads(line)
        return told


@contextmanager
def forking(errors: Path) -> Iterator[Forker]:
    """Start a process that forks, whose errors go to a file, and end it afterwards."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
        "OPENBLAS_NUM_THREADS": "1",  # a process with one thread may fork
    }
    with (
        errors.open("wb") as file,
        subprocess.Popen(
            [sys.executable, "-m", "tests.torture.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            env=environment,
        ) as process,
    ):
        yield Forker(process, errors)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=30) == 0, errors.read_text()
