"""A database made ready for this version: its tables, and what is derived in them."""

from contextlib import closing
from itertools import groupby
from typing import Final

from rag.store.postgres import migrating
from rag.store.postgres.filling import Filling
from rag.store.postgres.server import Connection, Server
from rag.store.postgres.tables import PostgresTables
from rag.store.rows import heads, verified_chunks
from rag.words import RECIPE

_STAGED: Final = {"chunks": False, "staged_chunks": True}


def migrate(url: str) -> list[str]:
    """Bring a database up to this version and return the names of the steps that were taken.

    Besides the tables it makes what searches need of each collection that was written by a version
    which kept none, or kept other words; that reads all of its chunks, and others' writes to it
    wait meanwhile. Raises as `migrating.migrate` does.
    """
    taken = migrating.migrate(url)
    with closing(Server(url)) as server:
        with server.looking() as connection:
            found = connection.execute(
                "SELECT collection, name FROM collections WHERE deleted IS NULL "
                "AND search_recipe IS DISTINCT FROM %s ORDER BY collection",
                (RECIPE,),
            ).fetchall()
        for collection, name in found:
            with server.writing(collection) as connection:
                _fill(connection, collection, place=f"{server.place}, collection {name}")
            taken.append(f"search of {name}")
    return taken


def _fill(connection: Connection, collection: int, *, place: str) -> None:
    connection.take_all_time()
    tables = PostgresTables(connection, collection=collection, place=place, writing=True)
    tables.read_meta()
    filling = Filling(connection, collection=collection)
    filling.clear()
    filling.know(head.values() for head in heads(tables))
    for table, staged in _STAGED.items():
        rows = verified_chunks(tables, order="id", table=table, streamed=True)
        for _, chunks in groupby(rows, key=lambda row: row[1]):
            filling.add(list(chunks), staged=staged)
    filling.flush()
    connection.execute(
        "UPDATE collections SET search_recipe = %s WHERE collection = %s", (RECIPE, collection)
    )
