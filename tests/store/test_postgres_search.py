"""What the database finds, against indexes in memory over the same snapshot."""

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from rag.documents import Section
from rag.errors import DamagedStore, StoreError
from rag.retrieval.held import HeldRankings
from rag.retrieval.lexical import LexicalIndex
from rag.retrieval.rankings import Search
from rag.retrieval.retriever import Retriever
from rag.retrieval.stored import StoredRankings
from rag.store import Filters, NewDocument, Snapshot
from rag.store.postgres import PostgresStore, Server, migrate
from tests.fakes import DIM, FakeEmbedder, make_document, ready
from vectors import ExactIndex

_NUMBERS = count()
WORDS = ["cat", "dog", "bird", "fish", "cow", "hen", "pig", "fox", "bear", "wolf", "frog", "newt"]
QUESTIONS = ["cat dog", "What does the fox eat?", "bear cat bear", "newt frog wolf pig", "unknown"]
FILTERS = [
    Filters(),
    Filters(media_types=("text/html",)),
    Filters(published_from="2021-01-01", published_to="2022-12-31"),
    Filters(media_types=("text/plain",), metadata=(("author", "bob"),)),
    Filters(metadata=(("author", "nobody"),)),
]


@pytest.fixture
def store(server: Server) -> Iterator[PostgresStore]:
    opened = PostgresStore(server, f"search-{next(_NUMBERS)}", fingerprint="f")
    yield opened
    opened.close()


def new_document(rng: random.Random, number: int) -> NewDocument:
    """Return one of random words: of two media types, four years and two authors."""
    text = "\n".join(" ".join(rng.choices(WORDS, k=rng.randint(1, 12))) for _ in range(4))
    half = text.index("\n") + 1
    document = make_document(
        text,
        uri=f"file:{number}",
        title=" ".join(rng.choices(WORDS, k=rng.randint(0, 3))),
        media_type=("text/plain", "text/html")[number % 2],
        published=f"{2020 + number % 4}-01-01",
        metadata={"author": ("ann", "bob")[number % 3 == 0]},
        sections=[
            Section(start=0, end=half, path=()),
            Section(start=half, end=len(text), path=(rng.choice(WORDS), "cat cat")),
        ],
    )
    (new,) = ready(document)
    return new


def rechunk(store: PostgresStore, rng: random.Random, *, fingerprint: str) -> None:
    """Give every document the passages that it has, and one more, under other ids."""
    missing = store.begin_rechunking(fingerprint)
    rng.shuffle(missing)
    while missing:
        some, missing = missing[:3], missing[3:]
        with store.snapshot() as snapshot:
            documents = [snapshot.document(id_) for id_ in some]
            generation = snapshot.generation
        new = [
            NewDocument(
                document=each.document,
                chunks=[*each.chunks, each.chunks[0]],
                vectors=np.concatenate([each.vectors, each.vectors[:1]]),
            )
            for each in ready(*documents)
        ]
        store.stage(new, fingerprint=fingerprint, generation=generation)
    assert store.publish_staged(fingerprint) is not None


def held_rankings() -> HeldRankings:
    return HeldRankings(vectors=lambda: ExactIndex(DIM), lexical=LexicalIndex)


def everything(snapshot: Snapshot) -> np.ndarray:
    return snapshot.chunk_ids(snapshot.matching(Filters()))


def assert_same(stored: Search, held: Search, ids: np.ndarray) -> None:
    """Every list and score is the same to the last bit."""
    others = np.append(ids, [ids.max(initial=0) + 1, 0])
    for question in QUESTIONS:
        vector = FakeEmbedder().embed_question(question)
        for k in (7, 1000):
            assert stored.nearest(vector, k) == held.nearest(vector, k)
        found, expected = stored.relevance(question), held.relevance(question)
        for k in (1, 7, 1000):
            assert found.best(k) == expected.best(k)
        assert found.of(others).tolist() == expected.of(others).tolist()
    assert stored.similarities(vector, ids) == held.similarities(vector, ids)


def assert_agrees(snapshot: Snapshot, held: HeldRankings) -> None:
    """Whatever the filters are, both rankings find the same, and so do whole retrievers."""
    stored = StoredRankings()
    ids = everything(snapshot)
    for filters in FILTERS:
        assert_same(stored.search(snapshot, filters), held.search(snapshot, filters), ids)
        hits = [
            Retriever(embedder=FakeEmbedder(), rankings=rankings).retrieve(
                snapshot, QUESTIONS[3], k=9, filters=filters
            )
            for rankings in (stored, held)
        ]
        assert hits[0] == hits[1]


@pytest.fixture(params=["usual", "small"])
def _limits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that few passages stay below, or go beyond everywhere."""
    if request.param == "small":
        monkeypatch.setattr("rag.store.postgres.segments._CLASSES", (2, 4, 8, 40))
        monkeypatch.setattr("rag.store.postgres.segments._FANOUT", 2)
        monkeypatch.setattr("rag.store.postgres.segments.LARGEST", 50)
        monkeypatch.setattr("rag.store.postgres.searching._SPARE", 1)
        monkeypatch.setattr("rag.retrieval.stored._NARROW", 20)
        monkeypatch.setattr("rag.retrieval.stored._TRIED", 3)


@pytest.mark.usefixtures("_limits")
@pytest.mark.parametrize("seed", range(2))
def test_both_rankings_are_those_of_indexes_in_memory(store: PostgresStore, seed: int) -> None:
    """After every write: ids, order and scores equal, with every filter.

    Writes are of several documents or one, new or replaced, also twice in one write; deletions; and
    new passages for all documents.
    """
    rng = random.Random(seed)
    held = held_rankings()
    present: set[str] = set()
    for step in range(10):
        action = rng.random()
        if present and action < 0.3:
            gone = present.pop()
            store.delete(gone)
        elif step == 7:
            rechunk(store, rng, fingerprint=f"f{seed}")
        else:
            new = [new_document(rng, rng.randint(0, 30)) for _ in range(rng.choice((1, 2, 20)))]
            store.put(new)
            present |= {each.document.id for each in new}
        if step in (3, 6, 9):
            with store.snapshot() as snapshot:
                assert_agrees(snapshot, held)
                snapshot.verify()


def test_nothing_is_found_where_nothing_is(store: PostgresStore) -> None:
    """An empty collection has no hits, nor has one of which all was deleted."""
    stored = StoredRankings()
    vector = FakeEmbedder().embed_question("cat")
    for _ in range(2):
        with store.snapshot() as snapshot:
            search = stored.search(snapshot, Filters())
            assert search.nearest(vector, 5) == []
            assert search.relevance("cat").best(5) == []
            assert search.relevance("cat").of(np.array([1])).tolist() == [0.0]
        (document,) = [make_document("a cat")]
        store.put(ready(document))
        store.delete(document.id)


def test_what_another_store_writes_is_found_at_once(server: Server) -> None:
    """Of two stores of a collection each finds what the other put, and not what it deleted."""
    name = f"search-{next(_NUMBERS)}"
    one, other = (PostgresStore(server, name, fingerprint="f") for _ in range(2))
    stored = StoredRankings()

    def texts(store: PostgresStore) -> list[list[str]]:
        retriever = Retriever(embedder=FakeEmbedder(), rankings=stored)
        with store.snapshot() as snapshot:
            return [
                sorted(
                    hit.chunk.text
                    for hit in retriever.retrieve(
                        snapshot, "cat", k=9, filters=Filters(), mode=mode
                    )
                )
                for mode in ("dense", "lexical")
            ]

    for number in range(3):
        writer, reader = (one, other) if number % 2 else (other, one)
        writer.put(ready(make_document(f"cat {number}", uri=f"file:{number}")))
        expected = [f"cat {each}" for each in range(number + 1)]
        assert texts(reader) == texts(writer) == [expected, expected]
    one.delete(make_document("", uri="file:1").id)
    assert texts(other) == [["cat 0", "cat 2"]] * 2


def test_a_snapshot_is_searched_as_it_was(store: PostgresStore) -> None:
    """What is written while a snapshot is held changes nothing of what is found in it."""
    rng = random.Random(3)
    store.put([new_document(rng, number) for number in range(12)])
    vector = FakeEmbedder().embed_question("cat dog")
    with store.snapshot() as snapshot:
        search = StoredRankings().search(snapshot, Filters())

        def found() -> tuple[object, object]:
            return search.nearest(vector, 9), search.relevance("cat dog").best(9)

        before = found()
        store.put([new_document(rng, number) for number in range(8)])
        store.delete(new_document(rng, 9).document.id)
        assert found() == before
    with store.snapshot() as snapshot:
        search = StoredRankings().search(snapshot, Filters())
        assert found() != before


def test_a_database_that_keeps_nothing_for_searches_is_filled(
    server: Server, database: str
) -> None:
    """A collection of an older version is refused until it was migrated; then it is searched."""
    name = f"search-{next(_NUMBERS)}"
    store = PostgresStore(server, name, fingerprint="f")
    rng = random.Random(6)
    store.put([new_document(rng, number) for number in range(9)])
    store.delete(new_document(rng, 2).document.id)
    store.begin_rechunking("g")
    with store.snapshot() as snapshot:
        generation = snapshot.generation
        documents = [snapshot.document(id_) for id_ in snapshot.matching(Filters())]
    store.stage(ready(*documents[:4]), fingerprint="g", generation=generation)
    with server.writing(store._collection) as connection:
        for table in ("entries", "staged_entries", "segments", "postings", "dead"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608  (this collection's own rows)
        connection.execute(
            "UPDATE collections SET search_recipe = NULL WHERE collection = %s",
            (store._collection,),
        )
    with pytest.raises(StoreError, match="Run rag store migrate"):
        PostgresStore(server, name, fingerprint="f")
    assert migrate(database) == [f"search of {name}"]
    assert migrate(database) == []
    with PostgresStore(server, name, fingerprint="f").snapshot() as snapshot:
        assert_agrees(snapshot, held_rankings())
    store.stage(ready(*documents[4:]), fingerprint="g", generation=generation)
    store.publish_staged("g")
    with store.snapshot() as snapshot:
        assert_agrees(snapshot, held_rankings())


def test_words_that_are_not_those_of_the_passages_are_damage(
    store: PostgresStore, server: Server
) -> None:
    """Where a part of the inverted index is lost no question is answered without it."""
    store.put(ready(make_document("one cat\ntwo dogs")))
    store.put(ready(make_document("a fish", uri="file:b")))
    with server.writing(store._collection) as connection:
        connection.execute("DELETE FROM segments WHERE segment = 1")
    with store.snapshot() as snapshot:
        search = StoredRankings().search(snapshot, Filters())
        with pytest.raises(DamagedStore, match="words of passages are missing"):
            search.relevance("fish")


def test_a_vector_that_was_altered_is_damage(store: PostgresStore, server: Server) -> None:
    """Scores come from verified rows: one that is not as it was written answers nothing."""
    store.put(ready(make_document("one cat\ntwo dogs")))
    with server.writing(store._collection) as connection:
        connection.execute("UPDATE chunks SET vector = set_byte(vector, 2, 7) WHERE id = 2")
    with store.snapshot() as snapshot:
        search = StoredRankings().search(snapshot, Filters())
        with pytest.raises(DamagedStore, match="the passage 2 is not as it was written"):
            search.nearest(FakeEmbedder().embed_question("cat"), 2)


def test_numbers_beyond_those_of_16_bits_are_refused(store: PostgresStore) -> None:
    """A vector that cannot be nominated is not stored; one at the border is found."""
    (new,) = ready(make_document("one cat"))
    with pytest.raises(ValueError, match="no number beyond 65504"):
        store.put([replace(new, vectors=new.vectors * 0 + 65505)])
    large = np.zeros_like(new.vectors)
    large[0, 3] = 65504
    store.put([replace(new, vectors=large)])
    with store.snapshot() as snapshot:
        search = StoredRankings().search(snapshot, Filters())
        assert search.nearest(large[0], 1) == [(1, 65504.0**2)]


ALTERED = {
    "embedding": "UPDATE entries SET embedding = embedding * embedding WHERE id = 2",
    "length": "UPDATE entries SET text_words = text_words + 1 WHERE id = 2",
    "document": "UPDATE entries SET document = 7 WHERE id = 2",
    "lost-entry": "DELETE FROM entries WHERE id = 2",
    "other-stem": "UPDATE postings SET stem = 'cow' WHERE stem = 'cat'",
    "lost-stem": "DELETE FROM postings WHERE stem = 'cat'",
    "other-frequency": "UPDATE postings SET text = set_byte(text, 2, 5) WHERE stem = 'cat'",
    "other-length": "UPDATE postings SET text = set_byte(text, 3, 5) WHERE stem = 'cat'",
    "other-row": "UPDATE postings SET text = set_byte(text, 0, 1) WHERE stem = 'cat'",
}


@pytest.mark.parametrize("statement", ALTERED.values(), ids=ALTERED.keys())
def test_whatever_is_altered_of_what_searches_use_is_noticed(
    store: PostgresStore, server: Server, statement: str
) -> None:
    """A check of everything finds each change of entries and words."""
    store.put(ready(make_document("one cat\ntwo dogs")))
    with store.snapshot() as snapshot:
        snapshot.verify()
    with server.writing(store._collection) as connection:
        assert connection.execute(statement).rowcount == 1
    with store.snapshot() as snapshot, pytest.raises(DamagedStore):
        snapshot.verify()


def test_scores_are_the_same_bits_where_they_are_looked_up(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Postings that are many take their saturation from a table, which changes no bit of it."""
    monkeypatch.setattr("rag.retrieval.stored._MANY", 1)
    rng = random.Random(11)
    store.put([new_document(rng, number) for number in range(40)])
    with store.snapshot() as snapshot:
        assert_agrees(snapshot, held_rankings())
