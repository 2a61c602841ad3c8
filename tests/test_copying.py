"""Copies of collections between files and a database, both ways."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import permutations
from pathlib import Path

import psycopg
import pytest

import rag.copying
from rag.catalog import Recipe
from rag.catalogs import Catalog, DatabaseCatalog, DirectoryCatalog
from rag.copying import copy
from rag.errors import Conflict, DamagedStore, NotFound
from rag.store.postgres import Server, migrate
from tests.fakes import make_document, ready
from tests.postgres import PostgresServer
from tests.store.conformance.opening import everything
from tests.store.rich import rich_document

RECIPE = Recipe(embedder="minilm", chunk_tokens=100, created="2026-01-31T12:00:00+00:00")
WAYS = list(permutations(("directory", "database")))


@pytest.fixture
def catalogs(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[dict[str, Catalog]]:
    """An empty catalog of each kind, and a second one in a directory."""
    url = postgres_server.make_database()
    migrate(url)
    with ExitStack() as stack:
        yield {
            "directory": DirectoryCatalog(tmp_path / "home"),
            "other": DirectoryCatalog(tmp_path / "other"),
            "database": stack.enter_context(closing(DatabaseCatalog(Server(url)))),
        }


@pytest.fixture(autouse=True)
def _small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rag.copying, "_CHUNKS_A_TRANSACTION", 8)


def fill(catalog: Catalog) -> None:
    """Make a collection with a history: added, replaced and deleted documents."""
    catalog.create("notes", recipe=RECIPE, fingerprint="f", limit=9)
    with closing(catalog.open_store("notes", fingerprint="f")) as store:
        store.put(ready(rich_document()))
        for n in (*range(12), 3, 5):
            text = f"text {n}\n" * (n % 4 + 1)
            store.put(ready(make_document(text, uri=f"file:{n}")))
        store.delete(make_document("", uri="file:7").id)


def held(catalog: Catalog) -> dict[str, object]:
    """Return all that is told of the collection, verified."""
    with closing(catalog.open_store("notes", fingerprint="f")) as store:
        return {**everything(store), "recipe": catalog.recipe_of("notes")}


@pytest.mark.parametrize(("first", "second"), WAYS)
def test_a_copy_there_and_back_is_equal_in_every_bit(
    catalogs: dict[str, Catalog], first: str, second: str
) -> None:
    """Documents, passages, vectors, ids, generation, history and recipe; all go on alike."""
    fill(catalogs[first])
    expected = held(catalogs[first])
    steps = list(copy(catalogs[first], catalogs[second], collection="notes"))
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert [step.finished for step in steps] == [False] * (len(steps) - 1) + [True]
    assert (steps[-1].total, steps[-1].generation) == (12, 16)
    assert held(catalogs[second]) == expected
    *_, last = copy(catalogs[second], catalogs["other"], collection="notes")
    assert last.finished
    assert held(catalogs["other"]) == expected
    for catalog in catalogs.values():
        with closing(catalog.open_store("notes", fingerprint="f")) as store:
            assert store.put(ready(make_document("more", uri="file:more"))) == 17
    assert held(catalogs[first]) == held(catalogs[second]) == held(catalogs["other"])


@pytest.mark.parametrize(("first", "second"), WAYS)
def test_a_copy_that_was_stopped_goes_on(
    catalogs: dict[str, Catalog], first: str, second: str
) -> None:
    """Nothing is seen of it meanwhile; what changed in the original is copied as it is then."""
    fill(catalogs[first])
    steps = copy(catalogs[first], catalogs[second], collection="notes")
    seen = [next(steps).done for _ in range(3)]
    steps.close()
    assert 0 < seen[-1] < 12
    assert catalogs[second].names() == []
    with pytest.raises(NotFound):
        catalogs[second].require("notes")
    with closing(catalogs[first].open_store("notes", fingerprint="f")) as store:
        store.put(ready(make_document("changed", uri="file:0")))
        store.delete(make_document("", uri="file:11").id)
    again = list(copy(catalogs[first], catalogs[second], collection="notes"))
    assert again[0].done == seen[-1] - 1
    assert held(catalogs[second]) == held(catalogs[first])


def test_what_is_there_already_is_left_alone(catalogs: dict[str, Catalog]) -> None:
    """The same is not copied twice, and another collection of the name is not replaced."""
    fill(catalogs["directory"])
    assert len(list(copy(catalogs["directory"], catalogs["database"], collection="notes"))) > 1
    assert len(list(copy(catalogs["directory"], catalogs["database"], collection="notes"))) == 1
    with closing(catalogs["database"].open_store("notes", fingerprint="f")) as store:
        store.put(ready(make_document("more", uri="file:more")))
    before = held(catalogs["database"])
    with pytest.raises(Conflict, match=r"another collection 'notes' at postgresql.*generation 17"):
        list(copy(catalogs["directory"], catalogs["database"], collection="notes"))
    assert held(catalogs["database"]) == before
    with pytest.raises(NotFound):
        list(copy(catalogs["directory"], catalogs["database"], collection="none"))


def test_an_original_that_is_damaged_is_not_copied(
    catalogs: dict[str, Catalog], postgres_server: PostgresServer
) -> None:
    """The row is named, and there is no copy."""
    fill(catalogs["database"])
    url = postgres_server.url(database=postgres_server.databases[-1])
    with psycopg.connect(url, options="-c search_path=chapterverse") as connection:
        connection.execute("SET chapterverse.collection = '1'")
        assert connection.execute("UPDATE chunks SET text = 'x' WHERE id = 5").rowcount == 1
    with pytest.raises(DamagedStore, match="the passage 5 is not as it was written"):
        list(copy(catalogs["database"], catalogs["directory"], collection="notes"))
    assert catalogs["directory"].names() == []
