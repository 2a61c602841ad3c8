"""The collections of a database: their numbers and recipes, by name."""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from rag.errors import Conflict, NotFound
from rag.store.checksums import checksum
from rag.store.postgres.server import Connection, Server
from rag.store.records import bindable
from rag.store.schema import Meta
from rag.words import RECIPE


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection's row, its columns in order; `recipe` is the caller's own text.

    `search_recipe` is what its rows for searches were made by.
    """

    number: int
    recipe: str | None
    updated: datetime
    search_recipe: str | None


def names(server: Server) -> list[str]:
    """Return the names of the collections, ascending."""
    with server.looking() as connection:
        # What begins with a dot is a copy in the making.
        rows = connection.execute(
            "SELECT name FROM collections WHERE deleted IS NULL AND name NOT LIKE '.%' "
            "ORDER BY name"
        ).fetchall()
    return [row[0] for row in rows]


def find(server: Server, name: str) -> Collection | None:
    """Return the row of a collection, None where there is none of this name."""
    with server.looking() as connection:
        return _find(connection, name)


def make(
    server: Server,
    name: str,
    *,
    fingerprint: str,
    recipe: str | None = None,
    limit: int | None = None,
) -> None:
    """Make an empty collection.

    With a `limit` Conflict is raised where there are as many already, or there is one of this name;
    without one nothing happens then.
    """
    content = msgspec.json.encode(Meta(fingerprint=fingerprint)).decode()
    with server.looking() as connection, connection.transaction():
        if limit is not None:
            # Two that are made at once would not see each other.
            connection.execute("LOCK TABLE collections IN SHARE ROW EXCLUSIVE MODE")
            _require_place(connection, name, limit)
        connection.execute(
            "INSERT INTO collections (name, recipe, content, checksum, search_recipe) "
            "VALUES (%s, %s, %s, %s, %s) ON CONFLICT (name) WHERE deleted IS NULL DO NOTHING",
            (name, recipe, content, checksum((content,)), RECIPE),
        )


def rename(server: Server, name: str, *, to: str, recipe: str | None) -> None:
    """Give a collection another name and a recipe; raise Conflict where there is one of it."""
    found = find(server, name)
    if found is None:
        raise NotFound(f"There is no collection {name!r} at {server.place}.")
    with server.writing(found.number) as connection:
        connection.execute("LOCK TABLE collections IN SHARE ROW EXCLUSIVE MODE")
        if _find(connection, to) is not None:
            raise Conflict(f"There is a collection {to!r} already. Use it, or take another name.")
        connection.execute(
            "UPDATE collections SET name = %s, recipe = %s WHERE collection = %s",
            (to, recipe, found.number),
        )


def remove(server: Server, name: str) -> int | None:
    """Take a collection out of use and return its number, None where there is none."""
    found = find(server, name)
    if found is None:
        return None
    with server.writing(found.number) as connection:
        connection.execute(
            "UPDATE collections SET deleted = now() WHERE collection = %s", (found.number,)
        )
    return found.number


def _find(connection: Connection, name: str) -> Collection | None:
    row = connection.execute(
        "SELECT collection, recipe, updated, search_recipe FROM collections "
        "WHERE name = %s AND deleted IS NULL",
        (bindable(name),),
    ).fetchone()
    return None if row is None else Collection(*row)


def _require_place(connection: Connection, name: str, limit: int) -> None:
    if _find(connection, name) is not None:
        raise Conflict(f"There is a collection {name!r} already. Use it, or take another name.")
    ((count,),) = connection.execute(
        "SELECT count(*) FROM collections WHERE deleted IS NULL"
    ).fetchall()
    if count >= limit:
        raise Conflict(
            f"There are {count} collections already and no more are allowed. Delete one, or raise "
            "RAG_COLLECTIONS."
        )
