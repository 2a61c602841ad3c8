"""What searches use, compared with what it was made from: every chunk and vector."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import islice
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from rag.store.postgres.halfvectors import half_vectors
from rag.store.postgres.packing import FIELDS, RECORDS, unpack
from rag.store.postgres.tables import PostgresTables
from rag.store.postgres.words import StoredWords
from rag.store.rows import heads, vectors, verified_chunks
from rag.store.schema import Meta
from rag.store.tables import Row
from rag.words import Analyzer

_BATCH: Final = 2_000

Sums: TypeAlias = npt.NDArray[np.uint64]


def check_search(tables: PostgresTables, meta: Meta) -> None:
    """Raise DamagedStore unless entries and words are those of all chunks, and of no others."""
    words = StoredWords(tables, chunks=meta.chunks)
    lengths = np.zeros((words.rows, FIELDS), dtype=np.int64)
    expected = np.zeros(words.rows, dtype=np.uint64)
    known = {head.id: (head.number, head.title) for head in heads(tables)}
    analyzer = Analyzer()
    chunks = verified_chunks(tables, order="id", streamed=True)
    while some := list(islice(chunks, _BATCH)):
        entries = []
        rows = words.rows_of(np.array([row[0] for row in some], dtype=np.int64))
        halves = half_vectors(vectors(some))
        for chunk, row, half in zip(some, rows.tolist(), halves, strict=True):
            number, title = known[chunk[1]]
            fields = (
                analyzer.stems(chunk[7]),
                analyzer.heading_stems(title, json.loads(chunk[6])),
            )
            lengths[row] = [len(stems) for stems in fields]
            expected[row] = _sum(fields)
            entries.append((chunk[0], number, *map(len, fields), bytes(half)))
        if _entries(tables, some) != entries:
            raise tables.damaged("what the search keeps of passages is not theirs")
    live = words.rows_of(_ids(tables))
    found = _sums_of(tables, words, lengths=lengths)
    if not np.array_equal(found[live], expected[live]):
        raise tables.damaged("the words of passages are not theirs")
    if tables.number("entries") != meta.chunks:
        raise tables.damaged("what the search keeps of passages is too much")


def _entries(tables: PostgresTables, chunks: Sequence[Row]) -> list[Row]:
    return [
        (*row[:-1], bytes(row[-1]))
        for row in tables.query(
            "SELECT id, document, text_words, heading_words, embedding FROM entries "
            "WHERE collection = %s AND id BETWEEN %s AND %s ORDER BY id",
            (tables.collection, chunks[0][0], chunks[-1][0]),
        )
    ]


def _ids(tables: PostgresTables) -> npt.NDArray[np.int64]:
    return np.array([row[0] for row in tables.select("chunks", columns=("id",))], dtype=np.int64)


def _sums_of(tables: PostgresTables, words: StoredWords, *, lengths: npt.NDArray[np.int64]) -> Sums:
    """Return for each row the sum that `_sum` gives for its stems, from the postings."""
    sums = np.zeros(words.rows, dtype=np.uint64)
    for segment in words.segments:
        lines = tables.query(
            "SELECT stem, text, heading FROM postings WHERE collection = %s AND segment = %s",
            (tables.collection, segment.number),
        )
        for field in range(FIELDS):
            parts = [(line[0], line[1 + field]) for line in lines if line[1 + field] is not None]
            if not parts:
                continue
            records = unpack([content for _, content in parts], kind=segment.kind)
            counts = [len(content) // RECORDS[segment.kind].itemsize for _, content in parts]
            signs = np.array([_sign(stem, field) for stem, _ in parts], dtype=np.uint64)
            rows = words.first_row(segment) + records["row"].astype(np.int64)
            np.add.at(sums, rows, np.repeat(signs, counts) * records["frequency"])
            alive = words.alive(rows)
            if not np.array_equal(records["length"][alive], lengths[rows, field][alive]):
                raise tables.damaged("the lengths of passages are not theirs")
    return sums


def _sum(fields: Iterable[Sequence[str]]) -> int:
    """Return a sum modulo 2^64 that other stems, or other numbers of them, hardly have."""
    return sum(
        _sign(stem, field) * frequency
        for field, stems in enumerate(fields)
        for stem, frequency in Counter(stems).items()
    ) % (1 << 64)


@lru_cache(maxsize=1 << 20)
def _sign(stem: str, field: int) -> int:
    digest = hashlib.blake2b(f"{field} {stem}".encode(), digest_size=8).digest()
    return int.from_bytes(digest)
