"""The store: what was put is there, whole, in every generation that has it, and survives a kill."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pytest

from rag.documents import Document, Page, Section
from rag.errors import BrokenFile, NotFound, StaleIndex, StoreError
from rag.store import Filters, NewDocument, Snapshot, Store
from tests.fakes import DIM, FakeEmbedder, chunk_lines, make_document, ready

ROOT = Path(__file__).resolve().parent.parent
EVERYTHING = 10**6


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path, fingerprint="f")
    yield opened
    opened.close()


def rich_document() -> Document:
    text = "# Tête\n𝒜 first line 🐙\r\nsecond e\u0301\n## Part\nthird, שלום\f\n\u2028fourth\n"
    part = text.index("## Part")
    return make_document(
        text,
        uri="file:///tmp/a%20b.md",
        title="Tête 🐙",
        media_type="text/markdown",
        published="2023-11-20",
        sections=[
            Section(start=0, end=part, path=("Tête",)),
            Section(start=part, end=len(text), path=("Tête", "Part")),
        ],
        pages=[Page(start=0, end=part, number=1), Page(start=part, end=len(text), number=2)],
        metadata={"author": "Zoë", "kind of source": 'a "quoted" one', "empty": ""},
    )


def content(snapshot: Snapshot) -> dict[int, tuple[str, str, str, tuple[str, ...], bytes]]:
    """Return all that an index built from nothing would hold: chunk id to its parts."""
    return {
        chunk.id: (chunk.document, chunk.title, chunk.text, chunk.section, row.tobytes())
        for chunks, rows in snapshot.added_since(0)
        for chunk, row in zip(chunks, rows, strict=True)
    }


def dump(path: Path) -> dict[str, list[Any]]:
    """Return every row of every table, by a connection of its own."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema")]
    tables = {}
    for name in names:
        kind = connection.execute("SELECT type FROM sqlite_schema WHERE name = ?", (name,)).get
        if kind == "table" and name != "sqlite_sequence":
            tables[name] = connection.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall()  # noqa: S608
    connection.close()
    return tables


def test_a_reopened_store_gives_back_what_was_put(tmp_path: Path) -> None:
    """Document, chunks and vectors come back equal in every field and every bit."""
    document = rich_document()
    (new,) = ready(document)
    first = Store(tmp_path, fingerprint="f")
    generation = first.put([new])
    first.close()
    second = Store(tmp_path, fingerprint="f")
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


def test_a_summary_says_what_the_document_says(store: Store) -> None:
    """A summary's fields equal the document's, its counts are those of code points and chunks."""
    document = rich_document()
    store.put(ready(document))
    with store.snapshot() as snapshot:
        summary = snapshot.summary(document.id)
        assert [summary] == snapshot.summaries(limit=10)
    for name in ("id", "uri", "title", "media_type", "published", "sha256", "metadata"):
        assert getattr(summary, name) == getattr(document, name), name
    assert summary.characters == len(document.text)
    assert summary.chunks == len(chunk_lines(document)) == 6


def test_summaries_are_paged_in_order_of_their_uri(store: Store) -> None:
    """Pages put together are all documents by uri, whatever the order they were put in."""
    uris = [f"file:{letter}" for letter in "qbzaxm"]
    store.put(ready(*(make_document("text", uri=uri) for uri in uris)))
    with store.snapshot() as snapshot:
        pages = [snapshot.summaries(limit=4, offset=offset) for offset in (0, 4, 8)]
    assert [len(page) for page in pages] == [4, 2, 0]
    assert [summary.uri for page in pages for summary in page] == sorted(uris)


def test_chunks_come_in_the_order_asked_for(store: Store) -> None:
    """`chunks` follows the order of the ids, repetitions included; an unknown id is a KeyError."""
    store.put(ready(make_document("one\ntwo\nthree")))
    with store.snapshot() as snapshot:
        one, two, three = snapshot.chunks(snapshot.chunk_ids([make_document("").id]).tolist())
        assert (one.text, two.text, three.text) == ("one", "two", "three")
        assert snapshot.chunks([three.id, one.id, three.id]) == [three, one, three]
        with pytest.raises(KeyError):
            snapshot.chunks([one.id, 999])


def test_a_held_snapshot_does_not_move(store: Store) -> None:
    """While another thread replaces, adds and deletes, a held snapshot stays the old generation."""
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


def test_a_half_read_iterator_does_not_hold_later_snapshots_back(store: Store) -> None:
    """An `added_since` that is kept unfinished after its snapshot leaves later ones current."""
    store.put(ready(make_document("one\ntwo\nthree")))
    with store.snapshot() as snapshot:
        unfinished = snapshot.added_since(0, batch=1)
        next(unfinished)
    store.put(ready(make_document("four", uri="file:b")))
    with store.snapshot() as snapshot:
        assert snapshot.generation == 2
        assert snapshot.count() == (2, 4)
    with pytest.raises(apsw.CursorClosedError):
        next(unfinished)


def test_a_replacement_is_one_step(store: Store) -> None:
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
                if snapshot.count() != (1, len(chunks)) or len(content(snapshot)) != len(chunks):
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


def test_a_deletion_leaves_nothing(store: Store) -> None:
    """After a deletion no row holds anything of the document but the numbers of its chunks."""
    kept, gone = make_document("kept"), make_document("gone\naway", uri="file:b", title="Secret")
    store.put(ready(gone))
    store.put(ready(kept))
    assert store.delete(gone.id) == 3
    with store.snapshot() as snapshot:
        assert snapshot.matching(Filters()) == [kept.id]
        assert snapshot.chunk_ids([gone.id, kept.id]).tolist() == [3]
        assert snapshot.removed_since(0).tolist() == [1, 2]
        for ask in (snapshot.document, snapshot.summary):
            with pytest.raises(NotFound, match=gone.id):
                ask(gone.id)
    tables = dump(store.path)
    assert tables["removals"] == [(3, 1, 2)]
    assert {row[0] for row in tables["documents"]} == {kept.id}
    assert {row[1] for row in tables["chunks"]} == {kept.id}
    before = dump(store.path)
    with pytest.raises(NotFound, match=gone.id):
        store.delete(gone.id)
    assert dump(store.path) == before


def test_ids_of_deleted_chunks_are_not_used_again(tmp_path: Path) -> None:
    """A chunk's id stays its own after its deletion, also when the highest one was deleted."""
    document = make_document("one\ntwo")
    for _ in range(3):
        store = Store(tmp_path, fingerprint="f")
        store.put(ready(document))
        with store.snapshot() as snapshot:
            last = snapshot.chunk_ids([document.id]).tolist()
        store.delete(document.id)
        store.close()
    assert last == [5, 6]


def bad(change: Callable[[NewDocument], NewDocument]) -> Callable[[], Iterator[NewDocument]]:
    """Return what gives a good document, a replacement of the stored one, and a spoilt one."""

    def documents() -> Iterator[NewDocument]:
        yield from ready(make_document("good", uri="file:good"))
        yield from ready(make_document("replaced", uri="file:a.txt"))
        (new,) = ready(make_document("one\ntwo", uri="file:bad"))
        yield change(new)

    return documents


def with_chunk(new: NewDocument, **fields: Any) -> NewDocument:
    return replace(new, chunks=[replace(new.chunks[0], **fields), *new.chunks[1:]])


def stops(_: NewDocument) -> NewDocument:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("documents", "error"),
    [
        pytest.param(
            bad(lambda n: replace(n, vectors=n.vectors[:1])), ValueError, id="too-few-vectors"
        ),
        pytest.param(
            bad(lambda n: replace(n, chunks=n.chunks[:1])), ValueError, id="too-many-vectors"
        ),
        pytest.param(
            bad(lambda n: replace(n, vectors=n.vectors[:, :8])), ValueError, id="other-dimension"
        ),
        pytest.param(
            bad(lambda n: replace(n, vectors=n.vectors.astype(np.float64))),
            ValueError,
            id="float64",
        ),
        pytest.param(bad(lambda n: replace(n, vectors=n.vectors * np.nan)), ValueError, id="nan"),
        pytest.param(bad(lambda n: with_chunk(n, text="oen")), ValueError, id="not-its-slice"),
        pytest.param(bad(lambda n: with_chunk(n, start=1)), ValueError, id="other-offsets"),
        pytest.param(
            bad(lambda n: with_chunk(n, start=-7, end=-4, text="one")), ValueError, id="negative"
        ),
        pytest.param(
            bad(lambda n: with_chunk(n, start=0, end=0, text="")), ValueError, id="empty-chunk"
        ),
        pytest.param(bad(stops), ZeroDivisionError, id="iterable-raises"),
        pytest.param(
            bad(lambda n: replace(n, document=replace(n.document, uri="file:good"))),
            StoreError,
            id="uri-of-another-id",
        ),
    ],
)
def test_a_failing_put_changes_nothing(
    store: Store, documents: Callable[[], Iterator[NewDocument]], error: type[Exception]
) -> None:
    """An error at the last document of a put leaves every table as it was, and the next put works.

    The documents before it, of which one replaces a stored one, are not there either.
    """
    store.put(ready(make_document("stored")))
    before = dump(store.path)
    with pytest.raises(error):
        store.put(documents())
    assert dump(store.path) == before
    assert store.put(ready(make_document("next", uri="file:next"))) == 2


@pytest.mark.parametrize("evil", [pytest.param("\0", id="nul"), pytest.param("\ud83d", id="half")])
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("text", lambda evil: {"text": f"one {evil}\ntwo"}),
        ("title", lambda evil: {"title": evil}),
        ("uri", lambda evil: {"uri": f"file:{evil}"}),
        ("headings", lambda evil: {"sections": [Section(start=0, end=9, path=("a", evil))]}),
        ("metadata", lambda evil: {"metadata": {"key": evil}}),
        ("metadata", lambda evil: {"metadata": {evil: "value"}}),
    ],
)
def test_what_cannot_be_stored_is_refused_by_name(
    store: Store, evil: str, name: str, change: Callable[[str], dict[str, Any]]
) -> None:
    """A NUL or a lone surrogate anywhere in a document is refused, naming where; nothing is put."""
    document = make_document(**{"text": "one\ntwo", "uri": "file:evil", **change(evil)})
    new = NewDocument(document=document, chunks=[], vectors=np.empty((0, DIM), np.float32))
    before = dump(store.path)
    with pytest.raises(BrokenFile, match=rf"^the {name} of 'file:.*NUL or a lone surrogate"):
        store.put([*ready(make_document("good")), new])
    assert dump(store.path) == before


@pytest.mark.parametrize("evil", ["\ud800", "a\0", "a\udfffb"])
def test_text_that_cannot_be_stored_equals_nothing_that_is(store: Store, evil: str) -> None:
    """Asking for an id or a value with a lone surrogate or a NUL finds nothing, without failing."""
    document = make_document("text", metadata={"a": "b"})
    store.put(ready(document))
    with store.snapshot() as snapshot:
        with pytest.raises(NotFound):
            snapshot.document(evil)
        assert snapshot.chunk_ids([evil, document.id]).tolist() == [1]
        assert snapshot.matching(Filters(documents=(evil, document.id))) == [document.id]
        for filters in (
            Filters(documents=(evil,)),
            Filters(media_types=(evil,)),
            Filters(published_from=evil),
            Filters(published_to=evil),
            Filters(metadata=((evil, "b"),)),
            Filters(metadata=(("a", evil),)),
        ):
            assert snapshot.matching(filters) == []
    with pytest.raises(NotFound):
        store.delete(evil)


def test_changes_since_any_generation_lead_to_the_present(store: Store) -> None:
    """What an index held at any generation, less the removed, plus the added, is what is there.

    The writes are random: added, replaced and deleted documents, several in one put, some twice.
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
            assert {id_: snapshot.document(id_) for id_ in snapshot.matching(Filters())} == stored
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


def test_filters_mean_what_plain_python_means_by_them(store: Store) -> None:
    """For random documents and filters `matching` gives what a loop over all documents gives."""
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


def test_filters_know_whether_they_let_all_pass() -> None:
    """Only filters without any condition are empty; a list of no documents is a condition."""
    assert Filters().empty
    assert not Filters(documents=()).empty
    assert not Filters(metadata=(("a", ""),)).empty


def test_two_stores_on_one_directory_see_each_other(tmp_path: Path) -> None:
    """What one writes the other reads at once, and both count generations together."""
    one, two = Store(tmp_path, fingerprint="f"), Store(tmp_path, fingerprint="f")
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


def test_threads_writing_at_once_lose_nothing(tmp_path: Path) -> None:
    """Puts of several threads through two stores each get a generation of their own."""
    stores = [Store(tmp_path, fingerprint="f") for _ in range(2)]
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


def test_an_index_of_other_settings_is_refused(tmp_path: Path) -> None:
    """Another fingerprint is refused, naming both, and the store is still good for its own."""
    store = Store(tmp_path, fingerprint="minilm/200")
    store.put(ready(make_document("text")))
    store.close()
    with pytest.raises(StaleIndex, match=r"built with minilm/200.*in force are other/100"):
        Store(tmp_path, fingerprint="other/100")
    again = Store(tmp_path, fingerprint="minilm/200")
    with again.snapshot() as snapshot:
        assert snapshot.count() == (1, 1)
    again.close()


def test_an_index_of_another_format_is_refused(tmp_path: Path) -> None:
    """A format this version does not know is refused, naming it, and not altered."""
    store = Store(tmp_path, fingerprint="f")
    store.close()
    connection = apsw.Connection(str(store.path))
    connection.execute("UPDATE meta SET value = '99' WHERE key = 'format'")
    connection.close()
    before = dump(store.path)
    with pytest.raises(StaleIndex, match="has format 99"):
        Store(tmp_path, fingerprint="f")
    assert dump(store.path) == before


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    """Something else under the store's name is refused, naming it, and keeps its bytes."""
    path = tmp_path / "store.sqlite"
    data = b"A letter to my aunt, not a database.\n" * 100
    path.write_bytes(data)
    with pytest.raises(StoreError, match=r"store\.sqlite cannot be opened"):
        Store(tmp_path, fingerprint="f")
    assert path.read_bytes() == data


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    """A database with other tables under the store's name is refused and keeps its rows."""
    connection = apsw.Connection(str(tmp_path / "store.sqlite"))
    connection.execute("CREATE TABLE letters (text); INSERT INTO letters VALUES ('Dear aunt')")
    connection.close()
    with pytest.raises(StoreError, match=r"store\.sqlite cannot be opened"):
        Store(tmp_path, fingerprint="f")
    assert dump(tmp_path / "store.sqlite") == {"letters": [("Dear aunt",)]}


def test_a_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    """Where a file stands in the way of the directory, the error names the store's path."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"file/store\.sqlite cannot be opened"):
        Store(tmp_path / "file", fingerprint="f")


def test_every_connection_writes_through_to_the_disk(store: Store) -> None:
    """The journal is WAL and `synchronous` FULL (2), read back, for writing and for reading."""
    with store.snapshot() as snapshot:
        connections = [store._writer, snapshot._connection]
        for connection in connections:
            assert connection.execute("PRAGMA journal_mode").get == "wal"
            assert connection.execute("PRAGMA synchronous").get == 2


CHILD = """
import sys
from pathlib import Path
from rag.store import Store
from tests.fakes import make_document, ready

store = Store(Path(sys.argv[1]), fingerprint="f")
first = int(sys.argv[2])
for n in range(first, first + 100_000):
    text = "\\n".join(f"document {n} line {line}" for line in range(20))
    store.put(ready(make_document(text, uri=f"file:{n}")))
    print(n, flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system cannot kill like that")
def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """After each of three kills amid writing, all acknowledged documents are there, whole.

    At most the one that was being written is there besides, and it is whole too.
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    following = 0
    for acknowledged in (3, 7, 12):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path), str(following)],
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        assert child.stdout is not None
        seen = [int(child.stdout.readline()) for _ in range(acknowledged)]
        child.send_signal(signal.SIGKILL)
        seen += [int(line) for line in child.stdout.read().splitlines()]
        child.stdout.close()
        assert child.wait(timeout=30) == -signal.SIGKILL
        store = Store(tmp_path, fingerprint="f")
        assert store._writer.execute("PRAGMA integrity_check").get == "ok"
        with store.snapshot() as snapshot:
            documents, chunks = snapshot.count()
            assert seen == list(range(following, following + len(seen)))
            assert documents - (following + len(seen)) in {0, 1}
            assert snapshot.generation == documents
            assert chunks == 20 * documents
            texts = [parts[2] for _, parts in sorted(content(snapshot).items())]
        expected = [f"document {n} line {line}" for n in range(documents) for line in range(20)]
        assert texts == expected
        store.close()
        following = documents


def test_the_fake_embedder_puts_texts_of_shared_words_close() -> None:
    """Rows are unit, equal for equal words, and closer the more words are shared."""
    rows = FakeEmbedder().embed_passages(["red green blue", "blue, red GREEN", "red one two", "x"])
    similarity = rows @ rows[0]
    assert np.allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-6)
    assert np.array_equal(rows[0], rows[1])
    assert similarity[1] > similarity[2] > similarity[3]
