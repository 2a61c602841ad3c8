"""A Ray cluster for tests: a head and further nodes on this machine, each at its own address."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from rag.bootstrap import open_store
from rag.errors import RagError
from rag.settings import read_settings

ROOT: Final = Path(__file__).resolve().parents[1]
_START_SECONDS: Final = 60
_TRIALS: Final = 5
_END_SECONDS: Final = 30


class RayCluster:
    """Nodes of one CPU each, at 127.0.0.2 and upward (Ray takes 127.0.0.1 for another address).

    All its processes have the cluster's token in their environment, by which they are known.
    """

    def __init__(self, *, models: Path, token: str | None) -> None:
        self.token: Final = secrets.token_hex(32) if token is None else token
        self.mark: Final = secrets.token_hex(16)
        self.directory: Final = Path(tempfile.mkdtemp(prefix="ray-"))  # sockets need short paths
        self._nodes: Final[list[subprocess.Popen[bytes]]] = []
        self.address: Final = f"127.0.0.2:{_free_port('127.0.0.2')}"
        self._environment: Final = {
            **{key: value for key, value in os.environ.items() if not key.startswith("RAG_")},
            **self.credentials(),
            "CHAPTERVERSE_TEST": self.mark,
            "PYTHONPATH": str(ROOT),
            "RAG_MODELS": str(models),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_raylet_start_wait_time_s": str(_START_SECONDS),
        }

    def credentials(self) -> dict[str, str]:
        """Return the environment of who may join."""
        if not self.token:
            return {"RAY_AUTH_MODE": "disabled"}
        return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.token}

    def add_node(self, **environment: str) -> int:
        """Start a node and return its number once it takes part; the first one is the head.

        Tried again where it does not: on a busy machine Ray gives up on agents that take longer
        than 15 seconds to start.
        """
        number = len(self._nodes)
        for _ in range(_TRIALS):
            log = self._start(number, environment)
            deadline = time.monotonic() + _START_SECONDS
            while self._nodes[number].poll() is None and time.monotonic() < deadline:
                if b"Ray runtime started" in log.read_bytes():
                    return number
                time.sleep(0.2)
            self.kill_node(number)
            del self._nodes[number]
        raise RuntimeError(log.read_text(errors="replace"))

    def _start(self, number: int, environment: Mapping[str, str]) -> Path:
        """Start the processes of a node and return their log."""
        host = f"127.0.0.{number + 2}"
        head = ["--head", f"--port={self.address.rpartition(':')[2]}", "--include-dashboard=false"]
        ports = ("metrics-export", "dashboard-agent-listen", "dashboard-agent-grpc")
        log = self.directory / f"node-{number}.log"
        with log.open("wb") as output:
            self._nodes.append(
                subprocess.Popen(
                    [
                        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--block"),
                        *(head if number == 0 else [f"--address={self.address}"]),
                        f"--node-ip-address={host}",
                        "--num-cpus=1",
                        "--object-store-memory=200000000",
                        f"--temp-dir={self.directory}",
                        *(f"--{name}-port={_free_port(host)}" for name in ports),
                        f"--runtime-env-agent-port={_free_port(host)}",
                    ],
                    env=self._environment | environment,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )
        return log

    def workers(self, kind: str, *, node: int | None = None) -> list[int]:
        """Return the ids of the processes of a stage, of one node or of all."""
        found = []
        for process, command, parent in self._processes():
            at = self._processes_of(node) if node is not None else {parent}
            if command.startswith("ray::") and kind in command and parent in at:
                found.append(process)
        return found

    def kill_node(self, node: int) -> None:
        """End all processes of a node at once by SIGKILL, as a crash of its machine does."""
        for process in self._processes_of(node):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._nodes[node].wait()

    def close(self) -> None:
        """End all processes and remove what they wrote."""
        for node in self._nodes:
            node.terminate()
        for node in self._nodes:
            with suppress(subprocess.TimeoutExpired):
                node.wait(_END_SECONDS)
        while left := self._processes():
            for process, _, _ in left:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            time.sleep(0.1)
        for node in self._nodes:
            node.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _processes(self) -> list[tuple[int, str, int]]:
        """Return id, command and parent of all processes of the cluster that have not ended."""
        found = []
        for directory in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if self.mark.encode() in (directory / "environ").read_bytes():
                    command = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    status = (directory / "stat").read_text().rpartition(")")[2].split()
                    found.append((int(directory.name), command, int(status[1])))
        return found

    def _processes_of(self, node: int) -> set[int]:
        """Return a node's first process and all below it."""
        found = {self._nodes[node].pid}
        processes = self._processes()
        while more := {id_ for id_, _, parent in processes if parent in found} - found:
            found |= more
        return found


@contextmanager
def ray_cluster(*, nodes: int, models: Path, token: str | None = None) -> Iterator[RayCluster]:
    """Run a cluster; an empty token makes one that takes whoever comes."""
    with ExitStack() as stack:
        cluster = RayCluster(models=models, token=token)
        stack.callback(cluster.close)
        for _ in range(nodes):
            cluster.add_node()
        yield cluster


def start(*arguments: object, home: Path, credentials: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start a command over a home, in a process of its own, that may join a cluster."""
    own = {key: value for key, value in os.environ.items() if not key.startswith(("RAG_", "RAY_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "rag.cli", *map(str, arguments)],
        env=own | {"RAG_HOME": str(home), "PYTHONPATH": str(ROOT)} | credentials,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_documents(number: int, *, home: Path, process: subprocess.Popen[str]) -> None:
    """Return once an index holds so many documents, while the command that adds them runs."""
    settings = read_settings({"RAG_HOME": str(home)})
    found = 0
    while found < number:
        if process.poll() is not None:
            raise RuntimeError(process.communicate())
        time.sleep(0.5)
        with (
            suppress(RagError),
            open_store(settings, create=False) as store,
            store.snapshot() as snapshot,
        ):
            found, _ = snapshot.count()


def _free_port(host: str) -> int:
    with socket.create_server((host, 0)) as server:
        return int(server.getsockname()[1])
