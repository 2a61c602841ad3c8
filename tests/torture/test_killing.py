"""Killed at any moment of any write, the store keeps what it acknowledged and nothing half done."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rag.retrieval.held import HeldRankings
from rag.retrieval.lexical import LexicalIndex
from rag.store import AddedChunk, Snapshot, SqliteStore
from tests.torture.child import FINGERPRINT
from tests.torture.children import Forker
from tests.torture.load import DIM, Texts, apply, held, operation
from vectors.faiss_index import FaissIndex


def make_rankings() -> HeldRankings:
    return HeldRankings(vectors=lambda: FaissIndex(DIM), lexical=LexicalIndex)


def assert_agrees(rankings: HeldRankings, snapshot: Snapshot, *, gone: list[str]) -> None:
    """Every passage is found by its own vector and its own word, and none that is gone is."""
    rankings.catch_up(snapshot)
    passages: list[AddedChunk] = []
    for chunks, rows in snapshot.added_since(0):
        nearest = rankings._vectors.search(rows, 1)
        assert [[n.id for n in found] for found in nearest] == [[chunk.id] for chunk in chunks]
        assert np.allclose([found[0].score for found in nearest], 1, atol=1e-3)
        passages += chunks
    assert len(rankings._vectors) == len(passages) == snapshot.count()[1]
    for passage in passages:
        found = rankings._lexical.search(first_word(passage.text), 2)
        assert [id_ for id_, _ in found] == [passage.id]
    for line in gone:
        assert rankings._lexical.search(first_word(line), 1) == []


def first_word(line: str) -> str:
    return line.split(" ", 1)[0]


@pytest.mark.parametrize("rounds", [30, pytest.param(200, marks=pytest.mark.long)])
def test_a_kill_loses_nothing(
    rounds: int, tmp_path: Path, forker: Forker, report: Callable[[str], None]
) -> None:
    """After each kill amid adding, replacing and deleting: all that was acknowledged is there.

    Besides, at most the one write that was under way is there, and wholly. Store, vectors and
    words agree, in indexes that are made anew and in those that were there before the kill.
    """
    rng = random.Random(rounds)
    texts: Texts = {}
    number = generation = acknowledged = in_flight = 0
    kept = make_rankings()
    for turn in range(rounds):
        # From time to time the log is copied into the file with almost every write.
        child = forker.start(
            tmp_path, order="load", first=number, checkpoint=rng.choice((1, 20, 1000))
        )
        before, started = texts, time.perf_counter()
        told = [forker.next() for _ in range(rng.randrange(5))]
        elapsed = time.perf_counter() - started
        time.sleep(rng.uniform(0, elapsed / len(told) if told else 0.01))
        for each in told + forker.kill(child):
            assert each["done"] == number
            texts = apply(texts, operation(number))
            generation = each["generation"] or generation
            number += 1
            acknowledged += 1
        store = SqliteStore(tmp_path, fingerprint=FINGERPRINT, create=not turn)
        with store.snapshot() as snapshot:
            after = apply(texts, operation(number))
            if snapshot.generation != generation:
                texts, generation, number = after, generation + 1, number + 1
                in_flight += 1
            assert (snapshot.generation, held(snapshot)) == (generation, texts)
            gone = [
                line
                for uri, text in before.items()
                if texts.get(uri) != text
                for line in text.splitlines()
            ]
            assert_agrees(kept, snapshot, gone=gone)
            assert_agrees(make_rankings(), snapshot, gone=gone)
        store.close()
    assert acknowledged > rounds
    report(
        f"{rounds} kills: {acknowledged} writes were acknowledged and kept, {in_flight} under way "
        "were there, wholly"
    )
