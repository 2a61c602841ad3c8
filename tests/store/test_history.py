"""What the store remembers of the past: the last changes, and every version that was replaced."""

import pytest

from rag.retrieval.lexical import LexicalIndex
from rag.retrieval.retriever import Retriever
from rag.store import Filters, Store, StoredVersion
from tests.fakes import DIM, FakeEmbedder, make_document, ready
from vectors import ExactIndex


def test_changes_are_forgotten_after_a_bounded_number_of_generations(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the last 5 generations each is told, of older ones it is said that they are not known."""
    monkeypatch.setattr("rag.store.changing._HISTORY", 5)
    for n in range(8):
        store.put(ready(make_document(f"text {n}", uri=f"file:{n % 2}")))
    with store.snapshot() as snapshot:
        assert [g for g in range(10) if snapshot.remembers(g)] == [0, 3, 4, 5, 6, 7, 8]
        assert snapshot.removed_since(3).tolist() == [2, 3, 4, 5, 6]
        assert [c.id for chunks, _ in snapshot.added_since(3) for c in chunks] == [7, 8]
        assert [c.id for chunks, _ in snapshot.added_since(0) for c in chunks] == [7, 8]
        for ask in (snapshot.removed_since, lambda g: next(snapshot.added_since(g))):
            with pytest.raises(ValueError, match="only changes since 3 are known, not since 2"):
                ask(2)
        snapshot.verify()
    assert store._writer.execute("SELECT count(*) FROM changes").get == 5


def test_an_index_that_is_too_far_behind_is_built_anew(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retriever that slept through more than is remembered finds what is there, and only that."""
    monkeypatch.setattr("rag.store.changing._HISTORY", 3)
    built: list[int] = []

    def vectors() -> ExactIndex:
        built.append(1)
        return ExactIndex(DIM)

    retriever = Retriever(embedder=FakeEmbedder(), vectors=vectors, lexical=LexicalIndex)
    for n in range(2):
        store.put(ready(make_document(f"cat {n}", uri=f"file:{n}")))
    with store.snapshot() as snapshot:
        retriever.catch_up(snapshot)
    before = len(built)
    for n in range(2, 12):
        store.put(ready(make_document(f"cat {n}", uri=f"file:{n % 4}")))
    with store.snapshot() as snapshot:
        hits = retriever.retrieve(snapshot, "cat", k=100, filters=Filters())
    assert sorted(hit.chunk.text for hit in hits) == ["cat 10", "cat 11", "cat 8", "cat 9"]
    assert len(built) == before + 1
    store.put(ready(make_document("cat 12", uri="file:0")))
    with store.snapshot() as snapshot:
        retriever.catch_up(snapshot)
    assert len(built) == before + 1


def test_replaced_and_deleted_versions_are_remembered(store: Store) -> None:
    """Each with the generations it was in; the present one is none, nor one within a single put."""
    old, new, last = (make_document(text) for text in ("old", "new", "last"))
    store.put(ready(old))
    store.put(ready(make_document("other", uri="file:b")))
    store.put(ready(new))
    store.put(ready(make_document("between"), old))
    store.delete(old.id)
    store.put(ready(last))

    def version(sha256: str, since: int, until: int) -> StoredVersion:
        return StoredVersion(document=old.id, sha256=sha256, since=since, until=until)

    with store.snapshot() as snapshot:
        assert snapshot.former_versions(old.id) == [
            version(old.sha256, 1, 3),
            version(new.sha256, 3, 4),
            version(old.sha256, 4, 5),
        ]
        assert snapshot.former_versions("nope\0") == []
        assert snapshot.version(last.uri) == last.sha256
        assert snapshot.version("file:none") is None
        snapshot.verify()
