"""Measure what a small change costs at 1,000 and 100,000 chunks.

`python tests/benchmarks/bench_store.py`: a document of ten chunks is replaced, then the indexes in
memory catch up, as they do before the next question. Vectors are random unit rows of 384 numbers,
texts random words. On a machine that does other work read the ratios, not the milliseconds.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from rag.chunks import Chunk
from rag.documents import Document, document_id
from rag.retrieval.held import HeldRankings
from rag.retrieval.lexical import LexicalIndex
from rag.store import NewDocument, SqliteStore
from vectors.faiss_index import FaissIndex

DIM = 384
CHUNKS = 10
WORDS = 150
RNG = np.random.default_rng(5)


def new_document(number: int) -> NewDocument:
    """Return a document of ten chunks that was never seen before under a known uri."""
    uri = f"bench:{number}"
    texts = [" ".join(f"w{word}" for word in RNG.zipf(1.3, WORDS) % 50_000) for _ in range(CHUNKS)]
    text = "\n".join(texts)
    id_ = document_id(uri)
    chunks, start = [], 0
    for part in texts:
        chunks.append(
            Chunk(
                id=0,
                document=id_,
                start=start,
                end=start + len(part),
                text=part,
                section=(),
                page=None,
                tokens=200,
            )
        )
        start += len(part) + 1
    rows = RNG.standard_normal((CHUNKS, DIM)).astype(np.float32)
    document = Document(
        id=id_,
        uri=uri,
        title=uri,
        media_type="text/plain",
        text=text,
        sha256=f"{RNG.integers(2**62):064x}",
        published=None,
        sections=(),
        pages=(),
        metadata={},
    )
    return NewDocument(
        document=document,
        chunks=chunks,
        vectors=rows / np.linalg.norm(rows, axis=1, keepdims=True),
    )


def measure(chunks: int, *, rounds: int, directory: Path) -> None:
    """Fill a store, then time small changes."""
    store = SqliteStore(directory, fingerprint="bench")
    documents = chunks // CHUNKS
    for first in range(0, documents, 200):
        store.put(new_document(n) for n in range(first, min(first + 200, documents)))
    rankings = HeldRankings(vectors=lambda: FaissIndex(DIM, threads=2), lexical=LexicalIndex)

    def catch_up() -> None:
        with store.snapshot() as snapshot:
            rankings.catch_up(snapshot)

    began = time.perf_counter()
    catch_up()
    built = time.perf_counter() - began
    puts, follows = [], []
    for number in range(rounds):
        new = new_document(number * 7 % documents)
        puts.append(timed(lambda new=new: store.put([new])))
        follows.append(timed(catch_up))
    began = time.perf_counter()
    store.close()
    store = SqliteStore(directory, fingerprint="bench")
    opened = time.perf_counter() - began
    store.close()
    print(
        f"{chunks:>8,} chunks  replace {statistics.median(puts):6.1f} ms  "
        f"catch up {statistics.median(follows):6.1f} ms (longest {max(follows):.0f})  "
        f"build {built:5.1f} s  open {opened * 1000:5.0f} ms"
    )


def timed(call: Callable[[], object]) -> float:
    """Return how long a call takes, milliseconds."""
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def main() -> None:
    """Print a line a size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    rounds = parser.parse_args().rounds
    for chunks in (1_000, 10_000, 100_000):
        with tempfile.TemporaryDirectory() as directory:
            measure(chunks, rounds=rounds, directory=Path(directory) / "collection")


if __name__ == "__main__":
    main()
