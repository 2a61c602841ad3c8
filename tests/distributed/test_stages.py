"""The stages of a distributed ingest, without a cluster: they make what one process makes."""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from rag.chunks import Chunk
from rag.distributed.rows import Cut, Embedded, Given, Loaded, Refused, Row, Stored, decode, encode
from rag.distributed.stages import cut_documents, embed, load
from rag.distributed.writing import Outcome, Writer, given_rows
from rag.documents import Document
from rag.indexing import Failed, File, Indexed, Indexer, Unchanged
from rag.sources.limits import Limits
from rag.store import SqliteStore, Store
from tests.fakes import FakeEmbedder, InProcessParser, chunk_lines, make_document

LIMITS = Limits(seconds=10, memory=InProcessParser.largest, characters=10**6, pages=100)


class BoundedParser(InProcessParser):
    """Refuses what is too large, as the parser in a process of its own does."""

    def read(self, data: bytes, *, name: str, uri: str) -> list[Document]:
        """Return the documents of a file."""
        if len(data) > self.largest:
            raise LIMITS.too_large()
        return super().read(data, name=name, uri=uri)


def own_text(document: Document, chunk: Chunk) -> str:
    """Embed a chunk as its document's title and what it says."""
    return f"{document.title} {chunk.text}"


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[Callable[[str], Store]]:
    opened = []

    def make(name: str) -> Store:
        opened.append(SqliteStore(tmp_path / name, fingerprint="f"))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def files(tmp_path: Path) -> list[File]:
    """Files of every fate: whole, of records, empty, of no known kind, too large, missing."""
    folder = tmp_path / "files"
    folder.mkdir()
    records = [{"id": f"r#{n}", "text": f"record {n}\nand more of {n}"} for n in range(5)]
    contents = {
        "a.md": b"# Ants\n\nAnts march.\n\n## Queens\n\nA queen lays eggs.\n",
        "b.jsonl": "\n".join(map(json.dumps, records)).encode(),
        "c.txt": b"",
        "d.xyz": b"x",
        "e.txt": b"\n".join(b"line %d" % n for n in range(300)),
        "f.txt": b"x" * (LIMITS.memory + 1),
        "g.txt": "Ünïcode, 漢字 and \U0001f41c.".encode(),
        "h.jsonl": b'{"id": "1", "text": "good"}\n{"id": "2", "text"',
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    odd = os.fsdecode(b"odd-\xff.nothing")
    (folder / odd).write_bytes(b"x")
    names = [*contents, odd, "missing.txt"]
    return [
        File(path=folder / name, uri=f"file:{name.encode(errors='replace').decode()}")
        for name in names
    ]


def over_stages(files: list[File], store: Store, *, size: int) -> list[Outcome]:
    """Take files in by way of the stages, `size` files a batch, each row encoded in between."""
    writer = Writer(store, files=files)
    parser, embedder = BoundedParser(), FakeEmbedder()

    def travel(rows: Iterable[Row]) -> list[Row]:
        return [decode(encode(row)) for row in rows]

    outcomes = []
    given = given_rows(files, writer.versions)
    for first in range(0, len(given), size):
        rows = travel(load(travel(given[first : first + size]), limits=LIMITS))
        rows = travel(cut_documents(rows, parser=parser, chunk=chunk_lines))
        outcomes += writer.write(travel(embed(rows, embedder=embedder, passage=own_text)))
    return outcomes


def in_one_process(files: list[File], store: Store) -> list[Outcome]:
    """Take files in as the ordinary ingest does."""
    indexer = Indexer(
        store,
        embedder=FakeEmbedder(),
        parser=BoundedParser(),
        chunk=chunk_lines,
        passage=own_text,
    )
    return list(indexer.add_files(files))


def contents(store: Store) -> tuple[list[Document], list[Chunk], list[bytes]]:
    """Return all that a store holds."""
    with store.snapshot() as snapshot:
        snapshot.verify()
        documents = [snapshot.document(s.id) for s in snapshot.summaries(limit=1000)]
        added = list(snapshot.added_since(0))
    chunks = list(chain.from_iterable(found for found, _ in added))
    return documents, chunks, [row.tobytes() for _, rows in added for row in rows]


def fates(outcomes: Iterable[Outcome]) -> list[tuple[object, ...]]:
    """Return what outcomes tell but for generations, in an order of their own."""
    told: list[tuple[object, ...]] = []
    for outcome in outcomes:
        if isinstance(outcome, Indexed):
            told.append(("indexed", outcome.document.uri, outcome.status, outcome.chunks))
        elif isinstance(outcome, Failed):
            told.append(("failed", outcome.file.uri, outcome.reason))
        else:
            told.append(("unchanged", outcome.file.uri))
    return sorted(told, key=repr)


@pytest.mark.parametrize("size", [1, 3, 100])
def test_the_store_is_the_one_that_one_process_makes(
    files: list[File], open_store: Callable[[str], Store], size: int
) -> None:
    """Documents, chunks with their numbers and vectors are equal, and so is what is told of each.

    In whatever batches the files travel.
    """
    spread, alone = open_store("spread"), open_store("alone")
    told = over_stages(files, spread, size=size)
    assert fates(told) == fates(in_one_process(files, alone))
    assert contents(spread) == contents(alone)
    assert len(contents(spread)[0]) == 8
    assert sum(isinstance(outcome, Failed) for outcome in told) == 6


def test_what_is_stored_is_left_alone_and_what_was_changed_is_replaced(
    files: list[File], open_store: Callable[[str], Store]
) -> None:
    """A second run adds nothing; of a file of records only the changed ones are replaced."""
    store = open_store("spread")
    over_stages(files, store, size=3)
    before = contents(store)
    again = over_stages(files, store, size=3)
    assert not any(isinstance(outcome, Indexed) for outcome in again)
    # One each of three whole files and of five records.
    assert sum(isinstance(outcome, Unchanged) for outcome in again) == 8
    assert contents(store) == before
    records = files[1].path
    records.write_text(records.read_text().replace("record 3", "another 3"))
    changed = [
        outcome for outcome in over_stages(files, store, size=3) if isinstance(outcome, Indexed)
    ]
    assert [(o.document.uri, o.status, o.chunks) for o in changed] == [
        ("file:b.jsonl#r#3", "replaced", 2)
    ]


def test_a_batch_that_comes_twice_is_stored_once(
    files: list[File], open_store: Callable[[str], Store]
) -> None:
    """Rows that were written already change nothing, in the same group and in a later one."""
    store = open_store("spread")
    document = make_document("Ants march.\nBees dance.", uri=files[0].uri)
    chunks = chunk_lines(document)
    vectors = FakeEmbedder().embed_passages([chunk.text for chunk in chunks])
    row = Embedded(number=0, document=document, chunks=chunks, vectors=vectors.tobytes())
    writer = Writer(store, files=files)
    assert fates(writer.write([row, row])) == [
        ("indexed", files[0].uri, "added", 2),
        ("unchanged", files[0].uri),
    ]
    before = contents(store)
    assert fates(writer.write([row])) == [("unchanged", files[0].uri)]
    assert contents(store) == before


def test_only_what_is_new_travels(files: list[File]) -> None:
    """Neither the bytes of a stored file nor those of one that is too large leave the driver."""
    first = given_rows(files[:1], {})
    (loaded,) = load(first, limits=LIMITS)
    assert isinstance(loaded, Loaded)
    assert loaded.data == files[0].path.read_bytes()
    small = replace(LIMITS, memory=len(loaded.data))
    assert list(load(first, limits=small)) == [loaded]
    (refused,) = load(first, limits=replace(small, memory=small.memory - 1))
    assert refused == Refused(
        number=0, reason=str(replace(small, memory=small.memory - 1).too_large())
    )
    (document,) = InProcessParser().read(loaded.data, name="a.md", uri=files[0].uri)
    known = given_rows(files[:1], {files[0].uri: document.sha256})
    assert list(load(known, limits=LIMITS)) == [Stored(number=0)]


def test_a_file_travels_with_the_versions_of_its_own_documents_alone() -> None:
    """Records' names and files' names may hold the sign that stands between the two."""
    files = [File(path=Path(name), uri=name) for name in ("a", "a#1", "b")]
    versions = {"a": "0", "a#1": "1", "a#1#2": "2", "a#3": "3", "ab": "4", "c#1": "5", "#": "6"}
    assert [row.versions for row in given_rows(files, versions)] == [
        {"a": "0", "a#1": "1", "a#1#2": "2", "a#3": "3"},
        {"a#1": "1", "a#1#2": "2"},
        {},
    ]


def test_rows_travel_unchanged() -> None:
    """A document with metadata and a date, and its chunks, are the same after a journey."""
    document = replace(
        make_document("One\nTwo", metadata={"b": "2", "a": "1"}), published="2023-11-20"
    )
    rows = [
        Given(number=7, path=b"\xff/x", uri="u", versions={"u": "s"}),
        Cut(number=1, document=document, chunks=chunk_lines(document)),
        Embedded(
            number=2,
            document=document,
            chunks=chunk_lines(document),
            vectors=np.eye(2, dtype="<f4").tobytes(),
        ),
    ]
    for row in rows:
        travelled = decode(encode(row))
        assert travelled == row
        assert type(travelled) is type(row)


def test_a_row_that_no_worker_gives_is_refused(
    files: list[File], open_store: Callable[[str], Store]
) -> None:
    """What was not embedded is never taken for done."""
    writer = Writer(open_store("spread"), files=files)
    with pytest.raises(TypeError, match="Given"):
        writer.write(given_rows(files[:1], {}))
