"""The retriever, against brute force over what the store holds."""

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rag.retrieval.fusion import fuse
from rag.retrieval.held import HeldRankings
from rag.retrieval.lexical import LexicalIndex
from rag.retrieval.retriever import Hit, Mode, Retriever
from rag.store import AddedChunk, Filters, Snapshot, SqliteStore, Store
from rag.store.snapshot import TableSnapshot
from tests.fakes import DIM, FakeEmbedder, make_document, ready
from vectors import ExactIndex

MODES: tuple[Mode, ...] = ("hybrid", "dense", "lexical")
WORDS = ["cat", "dog", "bird", "fish", "cow", "hen", "pig", "fox", "bear", "wolf", "frog", "newt"]
QUESTIONS = ["cat dog", "What does the fox eat?", "bear", "newt frog wolf pig", "unknown"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = SqliteStore(tmp_path, fingerprint="f")
    yield opened
    opened.close()


def make_retriever() -> Retriever:
    return Retriever(embedder=FakeEmbedder(), rankings=make_rankings())


def make_rankings() -> HeldRankings:
    return HeldRankings(vectors=lambda: ExactIndex(DIM), lexical=LexicalIndex)


def fill(store: Store, *, documents: int, seed: int = 1) -> None:
    """Put documents of random words: of two media types, four years and two authors."""
    rng = random.Random(seed)
    for n in range(documents):
        text = "\n".join(" ".join(rng.choices(WORDS, k=rng.randint(2, 12))) for _ in range(3))
        document = make_document(
            text,
            uri=f"file:{n}",
            title=rng.choice(WORDS),
            media_type=("text/plain", "text/html")[n % 2],
            published=f"{2020 + n % 4}-01-01",
            metadata={"author": ("ann", "bob")[n % 3 == 0]},
        )
        store.put(ready(document))


def stored(snapshot: Snapshot) -> list[AddedChunk]:
    return [chunk for chunks, _ in snapshot.added_since(0) for chunk in chunks]


def brute_force(
    snapshot: Snapshot, question: str, *, allowed: set[int], mode: Mode
) -> list[tuple[int, float]]:
    """Score every allowed chunk: BM25 among all chunks, cosine by itself, and the two fused."""
    chunks = stored(snapshot)
    lexical_index = LexicalIndex()
    lexical_index.change(added=chunks, removed=())
    words = dict(lexical_index.search(question, len(chunks) + 1))
    asked = FakeEmbedder().embed_question(question).astype(np.float64)
    ids = [chunk.id for chunk in chunks if chunk.id in allowed]
    texts = [chunk.text for chunk in chunks if chunk.id in allowed]
    dense = FakeEmbedder().embed_passages(texts).astype(np.float64) @ asked
    lexical = np.array([words.get(id_, 0.0) for id_ in ids])
    scores = {"dense": dense, "lexical": lexical, "hybrid": fuse(dense, lexical)}[mode]
    scored = zip(ids, scores.tolist(), strict=True)
    found = [(id_, score) for id_, score in scored if mode != "lexical" or score > 0]
    return sorted(found, key=lambda hit: (-round(hit[1], 9), hit[0]))


def pairs(hits: list[Hit]) -> list[tuple[int, float]]:
    return [(hit.chunk.id, hit.score) for hit in hits]


def assert_same(found: list[tuple[int, float]], expected: list[tuple[int, float]]) -> None:
    """Compare ids and scores, the order of scores that differ by rounding only aside."""
    assert [score for _, score in found] == pytest.approx([s for _, s in expected], abs=1e-6)
    assert sorted(found, key=lambda hit: (-round(hit[1], 5), hit[0])) == [
        (id_, pytest.approx(score, abs=1e-6))
        for id_, score in sorted(expected, key=lambda hit: (-round(hit[1], 5), hit[0]))
    ]


FILTERS = [
    pytest.param(Filters(), id="none"),
    pytest.param(Filters(media_types=("text/html",)), id="media-type"),
    pytest.param(Filters(published_from="2021-01-01", published_to="2022-12-31"), id="dates"),
    pytest.param(Filters(metadata=(("author", "bob"),)), id="metadata"),
    pytest.param(
        Filters(media_types=("text/plain",), metadata=(("author", "bob"),)), id="both-of-two"
    ),
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("filters", FILTERS)
def test_hits_are_the_best_of_what_the_filters_let_through(
    store: Store, mode: Mode, filters: Filters
) -> None:
    """The k hits equal the first k of brute force over the allowed chunks, k above n included.

    Filters work before the cut: otherwise fewer than k would be left of the best k of all.
    """
    fill(store, documents=25)
    retriever = make_retriever()
    with store.snapshot() as snapshot:
        allowed = set(snapshot.chunk_ids(snapshot.matching(filters)).tolist())
        assert allowed
        for question in QUESTIONS:
            expected = brute_force(snapshot, question, allowed=allowed, mode=mode)
            for k in (1, 5, 100):
                hits = retriever.retrieve(snapshot, question, k=k, filters=filters, mode=mode)
                assert_same(pairs(hits), expected[:k])
                assert {hit.chunk.id for hit in hits} <= allowed


@pytest.mark.parametrize("mode", MODES)
def test_hits_carry_their_chunk_and_its_cosine(store: Store, mode: Mode) -> None:
    """A hit's chunk is the stored one, its similarity the cosine, unless only words were ranked."""
    fill(store, documents=5)
    embedder = FakeEmbedder()
    with store.snapshot() as snapshot:
        hits = make_retriever().retrieve(snapshot, "cat dog", k=20, filters=Filters(), mode=mode)
        assert hits
        for hit in hits:
            assert [hit.chunk] == snapshot.chunks([hit.chunk.id])
            cosine = float(
                embedder.embed_passages([hit.chunk.text])[0] @ embedder.embed_question("cat dog")
            )
            if mode == "lexical":
                assert hit.similarity is None
            else:
                assert hit.similarity == pytest.approx(cosine, abs=1e-6)


def test_candidates_of_either_ranking_are_scored_by_both(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With few candidates a chunk that only one ranking found has its true score of the other."""
    monkeypatch.setattr("rag.retrieval.retriever._CANDIDATES", 4)
    fill(store, documents=20)
    retriever = make_retriever()
    with store.snapshot() as snapshot:
        everything = {chunk.id for chunk in stored(snapshot)}
        dense = brute_force(snapshot, "cat dog fox", allowed=everything, mode="dense")
        lexical = brute_force(snapshot, "cat dog fox", allowed=everything, mode="lexical")
        candidates = {id_ for id_, _ in (*dense[:4], *lexical[:4])}
        assert len(candidates) > 4
        expected = brute_force(snapshot, "cat dog fox", allowed=candidates, mode="hybrid")
        hits = retriever.retrieve(snapshot, "cat dog fox", k=4, filters=Filters())
        assert_same(pairs(hits), expected[:4])


@pytest.mark.parametrize("mode", MODES)
def test_catching_up_step_by_step_equals_building_at_once(store: Store, mode: Mode) -> None:
    """After every addition an index that followed answers as one that is built from nothing."""
    following = make_retriever()
    rng = random.Random(4)
    for n in range(12):
        text = "\n".join(" ".join(rng.choices(WORDS, k=6)) for _ in range(3))
        store.put(ready(make_document(text, uri=f"file:{n}")))
        with store.snapshot() as snapshot:
            at_once = make_retriever()
            for question in QUESTIONS:
                kept, built = (
                    retriever.retrieve(snapshot, question, k=10, filters=Filters(), mode=mode)
                    for retriever in (following, at_once)
                )
                assert [hit.chunk for hit in kept] == [hit.chunk for hit in built]
                assert [h.score for h in kept] == pytest.approx([h.score for h in built], abs=1e-6)


def test_replaced_and_deleted_chunks_are_never_found(store: Store) -> None:
    """Whatever is replaced or deleted between two questions, hits are of the present alone."""
    rng = random.Random(8)
    retriever = make_retriever()
    present: set[str] = set()
    for _ in range(25):
        uri = f"file:{rng.randint(0, 5)}"
        if uri in present and rng.random() < 0.4:
            store.delete(make_document("", uri=uri).id)
            present.discard(uri)
        else:
            text = "\n".join(" ".join(rng.choices(WORDS, k=5)) for _ in range(4))
            store.put(ready(make_document(text, uri=uri)))
            present.add(uri)
        with store.snapshot() as snapshot:
            chunks = {chunk.id: chunk.text for chunk in stored(snapshot)}
            for mode in MODES:
                hits = retriever.retrieve(
                    snapshot, " ".join(WORDS), k=100, filters=Filters(), mode=mode
                )
                assert {hit.chunk.id: hit.chunk.text for hit in hits} == chunks
                assert len(hits) == len(chunks)


@pytest.mark.parametrize("mode", MODES)
def test_an_empty_store_has_no_hits(store: Store, mode: Mode) -> None:
    """Nothing is found where nothing is, nor where the filters let nothing through."""
    retriever = make_retriever()
    with store.snapshot() as snapshot:
        assert retriever.retrieve(snapshot, "cat", k=5, filters=Filters(), mode=mode) == []
    fill(store, documents=2)
    with store.snapshot() as snapshot:
        nobody = Filters(metadata=(("author", "nobody"),))
        assert retriever.retrieve(snapshot, "cat", k=5, filters=nobody, mode=mode) == []


def test_an_older_snapshot_is_refused(store: Store) -> None:
    """Going back would answer from chunks that the older snapshot does not hold."""
    rankings = make_rankings()
    fill(store, documents=1)
    with store.snapshot() as old:
        fill(store, documents=2, seed=2)
        with store.snapshot() as new:
            rankings.catch_up(new)
        with pytest.raises(ValueError, match="in order of their generations"):
            rankings.catch_up(old)


class FailingIndex(LexicalIndex):
    """Fails once, after the change with the given number was made."""

    def __init__(self, changes_left: list[int]) -> None:
        super().__init__()
        self.changes_left = changes_left

    def change(self, **changes: object) -> None:
        """Change, and fail when it is time."""
        super().change(**changes)  # type: ignore[arg-type]
        self.changes_left[0] -= 1
        if self.changes_left[0] == 0:
            raise OSError("no space left on device")


@pytest.mark.parametrize("fail_after", [1, 2, 3, 4])
def test_a_catch_up_that_failed_half_way_is_made_good(
    store: Store, fail_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next question finds each chunk once, though some were added by the failed attempt."""
    original = TableSnapshot.added_since
    monkeypatch.setattr(
        TableSnapshot, "added_since", lambda self, generation: original(self, generation, batch=2)
    )
    fill(store, documents=2)
    changes_left = [fail_after]
    rankings = HeldRankings(
        vectors=lambda: ExactIndex(DIM), lexical=lambda: FailingIndex(changes_left)
    )
    retriever = Retriever(embedder=FakeEmbedder(), rankings=rankings)
    with store.snapshot() as snapshot, pytest.raises(OSError, match="no space"):
        rankings.catch_up(snapshot)
    store.delete(make_document("", uri="file:0").id)
    with store.snapshot() as snapshot:
        expected = [chunk.id for chunk in stored(snapshot)]
        for mode in MODES:
            hits = retriever.retrieve(snapshot, " ".join(WORDS), k=50, filters=Filters(), mode=mode)
            assert sorted(hit.chunk.id for hit in hits) == expected
