"""Other chunks in one step, while others read and write."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

import rag.reindexing
from rag.chunks import Chunk
from rag.documents import Document
from rag.errors import StaleIndex, StoreError
from rag.reindexing import Progress, reindex
from rag.store import NewDocument, Store
from tests.fakes import FakeEmbedder, chunk_lines, make_document, ready
from tests.store.conformance.opening import Place, content

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


def rebuilt(store: Store, texts: dict[str, str]) -> list[tuple[str, str, bytes]]:
    """Return what a store has that is filled with the new settings from the start."""
    for uri, text in texts.items():
        document = make_document(text, uri=uri)
        chunks = chunk_words(document)
        rows = WideEmbedder().embed_passages([f"{document.title} {c.text}" for c in chunks])
        store.put([NewDocument(document=document, chunks=chunks, vectors=rows)])
    with store.snapshot() as snapshot:
        return sorted((c[0], c[2], c[4]) for c in content(snapshot).values())


def held(store: Store) -> list[tuple[str, str, bytes]]:
    """Return the same of a store, each document's passages checked."""
    with store.snapshot() as snapshot:
        snapshot.verify()
        for summary in snapshot.summaries(limit=100):
            ids = snapshot.chunk_ids([summary.id]).tolist()
            assert [replace(c, id=0) for c in snapshot.chunks(ids)] == chunk_words(
                snapshot.document(summary.id)
            )
        return sorted((c[0], c[2], c[4]) for c in content(snapshot).values())


class Rechunking:
    """Other chunks in one step, while others read and write."""

    @pytest.fixture
    def service(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> Store:
        """A store of ten documents, as a service with the old settings has it open."""
        monkeypatch.setattr(rag.reindexing, "_CHUNKS_A_GROUP", 10)
        store = place(fingerprint="lines")
        for n in range(10):
            store.put(ready(make_document(text_of(n), uri=f"file:{n}")))
        store.delete(make_document("", uri="file:9").id)
        return store

    def test_a_reindexed_store_equals_one_built_with_the_new_settings(
        self, service: Store, place: Place
    ) -> None:
        """Same passages and vectors, of another length, under ids that were never used before."""
        with service.snapshot() as snapshot:
            used = max(content(snapshot)) + 2
        store = place(fingerprint=None)
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
        assert held(place(fingerprint="words")) == rebuilt(
            place("other", fingerprint="words"), expected
        )

    def test_the_old_chunks_are_served_until_the_step_and_refused_after_it(
        self, service: Store, place: Place
    ) -> None:
        """A service of the old settings reads and writes meanwhile; then it is told to restart."""
        with service.snapshot() as snapshot:
            before = content(snapshot)
        store = place(fingerprint=None)
        for step in run(store):
            if step.generation is None:
                with service.snapshot() as snapshot:
                    assert (snapshot.generation, content(snapshot)) == (11, before)
        assert not service.superseded
        with (
            pytest.raises(StaleIndex, match=r"rebuilt by rag reindex.*Restart"),
            service.snapshot(),
        ):
            pass
        with pytest.raises(StaleIndex, match="Restart"):
            service.put(ready(make_document("old settings", uri="file:x")))
        assert service.superseded
        assert not store.superseded
        store.close()
        with pytest.raises(StaleIndex, match="built with words"):
            place(fingerprint="lines")

    def test_documents_that_change_meanwhile_are_caught(self, service: Store, place: Place) -> None:
        """Those added, replaced or deleted between two groups are in the result as they are last.

        None is lost, and none is there as it was before.
        """
        store = place(fingerprint=None)
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
        assert held(place(fingerprint="words")) == rebuilt(
            place("other", fingerprint="words"), expected
        )

    def test_a_run_that_was_stopped_goes_on_where_it_was(
        self, service: Store, place: Place
    ) -> None:
        """What was staged is not embedded again, unless its document changed."""
        first = place(fingerprint=None)
        steps = run(first)
        done = [next(steps).done for _ in range(3)][-1]
        assert 0 < done < 9
        steps.close()
        first.close()
        service.put(ready(make_document("changed", uri="file:0")))
        second = place(fingerprint=None)
        assert next(run(second)).done == done - 1
        assert list(run(second))[-1].generation == 13
        second.close()
        expected = {f"file:{n}": text_of(n) for n in range(9)} | {"file:0": "changed"}
        assert held(place(fingerprint="words")) == rebuilt(
            place("other", fingerprint="words"), expected
        )

    def test_other_settings_begin_anew_and_the_old_ones_need_nothing(
        self, service: Store, place: Place
    ) -> None:
        """Staged chunks of settings that are wanted no more are dropped, by either."""
        store = place(fingerprint=None)
        steps = run(store, fingerprint="first")
        assert [next(steps).done for _ in range(2)][-1] > 0
        other = place(fingerprint=None)
        assert next(run(other, fingerprint="second")).done == 0
        with pytest.raises(StoreError, match="for other settings by another command"):
            next(steps)
        assert list(run(other, fingerprint="lines")) == []
        with service.snapshot() as snapshot:
            snapshot.verify()
        store.close()
        other.close()
