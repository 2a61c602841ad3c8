"""Graphs over the vectors of a collection (HNSW; Malkov and Yashunin, 2018), by pgvector.

A graph is an index of PostgreSQL over the entries of one collection. It is made beside reads and
writes, which keep it up to date from then on.
"""

from dataclasses import dataclass
from typing import Final

from rag.store.postgres.server import Connection
from rag.store.postgres.tables import PostgresTables

# pgvector's own choices.
_LINKS: Final = 16
_EF_CONSTRUCTION: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Building:
    """How a graph is built: in so many bytes, by so many processes beside the first one.

    A million vectors of 384 numbers take 1.5 GB; what does not fit takes many times as long.
    """

    memory: int = 1 << 30
    workers: int = 1


def graph_name(collection: int, dim: int) -> str:
    """Return the name of the index of a collection by its number, for vectors of a length."""
    return f"entries_{collection}_{dim}"


def has_graph(tables: PostgresTables, *, dim: int) -> bool:
    """Tell whether there is a finished graph over a collection's vectors of a length."""
    found = tables.query(
        "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(%s) AND indisvalid",
        (graph_name(tables.collection, dim),),
    )
    return bool(found)


def build(connection: Connection, collection: int, *, dim: int, building: Building) -> None:
    """Make the graph of a collection anew, on a connection that is in no transaction."""
    connection.execute(f"SET maintenance_work_mem = '{building.memory // 1024}kB'")
    connection.execute(f"SET max_parallel_maintenance_workers = {int(building.workers)}")
    drop(connection, collection)
    connection.execute(
        f"CREATE INDEX CONCURRENTLY {graph_name(collection, dim)} ON entries "
        f"USING hnsw ((embedding::halfvec({int(dim)})) halfvec_ip_ops) "
        f"WITH (m = {_LINKS}, ef_construction = {_EF_CONSTRUCTION}) "
        f"WHERE collection = {int(collection)}"
    )
    connection.execute("ANALYZE entries")


def drop(connection: Connection, collection: int) -> bool:
    """Drop the graphs of a collection, finished or not; tell whether there were any.

    The connection must be in no transaction.
    """
    rows = connection.execute(
        "SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
        "WHERE indrelid = to_regclass('entries') AND relname ~ %s",
        (f"^entries_{int(collection)}_[0-9]+$",),
    ).fetchall()
    for (name,) in rows:
        connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
    return bool(rows)
