"""What is remembered of changes, and what filters find."""

import random
from typing import Any

import pytest

from rag.documents import Document
from rag.retrieval.held import HeldRankings
from rag.retrieval.lexical import LexicalIndex
from rag.retrieval.retriever import Retriever
from rag.store import Filters, Store, StoredVersion
from tests.fakes import DIM, FakeEmbedder, chunk_lines, make_document, ready
from tests.store.conformance.opening import content
from vectors import ExactIndex


def meets(document: Document, filters: Filters) -> bool:
    """Say in plain Python what `Filters` mean."""
    low, high, date = filters.published_from, filters.published_to, document.published
    return (
        (filters.documents is None or document.id in filters.documents)
        and (filters.media_types is None or document.media_type in filters.media_types)
        and (low is None or (date is not None and date >= low))
        and (high is None or (date is not None and date <= high))
        and all(document.metadata.get(key) == value for key, value in filters.metadata)
    )


class History:
    """What is remembered of changes, and what filters find."""

    def test_changes_are_forgotten_after_a_bounded_number_of_generations(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each of the last 5 generations is told; of older ones, that they are not known."""
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

    def test_an_index_that_is_too_far_behind_is_built_anew(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A retriever that slept through more than is remembered finds what is there, no more."""
        monkeypatch.setattr("rag.store.changing._HISTORY", 3)
        built: list[int] = []

        def vectors() -> ExactIndex:
            built.append(1)
            return ExactIndex(DIM)

        rankings = HeldRankings(vectors=vectors, lexical=LexicalIndex)
        retriever = Retriever(embedder=FakeEmbedder(), rankings=rankings)
        for n in range(2):
            store.put(ready(make_document(f"cat {n}", uri=f"file:{n}")))
        with store.snapshot() as snapshot:
            rankings.catch_up(snapshot)
        before = len(built)
        for n in range(2, 12):
            store.put(ready(make_document(f"cat {n}", uri=f"file:{n % 4}")))
        with store.snapshot() as snapshot:
            hits = retriever.retrieve(snapshot, "cat", k=100, filters=Filters())
        assert sorted(hit.chunk.text for hit in hits) == ["cat 10", "cat 11", "cat 8", "cat 9"]
        assert len(built) == before + 1
        store.put(ready(make_document("cat 12", uri="file:0")))
        with store.snapshot() as snapshot:
            rankings.catch_up(snapshot)
        assert len(built) == before + 1

    def test_replaced_and_deleted_versions_are_remembered(self, store: Store) -> None:
        """Each with its generations; the present one is none, nor one within a single put."""
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

    def test_changes_since_any_generation_lead_to_the_present(self, store: Store) -> None:
        """What an index held at any generation, less removed, plus added, is what is there.

        The writes are random: documents added, replaced, deleted, several in a put, some twice.
        """
        rng = random.Random(7)
        stored: dict[str, Document] = {}
        held_at: list[dict[int, Any]] = [{}]
        for step in range(50):
            if stored and rng.random() < 0.3:
                gone = rng.choice(sorted(stored))
                store.delete(gone)
                del stored[gone]
            else:
                documents = [
                    make_document(
                        "\n".join(f"{step} {rng.random()}" for _ in range(rng.randint(1, 4))),
                        uri=f"file:{rng.randint(0, 7)}",
                        title=f"Title {step}",
                    )
                    for _ in range(rng.randint(1, 3))
                ]
                store.put(ready(*documents))
                stored |= {document.id: document for document in documents}
            with store.snapshot() as snapshot:
                assert snapshot.generation == step + 1
                assert {
                    id_: snapshot.document(id_) for id_ in snapshot.matching(Filters())
                } == stored
                present = content(snapshot)
            expected = [
                (document.id, document.title, chunk.text, chunk.section)
                for document in stored.values()
                for chunk in chunk_lines(document)
            ]
            assert sorted(parts[:4] for parts in present.values()) == sorted(expected)
            held_at.append(present)
        with store.snapshot() as snapshot:
            for generation, before in enumerate(held_at):
                removed = snapshot.removed_since(generation).tolist()
                assert removed == sorted(set(removed))
                held = {id_: parts for id_, parts in before.items() if id_ not in removed}
                added: list[int] = []
                for chunks, rows in snapshot.added_since(generation, batch=3):
                    assert len(chunks) <= 3
                    for chunk, row in zip(chunks, rows, strict=True):
                        added.append(chunk.id)
                        held[chunk.id] = (
                            chunk.document,
                            chunk.title,
                            chunk.text,
                            chunk.section,
                            row.tobytes(),
                        )
                assert added == sorted(added)
                assert not set(added) & {*removed, *before}
                assert held == held_at[-1]

    def test_filters_mean_what_plain_python_means_by_them(self, store: Store) -> None:
        """For random documents and filters `matching` gives what a loop over all gives."""
        rng = random.Random(3)
        types = ["text/plain", "text/html", "application/pdf"]
        dates = [None, "2016-01-01", "2019-05-05", "2019-05-06", "2023-12-31"]
        keys = ["author", "a.b", 'q"u', "$", "0", "clé"]
        values = ["x", "", "1", "%", "' OR 1"]

        def pairs(most: int) -> dict[str, str]:
            return {rng.choice(keys): rng.choice(values) for _ in range(rng.randint(0, most))}

        documents = [
            make_document(
                "text",
                uri=f"file:{n}",
                media_type=rng.choice(types),
                published=rng.choice(dates),
                metadata=pairs(5),
            )
            for n in range(60)
        ]
        store.put(ready(*documents))
        ids = sorted(document.id for document in documents)
        sizes = set()
        with store.snapshot() as snapshot:
            for _ in range(300):
                filters = Filters(
                    documents=rng.choice([None, None, (*rng.sample(ids, 20), "unknown"), ()]),
                    media_types=rng.choice([None, None, tuple(rng.sample(types, 2)), ("none",)]),
                    published_from=rng.choice([None, None, *dates]),
                    published_to=rng.choice([None, None, *dates]),
                    metadata=tuple(pairs(2).items()),
                )
                expected = sorted(d.id for d in documents if meets(d, filters))
                assert snapshot.matching(filters) == expected, filters
                sizes.add(len(expected))
        assert {0, 60} < sizes
