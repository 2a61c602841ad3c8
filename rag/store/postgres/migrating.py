"""The tables of a database, brought up step by step to what this version works with.

Each step is a file of SQL, run once and in a transaction of its own. A step that was released is
never changed: what is to be different is another step.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

import psycopg

from rag.errors import StaleIndex, StoreError
from rag.store.postgres.connecting import checked, place_of
from rag.store.postgres.translating import translated

SCHEMA: Final = "chapterverse"
# One at a time in a database; any number that nothing else takes does.
_LOCK: Final = 0x43685665
_NAME: Final = re.compile(r"(\d{4})_(\w+)\.sql")
_LEAST_PGVECTOR: Final = (0, 8, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """A step, by its number from 1 on."""

    number: int
    name: str
    sql: str


@cache
def migrations() -> tuple[Migration, ...]:
    """Return all steps in order."""
    directory = resources.files("rag.store.postgres") / "migrations"
    found = [
        Migration(number=int(match[1]), name=match[2], sql=file.read_text("utf-8"))
        for file in directory.iterdir()
        if (match := _NAME.fullmatch(file.name))
    ]
    return tuple(sorted(found, key=lambda migration: migration.number))


def migrate(url: str) -> list[str]:
    """Bring a database up to this version and return the names of the steps that were taken.

    Whoever connects needs the right to create a schema, and pgvector to be there or the right to
    create the extension. Raises StoreError; then the steps before the one that failed stay.
    """
    place = place_of(url)
    taken = []
    with translated(place, "was not migrated"), psycopg.connect(checked(url)) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        connection.execute(
            f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}; SET search_path = {SCHEMA}, public; "
            "CREATE TABLE IF NOT EXISTS migrations (number integer PRIMARY KEY, name text NOT NULL,"
            " taken timestamptz NOT NULL DEFAULT now())"
        )
        connection.commit()
        done = version(connection)
        require_known(done, place=place)
        for migration in migrations()[done:]:
            connection.execute(migration.sql)
            connection.execute(
                "INSERT INTO migrations (number, name) VALUES (%s, %s)",
                (migration.number, migration.name),
            )
            connection.commit()
            taken.append(migration.name)
        require_usable(connection, place=place)
    return taken


def version(connection: psycopg.Connection) -> int:
    """Return the number of the last step that a database took, 0 if it took none."""
    row = connection.execute(f"SELECT to_regclass('{SCHEMA}.migrations')").fetchone()
    if row is None or row[0] is None:
        return 0
    row = connection.execute(
        f"SELECT coalesce(max(number), 0) FROM {SCHEMA}.migrations"  # noqa: S608
    ).fetchone()
    return int(row[0]) if row else 0


def require_known(found: int, *, place: str) -> None:
    """Raise StaleIndex for a database that a later version of this program migrated."""
    if found > len(migrations()):
        raise StaleIndex(
            f"The database at {place} has tables of version {found}, this program knows "
            f"{len(migrations())}. Update this program."
        )


def require_usable(connection: psycopg.Connection, *, place: str) -> None:
    """Raise StoreError unless a database is one that this version works with."""
    found = version(connection)
    require_known(found, place=place)
    if found < len(migrations()):
        raise StoreError(
            f"The database at {place} has tables of version {found}, this program needs "
            f"{len(migrations())}. Run rag store migrate."
        )
    row = connection.execute(
        "SELECT current_setting('server_encoding'), extversion FROM pg_extension "
        "WHERE extname = 'vector'"
    ).fetchone()
    encoding, pgvector = row or ("", "0")
    if tuple(map(int, pgvector.split(".")[:3])) < _LEAST_PGVECTOR:
        raise StoreError(
            f"The database at {place} has pgvector {pgvector}, "
            f"{'.'.join(map(str, _LEAST_PGVECTOR))} or later is needed. Install it on the server, "
            "then run CREATE EXTENSION vector or ALTER EXTENSION vector UPDATE."
        )
    if encoding != "UTF8":
        raise StoreError(
            f"The database at {place} has the encoding {encoding}, UTF8 is needed. Make another "
            "one: createdb --encoding=UTF8 --template=template0."
        )
