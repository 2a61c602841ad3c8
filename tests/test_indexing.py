"""The write path: what is reported is stored, what is stored is left alone, failures are named."""

import hashlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import rag.indexing
from rag.chunks import Chunk
from rag.documents import Document
from rag.errors import BrokenFile, NoText
from rag.indexing import Failed, File, Indexed, Indexer, Unchanged
from rag.store import SqliteStore, Store
from tests.fakes import FakeEmbedder, InProcessParser, chunk_lines, make_document


class CountingEmbedder(FakeEmbedder):
    """Remembers how many texts each call had."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def embed_passages(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Embed, and count."""
        self.calls.append(len(texts))
        return super().embed_passages(texts)


def own_text(_: Document, chunk: Chunk) -> str:
    """Embed a chunk as what it says."""
    return chunk.text


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = SqliteStore(tmp_path / "index", fingerprint="f")
    yield opened
    opened.close()


@pytest.fixture
def embedder() -> CountingEmbedder:
    return CountingEmbedder()


@pytest.fixture
def parser() -> InProcessParser:
    return InProcessParser()


@pytest.fixture
def indexer(store: Store, embedder: CountingEmbedder, parser: InProcessParser) -> Indexer:
    return Indexer(store, embedder=embedder, parser=parser, chunk=chunk_lines, passage=own_text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "files"
    path.mkdir()
    return path


def file(path: Path) -> File:
    return File(path=path, uri=f"file:{path.name}")


def stored_texts(store: Store) -> dict[str, str]:
    with store.snapshot() as snapshot:
        return {s.uri: snapshot.document(s.id).text for s in snapshot.summaries(limit=1000)}


def test_documents_are_added_left_alone_and_replaced(store: Store, indexer: Indexer) -> None:
    """New bytes are added, the same bytes left alone, other bytes under the uri replace the old."""
    a, b = make_document("a", uri="file:a"), make_document("b\nb", uri="file:b")
    assert list(indexer.add([a, b])) == [
        Indexed(document=a, status="added", chunks=1, generation=1),
        Indexed(document=b, status="added", chunks=2, generation=1),
    ]
    changed = make_document("a changed", uri="file:a")
    assert list(indexer.add([b, changed])) == [
        Indexed(document=b, status="unchanged", chunks=0, generation=1),
        Indexed(document=changed, status="replaced", chunks=1, generation=2),
    ]
    assert stored_texts(store) == {"file:a": "a changed", "file:b": "b\nb"}


def test_vectors_are_those_of_their_own_chunks(store: Store, indexer: Indexer) -> None:
    """In a group of documents of unequal lengths each chunk has the vector of its own text."""
    documents = [
        make_document("\n".join(f"text {n} {line}" for line in range(n + 1)), uri=f"file:{n}")
        for n in range(9)
    ]
    list(indexer.add(documents))
    with store.snapshot() as snapshot:
        ((chunks, rows),) = snapshot.added_since(0)
    assert len(chunks) == 45
    assert np.array_equal(rows, FakeEmbedder().embed_passages([c.text for c in chunks]))


def test_documents_are_embedded_and_stored_in_groups(
    store: Store,
    indexer: Indexer,
    embedder: CountingEmbedder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A group is closed at the document that reaches its size; each group is one generation.

    With groups of 5 chunks, documents of 2 make groups of 6, 6 and 2.
    """
    monkeypatch.setattr(rag.indexing, "CHUNKS_A_GROUP", 5)
    documents = [make_document(f"a {n}\nb {n}", uri=f"file:{n}") for n in range(7)]
    generations = [indexed.generation for indexed in indexer.add(documents)]
    assert generations == [1, 1, 1, 2, 2, 2, 3]
    assert embedder.calls == [6, 6, 2]
    assert len(stored_texts(store)) == 7


def test_a_document_is_on_disk_when_it_is_reported(
    store: Store, indexer: Indexer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever stops after a report finds what was reported, and nothing of later groups."""
    monkeypatch.setattr(rag.indexing, "CHUNKS_A_GROUP", 2)
    outcomes = indexer.add(make_document(f"text {n}", uri=f"file:{n}") for n in range(6))
    assert next(outcomes).document.uri == "file:0"
    assert set(stored_texts(store)) == {"file:0", "file:1"}


def test_the_same_uri_twice_in_one_call_ends_with_the_last(store: Store, indexer: Indexer) -> None:
    """Two versions under one uri in one group are an addition and its replacement."""
    old, new = make_document("old", uri="file:a"), make_document("new", uri="file:a")
    assert [indexed.status for indexed in indexer.add([old, new])] == ["added", "replaced"]
    assert stored_texts(store) == {"file:a": "new"}
    with store.snapshot() as snapshot:
        assert snapshot.count() == (1, 1)


def test_a_document_without_chunks_is_refused(store: Store, indexer: Indexer) -> None:
    """White space only is NoText, naming the document, and nothing of the call is stored."""
    with pytest.raises(NoText, match="file:blank holds nothing but white space"):
        list(indexer.add([make_document("a"), make_document(" \n ", uri="file:blank")]))
    assert stored_texts(store) == {}


def test_a_document_that_cannot_be_stored_is_refused(store: Store, indexer: Indexer) -> None:
    """A lone surrogate in a title is BrokenFile before anything is embedded or stored."""
    with pytest.raises(BrokenFile, match="the title of"):
        list(indexer.add([make_document("a", title="\udc80")]))
    assert stored_texts(store) == {}


def test_files_that_fail_are_reported_and_the_others_go_in(
    store: Store, indexer: Indexer, folder: Path
) -> None:
    """Each failure names its file and reason, whatever kind it is; every good file is stored."""
    contents = {
        "a.txt": b"good a",
        "empty.txt": b"",
        "blank.txt": b" \n\n",
        "picture.png": b"\x89PNG\r\n\x1a\n",
        "z.txt": b"good z",
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    (folder / "folder.txt").mkdir()
    names = [*contents, "missing.txt", "folder.txt"]
    names.sort(key=lambda name: name == "z.txt")
    outcomes = list(indexer.add_files(file(folder / name) for name in names))
    failed = {o.file.path.name: o.reason for o in outcomes if isinstance(o, Failed)}
    assert set(failed) == set(names) - {"a.txt", "z.txt"}
    assert "0 bytes" in failed["empty.txt"]
    assert "white space" in failed["blank.txt"]
    assert ".png" in failed["picture.png"]
    assert "No such file" in failed["missing.txt"]
    assert "Is a directory" in failed["folder.txt"]
    added = [o.document.uri for o in outcomes if isinstance(o, Indexed)]
    assert added == ["file:a.txt", "file:z.txt"]
    assert stored_texts(store) == {"file:a.txt": "good a", "file:z.txt": "good z"}


def test_a_file_that_the_chunker_or_the_store_refuses_fails_alone(
    store: Store, embedder: CountingEmbedder, folder: Path
) -> None:
    """What fails after a file was read is reported like what fails in reading it."""

    def chunk(document: Document) -> list[Chunk]:
        return [] if "nothing" in document.text else chunk_lines(document)

    for name, text in {"a.txt": "good a", "b.txt": "nothing", "c.txt": "c", "d.txt": "d"}.items():
        (folder / name).write_text(text)
    files = [file(folder / name) for name in ("a.txt", "b.txt", "d.txt")]
    files.insert(2, File(path=folder / "c.txt", uri="file:\udcff.txt"))
    indexer = Indexer(
        store, embedder=embedder, parser=InProcessParser(), chunk=chunk, passage=own_text
    )
    outcomes = list(indexer.add_files(files))
    failed = [(o.file, o.reason) for o in outcomes if isinstance(o, Failed)]
    assert [file for file, _ in failed] == files[1:3]
    assert "nothing but white space" in failed[0][1]
    assert "lone surrogate" in failed[1][1]
    assert set(stored_texts(store)) == {"file:a.txt", "file:d.txt"}


def test_unchanged_files_are_not_parsed_again(
    indexer: Indexer,
    embedder: CountingEmbedder,
    parser: InProcessParser,
    folder: Path,
) -> None:
    """A second run reads the bytes, and parses and embeds only the file that changed."""
    files = [file(folder / name) for name in ("a.txt", "b.txt", "c.txt")]
    for item in files:
        item.path.write_text(f"text of {item.uri}")
    assert [o.status for o in indexer.add_files(files) if isinstance(o, Indexed)] == ["added"] * 3
    files[1].path.write_text("changed")
    parser.parsed.clear()
    embedder.calls.clear()
    unchanged, indexed, also_unchanged = sorted(
        indexer.add_files(files),
        key=lambda o: o.document.uri if isinstance(o, Indexed) else o.file.uri,
    )
    assert (unchanged, also_unchanged) == (Unchanged(file=files[0]), Unchanged(file=files[2]))
    assert isinstance(indexed, Indexed)
    assert (indexed.document.text, indexed.status, indexed.generation) == ("changed", "replaced", 2)
    assert indexed.document.sha256 == hashlib.sha256(b"changed").hexdigest()
    assert parser.parsed == ["b.txt"]
    assert embedder.calls == [1]
    assert list(indexer.add_files(files)) == [Unchanged(file=item) for item in files]


def test_the_next_file_is_read_while_one_is_stored(
    store: Store, embedder: CountingEmbedder, folder: Path
) -> None:
    """When the first file is cut, the second is being read; no file beyond it is."""
    reading = threading.Event()
    begun: list[str] = []

    class Waiting(InProcessParser):
        def read(self, data: bytes, *, name: str, uri: str) -> list[Document]:
            begun.append(name)
            if name == "b.txt":
                reading.set()
            return super().read(data, name=name, uri=uri)

    def chunk(document: Document) -> list[Chunk]:
        if document.text == "a":
            assert reading.wait(10)
            assert begun == ["a.txt", "b.txt"]
        return chunk_lines(document)

    indexer = Indexer(store, embedder=embedder, parser=Waiting(), chunk=chunk, passage=own_text)
    for name in "abcd":
        (folder / f"{name}.txt").write_text(name)
    outcomes = list(indexer.add_files(file(folder / f"{name}.txt") for name in "abcd"))
    assert [o.document.text for o in outcomes if isinstance(o, Indexed)] == ["a", "b", "c", "d"]


def test_a_file_too_large_for_the_parser_is_not_loaded_whole(
    store: Store, embedder: CountingEmbedder, folder: Path
) -> None:
    """The parser sees one byte more than it takes, enough to refuse the file."""
    seen: list[int] = []

    class Small(InProcessParser):
        largest = 10

        def read(self, data: bytes, *, name: str, uri: str) -> list[Document]:
            seen.append(len(data))
            raise BrokenFile(f"{name} at {uri} is too large")

    indexer = Indexer(store, embedder=embedder, parser=Small(), chunk=chunk_lines, passage=own_text)
    (folder / "a.txt").write_text("a" * 5000)
    (failed,) = indexer.add_files([file(folder / "a.txt")])
    assert isinstance(failed, Failed)
    assert "too large" in failed.reason
    assert seen == [11]


def test_a_file_of_records_is_a_document_a_record(
    store: Store, indexer: Indexer, folder: Path
) -> None:
    """Of a JSON Lines file only records whose line changed are embedded again."""
    path = folder / "r.jsonl"
    path.write_text('{"id": "one", "text": "first"}\n{"id": "two", "text": "second"}\n')
    statuses = [o.status for o in indexer.add_files([file(path)]) if isinstance(o, Indexed)]
    assert statuses == ["added", "added"]
    path.write_text('{"id": "one", "text": "first"}\n{"id": "two", "text": "other"}\n')
    outcomes = {
        o.document.uri: o.status for o in indexer.add_files([file(path)]) if isinstance(o, Indexed)
    }
    assert outcomes == {"file:r.jsonl#one": "unchanged", "file:r.jsonl#two": "replaced"}
    texts = stored_texts(store)
    assert "other" in texts["file:r.jsonl#two"]


def test_documents_that_are_added_together_are_one_generation(
    store: Store, indexer: Indexer, embedder: CountingEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One transaction however many groups are embedded; progress is told before each group."""
    monkeypatch.setattr(rag.indexing, "CHUNKS_A_GROUP", 2)
    told: list[tuple[int, int]] = []
    documents = [make_document("a\nb\nc", uri="file:a"), make_document("d\ne", uri="file:b")]
    done = indexer.add_together(documents, progress=lambda *numbers: told.append(numbers))
    assert [(i.status, i.chunks, i.generation) for i in done] == [("added", 3, 1), ("added", 2, 1)]
    assert told == [(0, 5), (2, 5), (4, 5)]
    assert embedder.calls == [2, 2, 1]
    with store.snapshot() as snapshot:
        ids = snapshot.chunk_ids([document.id for document in documents]).tolist()
        assert [chunk.text for chunk in snapshot.chunks(ids)] == ["a", "b", "c", "d", "e"]
        for (chunks, rows), expected in zip(snapshot.added_since(0), ["abcde"], strict=True):
            texts = "".join(chunk.text for chunk in chunks)
            assert texts == expected
            np.testing.assert_array_equal(rows, FakeEmbedder().embed_passages(list(expected)))


def test_of_documents_added_together_the_known_are_left_alone(
    store: Store, indexer: Indexer, embedder: CountingEmbedder
) -> None:
    """The same bytes are unchanged, others under the uri replace; of two in one call the last."""
    same, old = make_document("same", uri="file:a"), make_document("old", uri="file:b")
    indexer.add_together([same, old])
    newer, newest = (make_document(text, uri="file:b") for text in ("newer", "newest"))
    done = indexer.add_together([same, newer, newest])
    assert [i.status for i in done] == ["unchanged", "replaced", "replaced"]
    assert stored_texts(store) == {"file:a": "same", "file:b": "newest"}
    calls = list(embedder.calls)
    assert [i.generation for i in indexer.add_together([same, newest])] == [2, 2]
    assert embedder.calls == calls


@pytest.mark.parametrize("error", [NoText, BrokenFile, KeyboardInterrupt])
def test_documents_that_are_added_together_go_in_all_or_none(
    store: Store, indexer: Indexer, error: type[BaseException]
) -> None:
    """A document without text or with a NUL, or an end by whoever is told the progress."""
    good = make_document("good", uri="file:a")
    text = {NoText: " \n", BrokenFile: "a\0b"}.get(error, "also good")

    def stop(_: int, __: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(error):
        indexer.add_together([good, make_document(text, uri="file:b")], progress=stop)
    assert stored_texts(store) == {}
