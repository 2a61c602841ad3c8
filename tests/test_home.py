"""A home that is in use notices what commands do to its collections meanwhile."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag import catalog, snapshots
from rag.errors import NotFound, StaleIndex, StoreError
from rag.home import Home
from rag.store import SqliteStore
from rag.store.opening import finish_restoring, put_in_place
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


def add(home: Home, name: str, text: str) -> None:
    home.engine(name).indexer.add_together([make_document(text, uri=f"file:{text}")])


def answers(home: Home, name: str) -> list[str]:
    found = home.engine(name).answerer.ask("What does the yak drink?", answers=9, k=9)
    return sorted(answer.text for answer in found.answers)


def uris(home: Home, name: str) -> list[str]:
    with home.store(name).snapshot() as snapshot:
        return [summary.uri for summary in snapshot.summaries(limit=9)]


def test_a_collection_that_a_command_deletes_is_gone_at_once(home: Home, tmp_path: Path) -> None:
    """NotFound for its documents and its questions; the other one goes on."""
    catalog.move_aside(tmp_path, "other")
    with pytest.raises(NotFound, match="no collection 'other'"):
        home.store("other")
    with pytest.raises(NotFound, match="no collection 'other'"):
        home.engine("other")
    assert uris(home, "default") == ["file:The yak of default drinks lemonade."]


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


def test_who_uses_a_replaced_collection_yet_ends_well(home: Home, tmp_path: Path) -> None:
    """What is held is read to its end; another read or write of the old one is refused."""
    snapshots.create(tmp_path, name="a")
    engine = home.engine("other")
    with engine.store.snapshot() as held:
        snapshots.restore(tmp_path, "a", replace=True)
        assert home.engine("other").store is not engine.store
        assert [summary.uri for summary in held.summaries(limit=9)] == uris(home, "other")
    for use in (lambda: engine.store.put([]), lambda: engine.store.snapshot().__enter__()):
        with pytest.raises(StoreError, match="moved, deleted or restored"):
            use()


def test_a_collection_that_a_command_rebuilds_is_opened_with_its_new_settings(
    home: Home, opening: FakeOpening, tmp_path: Path
) -> None:
    """The first use is refused, the next one is of the rebuilt index; the rest is untouched."""
    place = tmp_path / "collections" / "other"
    recipe = (place / catalog.FILE).read_text()
    (place / catalog.FILE).write_text(recipe.replace("200", "50"))
    assert uris(home, "other") == ["file:The yak of other drinks lemonade."]
    rebuilding = SqliteStore(place, fingerprint=None)
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
