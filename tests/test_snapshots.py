"""Snapshots: whole, of one generation, made while others write, and put back as they were."""

import json
import random
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from rag import snapshots
from rag.errors import DamagedStore, InvalidRequest, NotFound, StoreError, StoreFull
from rag.retrieval.held import HeldRankings
from rag.retrieval.lexical import LexicalIndex
from rag.retrieval.retriever import Hit, Retriever
from rag.store import Filters, SqliteStore, Store
from tests.fakes import DIM, FakeEmbedder, make_document, ready
from tests.store.conformance.opening import content
from vectors import ExactIndex

QUESTIONS = ("cat", "dog fish", "bird cat", "nothing")
TEXTS = ("the cat sat\nthe dog ran", "a fish swam\na cat", "bird and dog\nfish and cat\nbird")


def collection(home: Path, name: str = "default") -> Path:
    return home / "collections" / name


def fill(home: Path, name: str = "default", *, texts: tuple[str, ...] = TEXTS) -> Store:
    store = SqliteStore(collection(home, name), fingerprint="f")
    for n, text in enumerate(texts):
        store.put(ready(make_document(text, uri=f"file:{n}")))
    return store


def answers(directory: Path) -> tuple[int, list[list[Hit]]]:
    """Return what a process that opens a collection anew finds for the questions."""
    store = SqliteStore(directory, fingerprint="f", create=False)
    retriever = Retriever(
        embedder=FakeEmbedder(),
        rankings=HeldRankings(vectors=lambda: ExactIndex(DIM), lexical=LexicalIndex),
    )
    with store.snapshot() as snapshot:
        hits = [retriever.retrieve(snapshot, q, k=9, filters=Filters()) for q in QUESTIONS]
        generation = snapshot.generation
    store.close()
    return generation, hits


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with one collection, closed."""
    fill(tmp_path / "home").close()
    return tmp_path / "home"


def test_a_snapshot_restored_into_an_empty_home_answers_the_same(
    home: Path, tmp_path: Path
) -> None:
    """Generation, chunk ids, scores and texts are equal; so are files that belong to it."""
    fill(home, "other", texts=("one more",)).close()
    (collection(home) / "threshold.json").write_text("{}")
    expected = answers(collection(home))
    (collection(home) / "cache").mkdir()
    manifest = snapshots.create(home, name="a")
    assert set(manifest.collections) == {"default", "other"}
    saved = manifest.collections["default"]
    assert (saved.generation, saved.documents, saved.chunks, saved.fingerprint) == (3, 3, 7, "f")
    assert set(saved.files) == {"store.sqlite", "threshold.json"}
    assert snapshots.verify(home, "a") == manifest == snapshots.read_manifest(home, "a")
    empty = tmp_path / "empty"
    shutil.copytree(home / "snapshots", empty / "snapshots")
    assert snapshots.restore(empty, "a") == []
    for name in ("default", "other"):
        assert answers(collection(empty, name)) == answers(collection(home, name))
    assert answers(collection(empty)) == expected
    assert (collection(empty) / "threshold.json").read_text() == "{}"
    assert sorted(path.name for path in empty.iterdir()) == ["collections", "snapshots"]


def test_a_snapshot_is_of_one_generation_while_others_write(home: Path, tmp_path: Path) -> None:
    """Taken amid replacements, each snapshot holds one version of both documents, or neither."""
    store = fill(home)
    done = threading.Event()

    def write() -> None:
        n = 0
        while not done.is_set():
            n += 1
            store.put(
                new
                for uri in ("file:a", "file:b")
                for new in ready(make_document(f"version {n}\nof both", uri=uri))
            )

    writer = threading.Thread(target=write)
    writer.start()
    try:
        names = [snapshots.create(home).name for _ in range(5)]
    finally:
        done.set()
        writer.join(timeout=30)
    store.close()
    assert names == sorted(set(names)) == snapshots.names(home)
    generations = []
    for name in names:
        there = tmp_path / name
        shutil.copytree(home / "snapshots" / name, there / "snapshots" / name)
        snapshots.restore(there, name)
        restored = SqliteStore(collection(there), fingerprint="f")
        with restored.snapshot() as snapshot:
            generations.append(snapshot.generation)
            versions = [c[2] for c in content(snapshot).values() if c[2].startswith("version")]
        restored.close()
        assert len(set(versions)) <= 1
        assert len(versions) in {0, 2}
    assert generations == sorted(generations)


def test_an_index_that_is_there_is_only_replaced_on_request(home: Path) -> None:
    """Without `replace` nothing happens; with it the old index is moved aside, whole."""
    snapshots.create(home, name="a")
    expected = answers(collection(home))
    service = fill(home, texts=("later\ncat", "cat again"))
    later = 5
    with pytest.raises(StoreError, match=r"already.*--replace"):
        snapshots.restore(home, "a")
    with service.snapshot() as snapshot:
        assert snapshot.generation == later
    (moved,) = snapshots.restore(home, "a", replace=True)
    assert moved.parent == home / "replaced"
    assert answers(collection(home)) == expected
    with pytest.raises(StoreError, match=r"restored since it was opened.*Restart"):
        service.put(ready(make_document("lost?", uri="file:x")))
    service.close()
    assert answers(moved)[0] == later
    assert [path.name for path in (home / "collections").iterdir()] == ["default"]


def test_a_damaged_index_is_replaced_as_well(home: Path) -> None:
    """Restoring is the way out that damage names, whatever the damage."""
    snapshots.create(home, name="a")
    expected = answers(collection(home))
    (collection(home) / "store.sqlite").write_bytes(b"lost")
    with pytest.raises(DamagedStore):
        answers(collection(home))
    with pytest.raises(DamagedStore):
        snapshots.create(home, name="b")
    snapshots.restore(home, "a", replace=True)
    assert answers(collection(home)) == expected
    assert snapshots.names(home) == ["a"]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[random.Random(len(data)).randrange(len(data))] ^= 4
    path.write_bytes(data)


@pytest.mark.parametrize("change", [flip, Path.unlink, lambda path: path.write_bytes(b"")])
@pytest.mark.parametrize("file", ["default/store.sqlite", "manifest.json"])
def test_a_damaged_snapshot_is_not_restored(
    home: Path, change: Callable[[Path], None], file: str
) -> None:
    """Whatever of it is altered or missing: it is named, and the index stays in its place."""
    snapshots.create(home, name="a")
    expected = answers(collection(home))
    change(home / "snapshots" / "a" / file)
    for act in (snapshots.verify, lambda h, n: snapshots.restore(h, n, replace=True)):
        with pytest.raises((DamagedStore, NotFound), match="snapshot 'a'"):
            act(home, "a")
    assert answers(collection(home)) == expected
    assert not (home / "replaced").exists()


def test_a_manifest_of_another_snapshot_is_noticed(home: Path) -> None:
    """A snapshot under another one's name, and one with changed figures, are damaged."""
    snapshots.create(home, name="a")
    (home / "snapshots" / "a").rename(home / "snapshots" / "b")
    with pytest.raises(DamagedStore, match=r"manifest\.json is altered"):
        snapshots.verify(home, "b")
    file = home / "snapshots" / "b" / "manifest.json"
    fields = json.loads(file.read_text())
    fields["manifest"] |= {"name": "b"}
    file.write_text(json.dumps(fields))
    with pytest.raises(DamagedStore, match=r"manifest\.json is altered"):
        snapshots.verify(home, "b")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", ".hidden", "é", "x" * 101, "a b"])
def test_names_that_would_leave_the_directory_are_refused(home: Path, name: str) -> None:
    """A name is plain letters; it is refused before anything is made."""
    with pytest.raises(InvalidRequest, match="cannot name a snapshot"):
        snapshots.create(home, name=name)
    with pytest.raises(InvalidRequest):
        snapshots.restore(home, name)
    assert not (home / "snapshots").exists()


def test_what_cannot_be_done_is_said(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A taken name, an unknown one, a home without an index, and too little room."""
    snapshots.create(home, name="a")
    with pytest.raises(InvalidRequest, match="already"):
        snapshots.create(home, name="a")
    with pytest.raises(NotFound, match="rag snapshot list"):
        snapshots.restore(home, "b")
    with pytest.raises(NotFound, match="rag ingest"):
        snapshots.create(tmp_path / "empty")
    with pytest.raises(StoreFull, match="MB are free"):
        snapshots.create(home, min_free_bytes=10**18)
    monkeypatch.setattr("rag.snapshots.shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(StoreFull, match="MB are needed"):
        snapshots.restore(home, "a", replace=True)
    assert snapshots.names(home) == ["a"]
    assert [path.name for path in (home / "snapshots").iterdir()] == ["a"]


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_restoring_that_is_killed_leaves_the_old_index_or_the_new(
    home: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped before any of its renames, the next opening finds one of the two, whole."""
    snapshots.create(home, name="a")
    new = answers(collection(home))
    fill(home, texts=("later\ncat",)).close()
    old = answers(collection(home))
    rename, calls = Path.rename, 0

    def renamed(path: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == step:
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", renamed)
        with pytest.raises(KeyboardInterrupt):
            snapshots.restore(home, "a", replace=True)
    assert answers(collection(home)) == (new if step == 3 else old)
    snapshots.restore(home, "a", replace=True)
    assert answers(collection(home)) == new
    assert [path.name for path in (home / "collections").iterdir()] == ["default"]
