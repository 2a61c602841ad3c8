"""Reaching a Ray cluster: with its token or not at all, and with nodes that can do the work."""

import os
import re
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rag.components import index_fingerprint
from rag.errors import RagError, SettingsError
from rag.settings import Settings

if TYPE_CHECKING:
    from rag.distributed.workers import Machine

_ADDRESS: Final = re.compile(r"(?P<host>[A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\]):(?P<port>\d{1,5})")
_CONNECT_SECONDS: Final = 10
_HEAD: Final = "node:__internal_head__"  # a resource of the head alone
# A node may have to convert the model first, which loads torch.
_PREPARE_SECONDS: Final = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster that this process has joined: the node it is on, and the CPUs of all."""

    node: str
    cpus: int


@contextmanager
def joined(address: str, *, settings: Settings) -> Iterator[Cluster]:
    """Join the cluster whose head is at `address` (HOST:PORT), and leave it at the end.

    Prepares the models on every node. Raises SettingsError where what is needed for that is not
    installed or set here, RagError for a cluster that cannot be reached, takes whoever comes, or
    has a node that would make another index than this machine.
    """
    _require_ray()
    require_token(os.environ)
    host, port = _host_and_port(address)
    try:
        socket.create_connection((host, port), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise RagError(
            f"No Ray cluster can be reached at {address} ({error.strerror or error}): give the "
            "address that `ray start --head` told, which ends in :6379 unless it was given another."
        ) from error
    # Both are read when Ray is imported. Its C++ part would write beside the progress, and does
    # write that it was told not to.
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
    with _silence():
        import ray  # noqa: PLC0415  (takes seconds)
    try:
        with _silence():
            ray.init(address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ray.exceptions.RayError) as error:
        raise RagError(_refusal(address, error)) from error
    try:
        nodes = [node for node in ray.nodes() if node["Alive"]]
        check(_prepare(nodes, settings=settings), nodes=nodes, settings=settings)
        cpus = int(sum(node["Resources"].get("CPU", 0) for node in nodes))
        if cpus < 1:
            raise RagError(
                f"The Ray cluster at {address} has no CPU to work with: start a node with some "
                f"(`ray start --address={address} --num-cpus=8`)."
            )
        # Ray tells of lost workers on standard output, which belongs to the command.
        with redirect_stdout(sys.stderr):
            yield Cluster(node=ray.get_runtime_context().get_node_id(), cpus=cpus)
    finally:
        ray.shutdown()


def require_token(environment: Mapping[str, str]) -> None:
    """Raise SettingsError unless the environment makes Ray authenticate itself with a token."""
    how = (
        "Start every node of the cluster, and this command, with RAY_AUTH_MODE=token and the "
        "cluster's token in the file ~/.ray/auth_token (`ray get-auth-token --generate` makes "
        "one), in the file that RAY_AUTH_TOKEN_PATH names, or in RAY_AUTH_TOKEN."
    )
    if environment.get("RAY_AUTH_MODE", "").lower() != "token":
        raise SettingsError(
            "A Ray cluster runs whatever reaches it, so it is joined only with token "
            f"authentication, and RAY_AUTH_MODE is not token. {how}"
        )
    if environment.get("RAY_AUTH_TOKEN"):
        return
    named = environment.get("RAY_AUTH_TOKEN_PATH")
    file = Path(named) if named else Path.home() / ".ray" / "auth_token"
    try:
        found = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"RAY_AUTH_MODE is token, but {file} has none ({error}). {how}"
        ) from error
    if not found:
        raise SettingsError(f"RAY_AUTH_MODE is token, but {file} is empty. {how}")


@contextmanager
def _silence() -> Iterator[None]:
    """Let nothing reach standard error that is written past Python."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _require_ray() -> None:
    if not all(map(find_spec, ("ray", "pyarrow", "pandas"))):
        raise SettingsError(
            "Ingestion over a cluster needs Ray, which is not installed: pip install "
            '"chapterverse[ray]".'
        )


def _host_and_port(address: str) -> tuple[str, int]:
    match = _ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match["port"]) < 65536:
        raise SettingsError(
            f"--ray takes the address of a cluster's head as HOST:PORT, such as 10.0.0.1:6379, not "
            f"{address!r}."
        )
    return match["host"].strip("[]"), int(match["port"])


def _refusal(address: str, error: Exception) -> str:
    causes: list[BaseException] = [error]
    while cause := causes[-1].__cause__:
        causes.append(cause)
    # Ray may give no more of the cause than its traceback, as text.
    if any("AuthenticationError" in f"{type(cause).__name__} {cause}" for cause in causes):
        return (
            f"The Ray cluster at {address} does not take this token: give the one that its nodes "
            "were started with."
        )
    return (
        f"The Ray cluster at {address} cannot be joined ({_first_line(causes[-1])}): this machine "
        f"must be one of its nodes (`ray start --address={address} --num-cpus=0` makes it one that "
        "does no work), with the same versions of Python and Ray."
    )


def _prepare(nodes: list[dict[str, Any]], *, settings: Settings) -> dict[str, "Machine"]:
    """Return what each node says of itself, by its address; its models are prepared then."""
    import ray  # noqa: PLC0415
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: PLC0415

    from rag.distributed.workers import prepare  # noqa: PLC0415

    run = ray.remote(num_cpus=0, max_retries=3)(prepare)
    calls = {
        node["NodeManagerAddress"]: run.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        ).remote(settings)
        for node in nodes
    }
    machines = {}
    for address, call in calls.items():
        try:
            machines[address] = ray.get(call, timeout=_PREPARE_SECONDS)
        except ray.exceptions.GetTimeoutError as error:
            raise RagError(
                f"The node {address} of the cluster was not ready within {_PREPARE_SECONDS} "
                "seconds: end it (`ray stop` there) and start it again."
            ) from error
        except ray.exceptions.RayError as error:
            raise RagError(
                f"The node {address} of the cluster cannot take part: {cause_of(error)} Every node "
                "needs chapterverse[ray] of this version, its embedder, and a place for converted "
                "models that it may write to (RAG_MODELS when Ray is started there)."
            ) from error
    return machines


def check(
    machines: Mapping[str, "Machine"], *, nodes: list[dict[str, Any]], settings: Settings
) -> None:
    """Raise RagError unless all nodes may be trusted with documents and make this machine's index.

    `nodes` are as Ray lists them.
    """
    here = version("chapterverse"), index_fingerprint(settings)
    heads = {node["NodeManagerAddress"] for node in nodes if _HEAD in node["Resources"]}
    for address, machine in machines.items():
        if not machine.authenticates:
            raise RagError(
                f"The node {address} of the cluster takes whoever comes: end it and start it "
                "again with RAY_AUTH_MODE=token."
            )
        if machine.reports and address in heads:
            raise RagError(
                f"The head of the cluster ({address}) sends statistics of its use to the makers "
                "of Ray: end it and start it again with RAY_USAGE_STATS_ENABLED=0."
            )
        if (machine.version, machine.fingerprint) != here:
            raise RagError(
                f"The node {address} of the cluster would make another index than this machine: "
                f"there {machine.version} ({machine.fingerprint}), here {here[0]} ({here[1]}). "
                "Install the same version and embedder on both."
            )


def cause_of(error: BaseException) -> str:
    """Return in one line what made a task of Ray fail, or the actor that it ran in."""
    causes = [error]
    while below := getattr(causes[-1], "cause", None) or causes[-1].__cause__:
        causes.append(below)
    own = next((cause for cause in causes if isinstance(cause, RagError)), causes[-1])
    line = _first_line(own)
    return line if line.endswith(".") else f"{line}."


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), repr(error))
