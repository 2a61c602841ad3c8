"""A PostgreSQL server with settings for a collection of millions, and what it takes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import psycopg

from rag.settings import DEFAULT_COLLECTION
from tests.benchmarks.scaling.processes import name_of, parent_of
from tests.postgres import programs, run_as_other, running_server

SETTINGS: Final = {
    "shared_buffers": "2GB",
    "effective_cache_size": "8GB",
    "maintenance_work_mem": "3GB",
    "max_parallel_maintenance_workers": "1",
    "max_wal_size": "8GB",
    "max_connections": "20",
    "random_page_cost": "1.1",
}
GRAPH: Final = ("--memory", "3072", "--workers", "1")
_TOLD: Final = (
    *SETTINGS,
    *("server_version", "fsync", "synchronous_commit", "full_page_writes", "data_checksums"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Bytes on the server's disk: all of the database, and each table with and without indexes."""

    database: int
    tables: dict[str, tuple[int, int]]
    indexes: dict[str, int]


@contextmanager
def own_server() -> Iterator[str]:
    """Run a server for a while, one that syncs its writes to the disk; yield a database's url."""
    directory = programs()
    if directory is None:
        raise SystemExit(
            "There is no PostgreSQL to run: install tests/postgres-requirements.txt, or name a "
            "database with --postgres."
        )
    with running_server(directory) as server:
        server.stop(mode="fast")
        data = server.data
        options = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
        options = f"-p {server.port} -h 127.0.0.1 -k '' {options}"
        run_as_other(
            [directory / "pg_ctl", "-D", data, "start", "-w", "-l", data / "log", "-o", options],
            cwd=data,
        )
        yield server.make_database()


def settings_of(url: str) -> dict[str, str]:
    """Return what a server is set to, as far as it tells for speed and safety."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY(%s)",
            (list(_TOLD),),
        ).fetchall()
        versions = connection.execute(
            "SELECT extname, extversion FROM pg_extension WHERE extname = 'vector'"
        ).fetchall()
    return {**dict(rows), **dict(versions)}


def sizes_of(url: str) -> Sizes:
    """Return what a database takes of its server's disk, without the log of writes."""
    with psycopg.connect(url) as connection:
        ((database,),) = connection.execute(
            "SELECT pg_database_size(current_database())"
        ).fetchall()
        tables = connection.execute(
            "SELECT relname, pg_table_size(oid), pg_indexes_size(oid) FROM pg_class "
            "WHERE relkind = 'r' AND relnamespace = 'chapterverse'::regnamespace"
        ).fetchall()
        indexes = connection.execute(
            "SELECT relname, pg_relation_size(oid) FROM pg_class "
            "WHERE relkind = 'i' AND relnamespace = 'chapterverse'::regnamespace"
        ).fetchall()
    return Sizes(
        database=database,
        tables={name: (own, other) for name, own, other in tables},
        indexes=dict(indexes),
    )


def process_of(url: str) -> int | None:
    """Return the first process of a server, None where it is not seen from here."""
    with psycopg.connect(url) as connection:
        own = connection.info.backend_pid
        return parent_of(own) if name_of(own).startswith("postgres") else None


def build_graph(environment: dict[str, str]) -> float:
    """Make the graph over all vectors as its command does; return the seconds that it took."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "rag.cli", "store", "index", DEFAULT_COLLECTION, *GRAPH],
        env=os.environ | environment,
        check=True,
    )
    return time.perf_counter() - began
