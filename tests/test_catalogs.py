"""The collections of a home, in directories and in a database."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest

from rag.catalog import Recipe
from rag.catalogs import Catalog, DatabaseCatalog, DirectoryCatalog, Kept
from rag.errors import Conflict, InvalidRequest, NotFound, StoreError
from rag.store.postgres import Server, migrate
from tests.fakes import make_document, ready
from tests.postgres import PostgresServer

RECIPE = Recipe(embedder="minilm", chunk_tokens=100, created="2026-01-31T12:00:00+00:00")


class CatalogConformance:
    """What every catalog does; has to be given a fixture `catalog` and `bring_back`."""

    bring_back: Callable[[Kept, str], None]

    def test_a_collection_is_made_once_and_no_more_than_are_allowed(self, catalog: Catalog) -> None:
        """It has its recipe from then on; refused ones are not there."""
        assert catalog.names() == []
        for name in ("b", "a"):
            catalog.create(name, recipe=RECIPE, fingerprint="f", limit=2)
        with pytest.raises(Conflict, match="There is a collection 'a' already"):
            catalog.create("a", recipe=RECIPE, fingerprint="f", limit=9)
        with pytest.raises(Conflict, match=r"There are 2 collections already.*RAG_COLLECTIONS"):
            catalog.create("c", recipe=RECIPE, fingerprint="f", limit=2)
        with pytest.raises(InvalidRequest, match="cannot name a collection"):
            catalog.create("no name", recipe=RECIPE, fingerprint="f", limit=9)
        assert catalog.names() == ["a", "b"]
        assert catalog.recipe_of("a") == RECIPE
        assert catalog.recipe_of("default") is None
        assert catalog.updated("default") is None
        with closing(catalog.open_store("a", fingerprint="f")) as store:
            store.put(ready(make_document("text")))
        updated = catalog.updated("a")
        assert updated is not None
        assert updated.endswith("+00:00")

    def test_what_is_not_there_is_not_found_and_not_made(self, catalog: Catalog) -> None:
        """The default collection alone passes, and is made by being opened for it."""
        catalog.require("default")
        for name in ("none", "no name", "../x", "a\0", ""):
            with pytest.raises(NotFound, match="no collection"):
                catalog.require(name)
            with pytest.raises(NotFound):
                catalog.remove(name)
        with pytest.raises(NotFound):
            catalog.open_store("default", fingerprint="f")
        assert catalog.names() == []
        catalog.open_store("default", fingerprint="f", create=True).close()
        assert catalog.names() == ["default"]

    def test_a_deleted_collection_can_be_had_back(self, catalog: Catalog) -> None:
        """Whoever has it open is refused; another of its name is another; all of it comes back."""
        catalog.create("a", recipe=RECIPE, fingerprint="f", limit=9)
        document = make_document("text")
        with closing(catalog.open_store("a", fingerprint="f")) as store:
            store.put(ready(document))
            assert not store.superseded
            kept = catalog.remove("a")
            assert store.superseded
            assert catalog.names() == []
            with pytest.raises(StoreError, match=r"deleted.*Restart"), store.snapshot():
                pass
            with pytest.raises(StoreError, match=r"deleted.*Restart"):
                store.put(ready(document))
        catalog.create("a", recipe=RECIPE, fingerprint="f", limit=9)
        assert store.superseded
        other = catalog.open_store("a", fingerprint=None)
        with closing(other), other.snapshot() as snapshot:
            assert snapshot.count() == (0, 0)
        catalog.remove("a")
        self.bring_back(kept, "a")
        again = catalog.open_store("a", fingerprint="f")
        with closing(again), again.snapshot() as snapshot:
            assert snapshot.document(document.id) == document
        assert catalog.recipe_of("a") == RECIPE


class TestDirectoryCatalog(CatalogConformance):
    """Collections in directories."""

    @pytest.fixture
    def catalog(self, tmp_path: Path) -> Catalog:
        """A new home's."""
        self.home = tmp_path
        return DirectoryCatalog(tmp_path)

    def bring_back(self, kept: Kept, name: str) -> None:
        """Do what `way_back` says."""
        target = self.home / "collections" / name
        assert kept.way_back == f"move it to {target}"
        assert kept.place == str(self.home / kept.name)
        Path(kept.place).rename(target)


class TestDatabaseCatalog(CatalogConformance):
    """Collections in a database."""

    @pytest.fixture
    def catalog(self, postgres_server: PostgresServer) -> Iterator[Catalog]:
        """A new database's."""
        self.url = postgres_server.make_database()
        migrate(self.url)
        with ExitStack() as stack:
            yield stack.enter_context(closing(DatabaseCatalog(Server(self.url))))

    def bring_back(self, kept: Kept, name: str) -> None:
        """Do what `way_back` says."""
        assert name == "a"
        assert kept.name.removeprefix("collection ") in kept.place
        statement = kept.way_back.removeprefix("run in the database: ")
        with psycopg.connect(self.url) as connection:
            connection.execute(statement)
