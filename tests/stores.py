"""Where the tests of a service keep its index: in files, or with `--store postgres` in databases.

Each home has a database of its own then. What is set is in the environment, for the processes that
a test starts.
"""

import hashlib
import os
from contextlib import closing
from pathlib import Path
from typing import Final, LiteralString

from rag.catalogs import Catalog, DatabaseCatalog, DirectoryCatalog
from tests.postgres import ROLE, SUPERUSER, PostgresServer

_VARIABLE: Final = "CHAPTERVERSE_TEST_SERVER"
_EMPTY: Final = "empty"


def use(server: PostgresServer) -> None:
    """Keep indexes in a server from now on."""
    from rag.store.postgres import migrate

    os.environ[_VARIABLE] = server.url(database="DATABASE")
    _make(_EMPTY, template="template1")
    migrate(_url(_EMPTY))


def in_files() -> bool:
    """Tell whether indexes are kept in files."""
    return _VARIABLE not in os.environ


def address(home: Path, *, like: Path | None = None) -> str:
    """Return the setting of a home, RAG_STORE; where it is made, it is a copy of another's."""
    if in_files():
        return ""
    _make(_name(home), template=_EMPTY if like is None else _name(like))
    return _url(_name(home))


def environment(home: Path) -> dict[str, str]:
    """Return the settings of a service over a home."""
    return {"RAG_HOME": str(home), "RAG_STORE": address(home)}


def catalog_of(home: Path, *, max_documents: int | None = None) -> Catalog:
    """Return the catalog of a home."""
    if in_files():
        return DirectoryCatalog(home, max_documents=max_documents)
    from rag.store.postgres import Server

    server = Server(address(home), connections=4)
    return DatabaseCatalog(server, max_documents=max_documents)


def names(home: Path) -> list[str]:
    """Return the names of a home's collections, ascending."""
    with closing(catalog_of(home)) as catalog:
        return catalog.names()


def bring_back(home: Path, *, kept: str, name: str) -> None:
    """Undo a deletion, as what it told says; `kept` is the name that it gave."""
    if in_files():
        (home / kept).rename(home / "collections" / name)
        return
    number = int(kept.removeprefix("collection "))
    _change(home, "UPDATE collections SET deleted = NULL WHERE collection = %s", number)


def write_recipe(home: Path, name: str, content: str) -> None:
    """Put another recipe in the place of a collection's own, or what is none."""
    if in_files():
        (home / "collections" / name / "collection.json").write_text(content)
    else:
        _change(home, "UPDATE collections SET recipe = %s WHERE name = %s", content, name)


def damage(home: Path, name: str) -> None:
    """Spoil what says of a collection which rows are its own."""
    if in_files():
        (home / "collections" / name / "store.sqlite").write_bytes(b"no database" * 1000)
    else:
        _change(home, "UPDATE collections SET content = '{}' WHERE name = %s", name)


def _change(home: Path, statement: LiteralString, *values: object) -> None:
    import psycopg

    with psycopg.connect(_as_superuser(_name(home))) as connection:
        connection.execute("SET search_path = chapterverse")
        assert connection.execute(statement, values).rowcount == 1


def _name(home: Path) -> str:
    return "home_" + hashlib.sha256(str(home.absolute()).encode()).hexdigest()[:20]


def _url(name: str) -> str:
    return os.environ[_VARIABLE].replace("DATABASE", name)


def _as_superuser(name: str) -> str:
    return _url(name).replace(f"{ROLE}@", f"{SUPERUSER}@")


def _make(name: str, *, template: str) -> None:
    import psycopg

    with psycopg.connect(_as_superuser("postgres"), autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
            return
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {ROLE}")
    if template == "template1":
        with psycopg.connect(_as_superuser(name)) as connection:
            connection.execute("CREATE EXTENSION vector")
