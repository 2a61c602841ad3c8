"""The collections of a database: their numbers, by name."""

import msgspec

from rag.store.checksums import checksum
from rag.store.postgres.server import Server
from rag.store.schema import Meta


def find(server: Server, name: str) -> int | None:
    """Return the number of a collection, None where there is none of this name."""
    with server.looking() as connection:
        row = connection.execute(
            "SELECT collection FROM collections WHERE name = %s AND deleted IS NULL", (name,)
        ).fetchone()
    return None if row is None else int(row[0])


def make(server: Server, name: str, *, fingerprint: str) -> int:
    """Make an empty collection unless another process is quicker; return its number."""
    content = msgspec.json.encode(Meta(fingerprint=fingerprint)).decode()
    with server.looking() as connection:
        connection.execute(
            "INSERT INTO collections (name, content, checksum) VALUES (%s, %s, %s) "
            "ON CONFLICT (name) WHERE deleted IS NULL DO NOTHING",
            (name, content, checksum((content,))),
        )
        ((number,),) = connection.execute(
            "SELECT collection FROM collections WHERE name = %s AND deleted IS NULL", (name,)
        ).fetchall()
    return int(number)
