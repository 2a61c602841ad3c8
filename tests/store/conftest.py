"""What tests of the store share."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from rag.store import SqliteStore, Store
from rag.store.postgres import Server, migrate
from tests.postgres import PostgresServer


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = SqliteStore(tmp_path, fingerprint="f")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def database(postgres_server: PostgresServer) -> str:
    """The url of a migrated database, where each test has collections of its own."""
    url = postgres_server.make_database()
    migrate(url)
    return url


@pytest.fixture(scope="session")
def server(database: str) -> Iterator[Server]:
    """A pool of connections to that database."""
    with closing(Server(database)) as opened:
        yield opened


def dump(path: Path) -> dict[str, list[Any]]:
    """Return every row of every table, by a connection of its own."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema")]
    tables = {}
    for name in names:
        kind = connection.execute("SELECT type FROM sqlite_schema WHERE name = ?", (name,)).get
        if kind == "table" and name != "sqlite_sequence":
            tables[name] = connection.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall()  # noqa: S608
    connection.close()
    return tables


def everything_in(directory: Path) -> dict[str, bytes]:
    """Return the bytes of all files in a directory, by name."""
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}
