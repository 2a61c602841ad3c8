"""Graphs over the vectors of a collection (HNSW; Malkov and Yashunin, 2018), by pgvector.

A graph is an index of PostgreSQL over the entries of one collection. It is made beside reads and
writes, which keep it up to date from then on.
"""

from dataclasses import dataclass
from typing import Final

from rag.store.postgres.server import Connection

# pgvector's own choices.
_LINKS: Final = 16
_EF_CONSTRUCTION: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Building:
    """How a graph is built: with how many bytes for it, and processes beside the first one.

    Once the graph does not fit any more, building it takes many times as long.
    """

    memory: int
    workers: int


def graph_name(collection: int, dim: int) -> str:
    """Return the name of the index of a collection by its number, for vectors of a length."""
    return f"entries_{collection}_{dim}"


def graphs_of(connection: Connection, collection: int) -> list[str]:
    """Return the names of the graphs of a collection, finished or not."""
    rows = connection.execute(
        "SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
        "WHERE indrelid = to_regclass('entries') AND relname ~ %s",
        (f"^entries_{collection}_[0-9]+$",),
    ).fetchall()
    return [row[0] for row in rows]


def build(connection: Connection, collection: int, *, dim: int, building: Building) -> None:
    """Make the graph of a collection anew, on a connection that is in no transaction."""
    connection.execute(f"SET maintenance_work_mem = '{building.memory // 1024}kB'")
    connection.execute(f"SET max_parallel_maintenance_workers = {building.workers}")
    drop(connection, collection)
    name = graph_name(collection, dim)
    connection.execute(
        f"CREATE INDEX CONCURRENTLY {name} ON entries "
        f"USING hnsw ((embedding::halfvec({dim})) halfvec_ip_ops) "
        f"WITH (m = {_LINKS}, ef_construction = {_EF_CONSTRUCTION}) "
        f"WHERE collection = {int(collection)}"
    )
    connection.execute("ANALYZE entries")


def drop(connection: Connection, collection: int) -> None:
    """Drop what graphs of a collection there are, on a connection that is in no transaction."""
    for name in graphs_of(connection, collection):
        connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
