"""A home that is in use notices what commands do to its collections meanwhile.

Commands and other services have a catalog of their own.
"""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from rag import snapshots
from rag.catalogs import Catalog
from rag.errors import NotFound, StaleIndex, StoreError
from rag.home import Home
from rag.store import SqliteStore
from rag.store.opening import finish_restoring, put_in_place
from tests import stores
from tests.fakes import make_document, ready
from tests.services import FakeOpening, fingerprint


@pytest.fixture
def opening(tmp_path: Path) -> FakeOpening:
    return FakeOpening(tmp_path)


@pytest.fixture
def home(tmp_path: Path, opening: FakeOpening) -> Iterator[Home]:
    """A home with the collections "default" and "other", in use, a document in each."""
    opened = Home(tmp_path, opening)
    opened.create("other", chunk_tokens=None)
    for name in ("default", "other"):
        add(opened, name, f"The yak of {name} drinks lemonade.")
    yield opened
    opened.close()


@pytest.fixture
def elsewhere(tmp_path: Path, home: Home) -> Iterator[Catalog]:
    """The catalog of a command while the home is in use."""
    assert home.path == tmp_path
    with closing(stores.catalog_of(tmp_path)) as catalog:
        yield catalog


def add(home: Home, name: str, text: str) -> None:
    home.engine(name).indexer.add_together([make_document(text, uri=f"file:{text}")])


def answers(home: Home, name: str) -> list[str]:
    found = home.engine(name).answerer.ask("What does the yak drink?", answers=9, k=9)
    return sorted(answer.text for answer in found.answers)


def uris(home: Home, name: str) -> list[str]:
    with home.store(name).snapshot() as snapshot:
        return [summary.uri for summary in snapshot.summaries(limit=9)]


def test_a_collection_that_a_command_deletes_is_gone_at_once(
    home: Home, elsewhere: Catalog
) -> None:
    """NotFound for its documents and its questions; the other one goes on."""
    elsewhere.remove("other")
    with pytest.raises(NotFound, match="no collection 'other'"):
        home.store("other")
    with pytest.raises(NotFound, match="no collection 'other'"):
        home.engine("other")
    assert uris(home, "default") == ["file:The yak of default drinks lemonade."]


def test_a_collection_that_a_command_makes_anew_answers_from_the_new_one(
    home: Home, opening: FakeOpening, elsewhere: Catalog
) -> None:
    """Nothing of the deleted one is listed or answered, and what is added is not added to it."""
    kept = elsewhere.remove("other")
    opening.create("other", chunk_tokens=None)
    assert (uris(home, "other"), answers(home, "other")) == ([], [])
    add(home, "other", "The yak drinks tea.")
    assert uris(home, "other") == ["file:The yak drinks tea."]
    assert answers(home, "other") == ["The yak drinks tea."]
    elsewhere.remove("other")
    stores.bring_back(home.path, kept=kept.name, name="other")
    assert answers(home, "other") == ["The yak of other drinks lemonade."]


@pytest.mark.files_only
def test_a_collection_that_a_command_restores_answers_from_what_was_restored(
    home: Home, tmp_path: Path
) -> None:
    """Documents, answers and later writes are those of the restored one."""
    snapshots.create(tmp_path, name="a")
    before = uris(home, "other"), answers(home, "other")
    add(home, "other", "The yak drinks tea.")
    snapshots.restore(tmp_path, "a", replace=True)
    assert (uris(home, "other"), answers(home, "other")) == before
    add(home, "other", "The yak drinks milk.")
    assert len(uris(home, "other")) == 2


def test_who_uses_a_replaced_collection_yet_ends_well(
    home: Home, opening: FakeOpening, elsewhere: Catalog
) -> None:
    """What is held is read to its end; another read or write of the old one is refused."""
    engine, before = home.engine("other"), uris(home, "other")
    with engine.store.snapshot() as held:
        elsewhere.remove("other")
        opening.create("other", chunk_tokens=None)
        assert home.engine("other").store is not engine.store
        assert [summary.uri for summary in held.summaries(limit=9)] == before
    for use in (lambda: engine.store.put([]), lambda: engine.store.snapshot().__enter__()):
        with pytest.raises(StoreError, match=r"deleted.* since it was opened"):
            use()


def test_a_collection_that_a_command_rebuilds_is_opened_with_its_new_settings(
    home: Home, opening: FakeOpening, elsewhere: Catalog
) -> None:
    """The first use is refused, the next one is of the rebuilt index; the rest is untouched."""
    recipe = elsewhere.recipe_of("other")
    assert recipe is not None
    changed = msgspec.structs.replace(recipe, chunk_tokens=50)
    stores.write_recipe(home.path, "other", msgspec.json.encode(changed).decode())
    assert uris(home, "other") == ["file:The yak of other drinks lemonade."]
    rebuilding = elsewhere.open_store("other", fingerprint=None)
    rebuilding.begin_rechunking(fingerprint(50))
    with rebuilding.snapshot() as snapshot:
        document = snapshot.document(snapshot.summaries(limit=1)[0].id)
        rebuilding.stage(
            ready(document), fingerprint=fingerprint(50), generation=snapshot.generation
        )
    assert rebuilding.publish_staged(fingerprint(50)) == 2
    rebuilding.close()
    with pytest.raises(StaleIndex):
        uris(home, "other")
    opening.opened.clear()
    assert uris(home, "other") == ["file:The yak of other drinks lemonade."]
    assert home.engine("other").store.fingerprint == fingerprint(50)
    assert len(answers(home, "other")) == 1
    assert opening.opened == ["other"]


def test_two_that_put_a_restored_store_in_place_get_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that comes between the two renames of a restoring finishes it; neither fails."""
    directory, prepared = tmp_path / "index", tmp_path / "prepared"
    for place in (directory, prepared):
        SqliteStore(place, fingerprint=place.name).close()
    rename, finished = Path.rename, threading.Event()

    def renamed(path: Path, target: Path) -> Path:
        if path.name == ".index.restored" and not finished.is_set():
            finished.set()
            assert finish_restoring(directory)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", renamed)
    assert put_in_place(prepared, directory, aside=tmp_path / "replaced" / "index")
    assert finished.is_set()
    opened = SqliteStore(directory, fingerprint="prepared", create=False)
    opened.close()
    assert not finish_restoring(directory)
