"""Where the collections of a home are kept: in directories of their own, or in one database."""

import shutil
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from rag import catalog
from rag.catalog import Recipe
from rag.errors import DamagedStore, StaleIndex
from rag.settings import DEFAULT_COLLECTION, Settings
from rag.store import FILE_NAME, SqliteStore, Store
from rag.store.mark import FILE_NAME as MARK

if TYPE_CHECKING:
    from rag.store.postgres import Server, Standby


# Names no collection, so that what is copied is not seen before it is whole.
_COPY: Final = ".{name}.copy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Where a deleted collection is now.

    `name` is for those who do not see the home, `place` for those who do; `way_back` says what to
    do to have it again.
    """

    name: str
    place: str
    way_back: str


class Catalog(Protocol):
    """The collections there are, by name; safe to use from several threads. Has to be closed."""

    def names(self) -> list[str]:
        """Return the names of the collections, ascending."""
        ...

    def require(self, name: str) -> None:
        """Raise NotFound unless there is a collection of this name.

        The default one passes always: its first use makes it.
        """
        ...

    def recipe_of(self, name: str) -> Recipe | None:
        """Return a collection's recipe if it has one; raise DamagedStore where it is none."""
        ...

    def updated(self, name: str) -> str | None:
        """Return when a collection was last written to (UTC, ISO 8601), None if never."""
        ...

    def open_store(self, name: str, *, fingerprint: str | None, create: bool = False) -> Store:
        """Open a collection's store, as the stores' constructors do."""
        ...

    def create(self, name: str, *, recipe: Recipe, fingerprint: str, limit: int) -> None:
        """Make an empty collection.

        Raises InvalidRequest for a name that is none, Conflict where there is one of this name or
        there are as many as `limit`.
        """
        ...

    def open_copy(self, name: str, *, fingerprint: str) -> Store:
        """Open what is to be a copy of a collection, made at its first use, seen by nobody else.

        One that was begun is opened again, whatever it holds.
        """
        ...

    def publish_copy(self, name: str, *, recipe: Recipe | None) -> None:
        """Make what `open_copy` gave, and what is closed again, the collection of this name.

        Raises Conflict where there is one.
        """
        ...

    def remove(self, name: str) -> Kept:
        """Take a collection out of use, of which nothing is lost; raise NotFound.

        Whoever has it open is refused from then on, but for reads that are under way.
        """
        ...

    def reads(self) -> Mapping[str, int]:
        """Return how many reads a standby could be asked for, by what came of it.

        They went to the "standby", or elsewhere as it was "behind" or "away". Empty without one.
        """
        ...

    def close(self) -> None:
        """Let go of what stores share."""
        ...


def settings_of(kept: Catalog, settings: Settings, name: str) -> Settings:
    """Return the settings with what a collection's recipe fixes."""
    recipe = kept.recipe_of(name)
    if recipe is None:
        return settings
    return replace(settings, embedder=recipe.embedder, chunk_tokens=recipe.chunk_tokens)


class DirectoryCatalog:
    """Each collection in a directory of a home; the limits are those of `SqliteStore`."""

    def __init__(
        self, home: Path, *, min_free_bytes: int = 0, max_documents: int | None = None
    ) -> None:
        self._home: Final = home
        self._min_free_bytes: Final = min_free_bytes
        self._max_documents: Final = max_documents

    def names(self) -> list[str]:
        """Return the names of the collections, ascending."""
        return catalog.names(self._home)

    def require(self, name: str) -> None:
        """Raise NotFound unless there is a collection of this name."""
        catalog.require(self._home, name)

    def recipe_of(self, name: str) -> Recipe | None:
        """Return a collection's recipe if it has one."""
        return catalog.recipe_of(self._home, name)

    def updated(self, name: str) -> str | None:
        """Return when a collection was last written to."""
        try:
            changed = (catalog.directory_of(self._home, name) / MARK).stat().st_mtime
        except FileNotFoundError:
            return None
        return datetime.fromtimestamp(changed, UTC).isoformat(timespec="seconds")

    def open_store(self, name: str, *, fingerprint: str | None, create: bool = False) -> Store:
        """Open a collection's store."""
        return SqliteStore(
            catalog.directory_of(self._home, name),
            fingerprint=fingerprint,
            create=create,
            min_free_bytes=self._min_free_bytes,
            max_documents=self._max_documents,
        )

    def create(self, name: str, *, recipe: Recipe, fingerprint: str, limit: int) -> None:
        """Make an empty collection."""
        catalog.create(
            self._home,
            name,
            recipe=recipe,
            fill=lambda directory: SqliteStore(directory, fingerprint=fingerprint).close(),
            limit=limit,
        )

    def open_copy(self, name: str, *, fingerprint: str) -> Store:
        """Open what is to be a copy of a collection."""
        directory = catalog.directory_of(self._home, name).with_name(_COPY.format(name=name))
        if (directory / FILE_NAME).exists() and not _is_of(directory, fingerprint):
            shutil.rmtree(directory)
        return SqliteStore(directory, fingerprint=fingerprint, min_free_bytes=self._min_free_bytes)

    def publish_copy(self, name: str, *, recipe: Recipe | None) -> None:
        """Make what `open_copy` gave the collection of this name."""
        directory = catalog.directory_of(self._home, name)
        catalog.put_copy_in_place(
            directory.with_name(_COPY.format(name=name)), directory, recipe=recipe
        )

    def remove(self, name: str) -> Kept:
        """Take a collection out of use."""
        aside = catalog.move_aside(self._home, name)
        return Kept(
            name=f"{aside.parent.name}/{aside.name}",
            place=str(aside),
            way_back=f"move it to {catalog.directory_of(self._home, name)}",
        )

    def reads(self) -> Mapping[str, int]:
        """Return nothing: files have no standby."""
        return {}

    def close(self) -> None:
        """Nothing is shared."""


class DatabaseCatalog:
    """All collections in one PostgreSQL database; the rest as in `PostgresStore`."""

    def __init__(
        self,
        server: "Server",
        *,
        max_documents: int | None = None,
        standby: "Standby | None" = None,
    ) -> None:
        from rag.store.postgres import collections  # noqa: PLC0415  (loads psycopg)

        self._server: Final = server
        self._standby: Final = standby
        self._max_documents: Final = max_documents
        self._collections: Final = collections

    def names(self) -> list[str]:
        """Return the names of the collections, ascending."""
        return self._collections.names(self._server)

    def require(self, name: str) -> None:
        """Raise NotFound unless there is a collection of this name."""
        if self._collections.find(self._server, name) is not None:
            return
        if name != DEFAULT_COLLECTION:
            raise catalog.unknown(name)

    def recipe_of(self, name: str) -> Recipe | None:
        """Return a collection's recipe if it has one."""
        row = self._collections.find(self._server, name)
        if row is None or row.recipe is None:
            return None
        try:
            return msgspec.json.decode(row.recipe, type=Recipe)
        except msgspec.MsgspecError as error:
            raise DamagedStore(
                f"The recipe of the collection {name!r} at {self._server.place} cannot be read "
                f"({error}). Restore a backup of the database."
            ) from error

    def updated(self, name: str) -> str | None:
        """Return when a collection was last written to."""
        row = self._collections.find(self._server, name)
        return None if row is None else row.updated.astimezone(UTC).isoformat(timespec="seconds")

    def open_store(self, name: str, *, fingerprint: str | None, create: bool = False) -> Store:
        """Open a collection's store."""
        from rag.store.postgres import PostgresStore  # noqa: PLC0415  (loads psycopg)

        return PostgresStore(
            self._server,
            name,
            fingerprint=fingerprint,
            create=create,
            max_documents=self._max_documents,
            standby=self._standby,
        )

    def create(self, name: str, *, recipe: Recipe, fingerprint: str, limit: int) -> None:
        """Make an empty collection."""
        catalog.check_name(name)
        self._collections.make(
            self._server,
            name,
            fingerprint=fingerprint,
            recipe=msgspec.json.encode(recipe).decode(),
            limit=limit,
        )

    def open_copy(self, name: str, *, fingerprint: str) -> Store:
        """Open what is to be a copy of a collection."""
        catalog.check_name(name)
        hidden = _COPY.format(name=name)
        try:
            return self.open_store(hidden, fingerprint=fingerprint, create=True)
        except StaleIndex:
            self._collections.remove(self._server, hidden)
            return self.open_store(hidden, fingerprint=fingerprint, create=True)

    def publish_copy(self, name: str, *, recipe: Recipe | None) -> None:
        """Make what `open_copy` gave the collection of this name."""
        self._collections.rename(
            self._server,
            _COPY.format(name=name),
            to=name,
            recipe=None if recipe is None else msgspec.json.encode(recipe).decode(),
        )

    def remove(self, name: str) -> Kept:
        """Take a collection out of use."""
        number = self._collections.remove(self._server, name)
        if number is None:
            raise catalog.unknown(name)
        back = f"UPDATE chapterverse.collections SET deleted = NULL WHERE collection = {number}"  # noqa: S608
        return Kept(
            name=f"collection {number}",
            place=f"{self._server.place}, as collection number {number}",
            way_back=f"run in the database: SET chapterverse.collection = '{number}'; {back}",
        )

    def reads(self) -> Mapping[str, int]:
        """Return how many reads a standby could be asked for, by what came of it."""
        return {} if self._standby is None else self._standby.reads

    def close(self) -> None:
        """Close the connections."""
        self._server.close()
        if self._standby is not None:
            self._standby.server.close()


def _is_of(directory: Path, fingerprint: str) -> bool:
    with closing(SqliteStore(directory, fingerprint=None)) as store:
        return store.fingerprint == fingerprint
