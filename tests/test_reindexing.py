"""Reindexing: other chunks in one step, from stored texts, while others read and write."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import rag.reindexing
from rag.chunks import Chunk
from rag.documents import Document
from rag.errors import StaleIndex, StoreError, StoreFull
from rag.reindexing import Progress, reindex
from rag.store import NewDocument, Store
from tests.fakes import FakeEmbedder, chunk_lines, make_document, ready
from tests.store.conftest import content

WIDE = 48


class WideEmbedder(FakeEmbedder):
    """Another model, whose vectors are longer."""

    def embed_passages(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return unit rows, float32 (len(texts), WIDE)."""
        rows = super().embed_passages(texts)
        return np.hstack([rows, np.zeros((len(rows), WIDE - rows.shape[1]), np.float32)])


def chunk_words(document: Document) -> list[Chunk]:
    """Cut a document into its words."""
    return [
        replace(
            chunk_lines(document)[0],
            start=match.start(),
            end=match.end(),
            text=match[0],
            tokens=1,
        )
        for match in re.finditer(r"\S+", document.text)
    ]


def run(store: Store, *, fingerprint: str = "words") -> Iterator[Progress]:
    return reindex(
        store,
        fingerprint=fingerprint,
        embedder=WideEmbedder(),
        chunk=chunk_words,
        passage=lambda document, chunk: f"{document.title} {chunk.text}",
    )


def text_of(n: int) -> str:
    return f"one two {n}\nthree four {n}"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Store]:
    """A store of ten documents, as a service with the old settings has it open."""
    store = Store(tmp_path, fingerprint="lines")
    for n in range(10):
        store.put(ready(make_document(text_of(n), uri=f"file:{n}")))
    store.delete(make_document("", uri="file:9").id)
    yield store
    store.close()


@pytest.fixture(autouse=True)
def _small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rag.reindexing, "_CHUNKS_A_GROUP", 10)


def rebuilt(directory: Path, texts: dict[str, str]) -> list[tuple[str, str, bytes]]:
    """Return what a store has that was filled with the new settings from the start."""
    store = Store(directory, fingerprint="words")
    for uri, text in texts.items():
        document = make_document(text, uri=uri)
        chunks = chunk_words(document)
        rows = WideEmbedder().embed_passages([f"{document.title} {c.text}" for c in chunks])
        store.put([NewDocument(document=document, chunks=chunks, vectors=rows)])
    with store.snapshot() as snapshot:
        parts = [(c[0], c[2], c[4]) for c in content(snapshot).values()]
    store.close()
    return sorted(parts)


def held(directory: Path) -> list[tuple[str, str, bytes]]:
    store = Store(directory, fingerprint="words")
    with store.snapshot() as snapshot:
        snapshot.verify()
        parts = [(c[0], c[2], c[4]) for c in content(snapshot).values()]
        for summary in snapshot.summaries(limit=100):
            ids = snapshot.chunk_ids([summary.id]).tolist()
            assert [replace(c, id=0) for c in snapshot.chunks(ids)] == chunk_words(
                snapshot.document(summary.id)
            )
    store.close()
    return sorted(parts)


def test_a_reindexed_store_equals_one_built_with_the_new_settings(
    service: Store, tmp_path: Path
) -> None:
    """Same passages and vectors, of another length, under ids that were never used before."""
    with service.snapshot() as snapshot:
        used = max(content(snapshot)) + 2
    store = Store(tmp_path, fingerprint=None)
    steps = list(run(store))
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert {step.total for step in steps} == {9}
    assert [step.generation for step in steps[:-1]] == [None] * (len(steps) - 1)
    assert steps[-1] == Progress(done=9, total=9, generation=12)
    with store.snapshot() as snapshot:
        assert min(content(snapshot)) > used
        assert not snapshot.remembers(11)
        assert snapshot.remembers(12)
    assert list(run(store)) == []
    store.close()
    expected = {f"file:{n}": text_of(n) for n in range(9)}
    assert held(tmp_path) == rebuilt(tmp_path / "other", expected)


def test_the_old_chunks_are_served_until_the_step_and_refused_after_it(
    service: Store, tmp_path: Path
) -> None:
    """A service of the old settings reads and writes meanwhile; then it is told to restart."""
    with service.snapshot() as snapshot:
        before = content(snapshot)
    store = Store(tmp_path, fingerprint=None)
    for step in run(store):
        if step.generation is None:
            with service.snapshot() as snapshot:
                assert (snapshot.generation, content(snapshot)) == (11, before)
    with pytest.raises(StaleIndex, match=r"rebuilt by rag reindex.*Restart"), service.snapshot():
        pass
    with pytest.raises(StaleIndex, match="Restart"):
        service.put(ready(make_document("old settings", uri="file:x")))
    store.close()
    with pytest.raises(StaleIndex, match="built with words"):
        Store(tmp_path, fingerprint="lines")


def test_documents_that_change_meanwhile_are_caught(service: Store, tmp_path: Path) -> None:
    """Those added, replaced or deleted between two groups are in the result as they are last.

    None is lost, and none is there as it was before.
    """
    store = Store(tmp_path, fingerprint=None)
    expected = {f"file:{n}": text_of(n) for n in range(9)}
    for number, step in enumerate(run(store)):
        if step.generation is not None or number > 8:
            continue
        changed, gone = f"file:{number % 9}", f"file:{(number + 4) % 9}"
        for uri in (changed, f"file:new {number}"):
            expected[uri] = f"changed at step {number}"
            service.put(ready(make_document(expected[uri], uri=uri)))
        if expected.pop(gone, None):
            service.delete(make_document("", uri=gone).id)
    store.close()
    assert held(tmp_path) == rebuilt(tmp_path / "other", expected)


def test_a_run_that_was_stopped_goes_on_where_it_was(service: Store, tmp_path: Path) -> None:
    """What was staged is not embedded again, unless its document changed."""
    first = Store(tmp_path, fingerprint=None)
    steps = run(first)
    done = [next(steps).done for _ in range(3)][-1]
    assert 0 < done < 9
    steps.close()
    first.close()
    service.put(ready(make_document("changed", uri="file:0")))
    second = Store(tmp_path, fingerprint=None)
    assert next(run(second)).done == done - 1
    assert list(run(second))[-1].generation == 13
    second.close()
    expected = {f"file:{n}": text_of(n) for n in range(9)} | {"file:0": "changed"}
    assert held(tmp_path) == rebuilt(tmp_path / "other", expected)


def test_other_settings_begin_anew_and_the_old_ones_need_nothing(
    service: Store, tmp_path: Path
) -> None:
    """Staged chunks of settings that are wanted no more are dropped, by either."""
    store = Store(tmp_path, fingerprint=None)
    steps = run(store, fingerprint="first")
    assert [next(steps).done for _ in range(2)][-1] > 0
    other = Store(tmp_path, fingerprint=None)
    assert next(run(other, fingerprint="second")).done == 0
    with pytest.raises(StoreError, match="for other settings by another command"):
        next(steps)
    assert list(run(other, fingerprint="lines")) == []
    assert store._writer.execute("SELECT count(*) FROM staged_chunks").get == 0
    with service.snapshot() as snapshot:
        snapshot.verify()
    store.close()
    other.close()


def test_below_the_floor_nothing_is_staged(service: Store, tmp_path: Path) -> None:
    """Too little room is StoreFull, and the old chunks stay in force."""
    store = Store(tmp_path, fingerprint=None, min_free_bytes=10**18)
    with pytest.raises(StoreFull, match="RAG_MIN_FREE_BYTES"):
        list(run(store))
    store.close()
    with service.snapshot() as snapshot:
        assert snapshot.count() == (9, 18)
