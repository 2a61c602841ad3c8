"""What was put is there, whole, in every generation that has it."""

import random
import threading
import unicodedata
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from rag.errors import NotFound
from rag.store import Filters, Store
from tests.fakes import chunk_lines, make_document, ready
from tests.store.conformance.opening import Place, content, everything
from tests.store.rich import rich_document


class Contents:
    """What was put is there, whole, in every generation that has it.

    `ended` is what reading from a snapshot raises after it has ended.
    """

    ended: ClassVar[type[Exception]]

    @pytest.fixture
    def store(self, place: Place) -> Store:
        """An empty store."""
        return place()

    def test_a_reopened_store_gives_back_what_was_put(self, place: Place) -> None:
        """Document, chunks and vectors come back equal in every field and every bit."""
        document = rich_document()
        (new,) = ready(document)
        first = place()
        generation = first.put([new])
        first.close()
        second = place()
        with second.snapshot() as snapshot:
            assert snapshot.generation == generation == 1
            assert snapshot.document(document.id) == document
            ids = snapshot.chunk_ids([document.id]).tolist()
            stored = snapshot.chunks(ids)
            assert [replace(chunk, id=0) for chunk in stored] == list(new.chunks)
            assert [chunk.id for chunk in stored] == ids
            ((added, vectors),) = snapshot.added_since(0)
            assert [chunk.id for chunk in added] == ids
            assert [(c.title, c.section, c.text) for c in added] == [
                (document.title, c.section, c.text) for c in new.chunks
            ]
            assert vectors.dtype == np.float32
            assert vectors.tobytes() == new.vectors.tobytes()
            assert snapshot.versions() == {document.uri: document.sha256}
            assert snapshot.count() == (1, len(new.chunks))
        second.close()

    def test_a_summary_says_what_the_document_says(self, store: Store) -> None:
        """A summary's fields equal the document's; it counts code points and chunks."""
        document = rich_document()
        store.put(ready(document))
        with store.snapshot() as snapshot:
            summary = snapshot.summary(document.id)
            assert [summary] == snapshot.summaries(limit=10)
        for name in ("id", "uri", "title", "media_type", "published", "sha256", "metadata"):
            assert getattr(summary, name) == getattr(document, name), name
        assert summary.characters == len(document.text)
        assert summary.chunks == len(chunk_lines(document)) == 6

    def test_summaries_are_paged_in_order_of_their_uri(self, store: Store) -> None:
        """Pages put together are all documents by uri, whatever the order they were put in."""
        uris = [f"file:{letter}" for letter in "qbzaxm"]
        store.put(ready(*(make_document("text", uri=uri) for uri in uris)))
        with store.snapshot() as snapshot:
            pages = [snapshot.summaries(limit=4, offset=offset) for offset in (0, 4, 8)]
        assert [len(page) for page in pages] == [4, 2, 0]
        assert [summary.uri for page in pages for summary in page] == sorted(uris)

    @pytest.mark.parametrize(
        ("search", "found"),
        [
            ("", [*range(8)]),
            ("STRASSE", [0, 1]),
            ("strasse", [0, 1]),
            ("straße", [0, 1]),
            ("ΌΣΟΣ", [2]),
            ("ﬁsh", [3]),
            ("Fish", [3]),
            ("e\u0301clair", [4]),
            ("\u00e9CLAIR", [4]),
            ("100%", [5]),
            ("_", [6]),
            ("file:7", [7]),
            ("a.txt\nstrasse", []),
            ("nowhere", []),
            ("\0", []),
            ("\ud800", []),
        ],
    )
    def test_a_search_finds_titles_and_uris_whatever_their_case(
        self, store: Store, search: str, found: list[int]
    ) -> None:
        """Case and form of letters do not matter, and no sign has a meaning of its own."""
        titles = ["Straße", "STRASSE", "όσος", "fish", "\u00e9clair", "100 %, 100%", "a_b", "plain"]
        store.put(
            ready(*(make_document("x", uri=f"file:{n}", title=t) for n, t in enumerate(titles)))
        )
        with store.snapshot() as snapshot:
            listed = [summary.uri for summary in snapshot.summaries(limit=9, search=search)]
            assert snapshot.count_containing(search) == len(found)
        assert listed == [f"file:{n}" for n in found]

    def test_a_search_finds_what_plain_python_finds(self, store: Store) -> None:
        """Over 60 made up titles, replaced and deleted ones among them, page by page."""
        draw = random.Random(7)
        titles = {}
        for _ in range(80):
            uri = f"file:{draw.randrange(60)}"
            titles[uri] = "".join(draw.choices("aAßſKk\u212aéE\u0301İi\u0307ﬀfF ½", k=5))
            store.put(ready(make_document("x", uri=uri, title=titles[uri])))
        gone = min(titles)
        store.delete(make_document("x", uri=gone).id)
        del titles[gone]

        def plain(text: str) -> str:
            composed = unicodedata.normalize("NFKC", text).casefold()
            return unicodedata.normalize("NFKC", composed)

        with store.snapshot() as snapshot:
            for wanted in ("k", "SS", "É", "i\u0307", "FF", "1⁄2", "aa", " ", "Es"):
                expected = sorted(uri for uri, t in titles.items() if plain(wanted) in plain(t))
                pages = [
                    [one.uri for one in snapshot.summaries(limit=7, offset=at, search=wanted)]
                    for at in range(0, len(titles), 7)
                ]
                assert [uri for page in pages for uri in page] == expected, wanted
                assert snapshot.count_containing(wanted) == len(expected)

    def test_chunks_come_in_the_order_asked_for(self, store: Store) -> None:
        """`chunks` follows the order of the ids, with repetitions; an unknown id is a KeyError."""
        store.put(ready(make_document("one\ntwo\nthree")))
        with store.snapshot() as snapshot:
            one, two, three = snapshot.chunks(snapshot.chunk_ids([make_document("").id]).tolist())
            assert (one.text, two.text, three.text) == ("one", "two", "three")
            assert snapshot.chunks([three.id, one.id, three.id]) == [three, one, three]
            with pytest.raises(KeyError):
                snapshot.chunks([one.id, 999])

    def test_a_held_snapshot_does_not_move(self, store: Store) -> None:
        """While another thread replaces, adds and deletes, a held snapshot stays as it was."""
        old = make_document("old text", uri="file:a")
        gone = make_document("gone soon", uri="file:b")
        store.put(ready(old, gone))

        def write() -> None:
            store.put(ready(make_document("new text", uri="file:a")))
            store.put(ready(make_document("another", uri="file:c")))
            store.delete(gone.id)

        with store.snapshot() as snapshot:
            before = content(snapshot)
            writer = threading.Thread(target=write)
            writer.start()
            writer.join(timeout=30)
            assert not writer.is_alive()
            assert snapshot.generation == 1
            assert content(snapshot) == before
            assert snapshot.document(old.id) == old
            assert snapshot.document(gone.id) == gone
            assert snapshot.count() == (2, 2)
            assert snapshot.removed_since(0).tolist() == []
        with store.snapshot() as snapshot:
            assert snapshot.generation == 4
            assert snapshot.document(old.id).text == "new text"
            assert snapshot.count() == (2, 2)

    def test_a_half_read_iterator_does_not_hold_later_snapshots_back(self, store: Store) -> None:
        """An `added_since` that is kept unfinished after its snapshot leaves later ones current."""
        store.put(ready(make_document("one\ntwo\nthree")))
        with store.snapshot() as snapshot:
            unfinished = snapshot.added_since(0, batch=1)
            next(unfinished)
        store.put(ready(make_document("four", uri="file:b")))
        with store.snapshot() as snapshot:
            assert snapshot.generation == 2
            assert snapshot.count() == (2, 4)
        with pytest.raises(self.ended):
            next(unfinished)

    def test_a_replacement_is_one_step(self, store: Store) -> None:
        """A reader sees one version of a document at any time: its text and exactly its chunks."""
        versions = [make_document(f"version {n}\n" * (n % 3 + 1)) for n in range(30)]
        store.put(ready(versions[0]))
        wrong: list[str] = []
        seen = set()
        done = threading.Event()

        def read() -> None:
            last = False
            while not last:
                last = done.is_set()
                with store.snapshot() as snapshot:
                    document = snapshot.document(versions[0].id)
                    chunks = snapshot.chunks(snapshot.chunk_ids([document.id]).tolist())
                    if [replace(chunk, id=0) for chunk in chunks] != chunk_lines(document):
                        wrong.append(document.text)
                    if snapshot.count() != (1, len(chunks)) or len(content(snapshot)) != len(
                        chunks
                    ):
                        wrong.append(f"{snapshot.count()}")
                    seen.add(document.text)

        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        for version in versions[1:]:
            store.put(ready(version))
        done.set()
        for reader in readers:
            reader.join(timeout=30)
        assert wrong == []
        assert versions[-1].text in seen <= {version.text for version in versions}

    def test_ids_of_deleted_chunks_are_not_used_again(self, place: Place) -> None:
        """A chunk's id stays its own after its deletion, also when the highest one was deleted."""
        document = make_document("one\ntwo")
        for _ in range(3):
            store = place()
            store.put(ready(document))
            with store.snapshot() as snapshot:
                last = snapshot.chunk_ids([document.id]).tolist()
            store.delete(document.id)
            store.close()
        assert last == [5, 6]

    def test_two_stores_of_one_collection_see_each_other(self, place: Place) -> None:
        """What one writes the other reads at once, and both count generations together."""
        one, two = place(), place()
        a, b = make_document("a", uri="file:a"), make_document("b", uri="file:b")
        assert one.put(ready(a)) == 1
        assert two.put(ready(b)) == 2
        for store in (one, two):
            with store.snapshot() as snapshot:
                assert snapshot.generation == 2
                assert snapshot.document(a.id) == a
                assert snapshot.document(b.id) == b
        assert two.delete(a.id) == 3
        with one.snapshot() as snapshot:
            assert snapshot.matching(Filters()) == [b.id]
            assert snapshot.removed_since(2).tolist() == [1]
        one.close()
        two.close()

    def test_threads_writing_at_once_lose_nothing(self, place: Place) -> None:
        """Puts of several threads through two stores each get a generation of their own."""
        stores = [place() for _ in range(2)]
        generations: list[int] = []

        def write(writer: int) -> None:
            for n in range(10):
                document = make_document(f"{writer} {n}", uri=f"file:{writer}/{n}")
                generations.append(stores[writer % 2].put(ready(document)))

        threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        assert sorted(generations) == list(range(1, 41))
        with stores[0].snapshot() as snapshot:
            texts = {parts[2] for parts in content(snapshot).values()}
        assert texts == {f"{writer} {n}" for writer in range(4) for n in range(10)}
        for store in stores:
            store.close()

    def test_a_deletion_leaves_nothing(self, store: Store) -> None:
        """A deleted document is found by nothing; the next one's chunks have ids of their own."""
        kept, gone = make_document("kept"), make_document("gone\naway", uri="file:b")
        store.put(ready(gone))
        store.put(ready(kept))
        assert store.delete(gone.id) == 3
        with store.snapshot() as snapshot:
            assert snapshot.matching(Filters()) == [kept.id]
            assert snapshot.chunk_ids([gone.id, kept.id]).tolist() == [3]
            assert snapshot.removed_since(1).tolist() == [1, 2]
            assert snapshot.removed_since(3).tolist() == []
            assert snapshot.versions() == {kept.uri: kept.sha256}
            for ask in (snapshot.document, snapshot.summary):
                with pytest.raises(NotFound, match=gone.id):
                    ask(gone.id)
            with pytest.raises(KeyError):
                snapshot.chunks([1])
        before = everything(store)
        with pytest.raises(NotFound, match=gone.id):
            store.delete(gone.id)
        assert everything(store) == before

    def test_collections_do_not_see_each_other(self, place: Place) -> None:
        """The same document in two collections is two, each with its own changes."""
        one, other = place("one"), place("other")
        document = make_document("shared\ntext")
        for store in (one, other):
            store.put(ready(document))
        before = everything(other)
        one.put(ready(make_document("changed"), make_document("more", uri="file:more")))
        assert everything(other) == before
        assert other.delete(document.id) == 2
        with one.snapshot() as snapshot:
            assert snapshot.document(document.id).text == "changed"
            assert snapshot.count() == (2, 2)
            assert snapshot.identity != before["identity"]
