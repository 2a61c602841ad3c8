"""Questions while documents change: each is answered from one generation, and not much later."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from rag.answering import Answered, Answerer
from rag.reading.calibration import FEATURES, Calibration
from rag.reading.sentence import SentenceReader
from rag.retrieval.held import HeldRankings
from rag.retrieval.lexical import LexicalIndex
from rag.retrieval.retriever import Retriever
from rag.store import SqliteStore, Store
from tests.fakes import DIM, FakeEmbedder, make_document, ready
from vectors.faiss_index import FaissIndex

PUBLISHES: Final = 50
THREADS: Final = 2
DOCUMENTS: Final = 8
LINES: Final = 6
ASIDE: Final = 100
QUESTIONS: Final = tuple(f"Who spoke for party {n} in the debate?" for n in range(DOCUMENTS))
CALIBRATION: Final = Calibration(
    weights=(10.0,) + (0.0,) * (len(FEATURES) - 1), bias=-5.0, min_confidence=0.0
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store of documents that nobody changes, beside those that `publish` puts there."""
    opened = SqliteStore(tmp_path, fingerprint="f")
    aside = "\n".join(f"Nothing of note was said on day {n}." for n in range(LINES))
    opened.put(
        ready(*(make_document(f"Day {n}.\n{aside}", uri=f"file:day-{n}") for n in range(ASIDE)))
    )
    publish(opened)
    yield opened
    opened.close()


def publish(store: Store) -> None:
    """Replace all documents of the debate in one step; each line says of which generation it is."""
    with store.snapshot() as snapshot:
        following = snapshot.generation + 1
    documents = [
        make_document(
            "\n".join(
                f"Speaker {line} of generation {following} spoke for party {party} in the debate."
                for line in range(LINES)
            ),
            uri=f"file:party-{party}",
            title=f"Generation {following}",
        )
        for party in range(DOCUMENTS)
    ]
    assert store.put(ready(*documents)) == following


def make_answerer(store: Store) -> Answerer:
    embedder = FakeEmbedder()
    retriever = Retriever(
        embedder=embedder,
        rankings=HeldRankings(vectors=lambda: FaissIndex(DIM, threads=1), lexical=LexicalIndex),
    )
    reader = SentenceReader(embedder, calibration=CALIBRATION)
    return Answerer(store, retriever=retriever, reader=reader)


def assert_of_one_generation(answered: Answered) -> None:
    """Passages, titles and answers are all of the generation that is named, as often as can be."""
    said = f"of generation {answered.found.generation} "
    spoken = [hit for hit in answered.found.hits if "of generation" in hit.chunk.text]
    assert len(spoken) >= LINES
    assert all(said in hit.chunk.text for hit in spoken)
    titles = {answered.found.documents[hit.chunk.document].title for hit in spoken}
    assert titles == {f"Generation {answered.found.generation}"}
    given = [answer for answer in answered.answers if "of generation" in answer.sentence]
    assert given
    assert all(said in answer.sentence for answer in given)
    for answer in given:
        for citation in answer.citations:
            text = citation.document.text
            assert text[citation.start : citation.end] == citation.quote


def ask_while(answerer: Answerer, going_on: Callable[[int], bool]) -> tuple[list[float], set[int]]:
    """Ask in several threads; return how long each question took, in ms, and the generations."""
    asked = count()
    generations: set[int] = set()

    def ask(seed: int) -> list[float]:
        rng = random.Random(seed)
        took = []
        while going_on(next(asked)):
            started = time.perf_counter()
            answered = answerer.ask(rng.choice(QUESTIONS), answers=5)
            took.append(1000 * (time.perf_counter() - started))
            assert_of_one_generation(answered)
            generations.add(answered.found.generation)
        return took

    with ThreadPoolExecutor(THREADS) as threads:
        took = [ms for each in threads.map(ask, range(THREADS)) for ms in each]
    return took, generations


@pytest.mark.parametrize("questions", [500, pytest.param(5000, marks=pytest.mark.long)])
def test_each_question_sees_one_generation(
    questions: int, store: Store, report: Callable[[str], None]
) -> None:
    """While all documents are replaced 50 times, no question fails or mixes two generations.

    The publishes are spread over the questions. The long version also holds the time that 99 of
    100 questions take to twice what it is when nobody writes.
    """
    answerer = make_answerer(store)
    answerer.warm_up()
    quiet, before = ask_while(answerer, lambda asked: asked < questions)
    assert len(before) == 1
    answered = threading.Semaphore(0)
    published = threading.Event()

    def write() -> None:
        for _ in range(PUBLISHES):
            for _ in range(questions // PUBLISHES):
                answered.acquire()
            publish(store)
        published.set()

    def going_on(asked: int) -> bool:
        answered.release()
        return asked < questions or not published.is_set()

    with ThreadPoolExecutor(1) as writer:
        writing = writer.submit(write)
        during, generations = ask_while(answerer, going_on)
        writing.result()
    assert len(during) >= questions
    assert len(generations) > PUBLISHES / 2
    assert max(generations) <= min(before) + PUBLISHES
    p99 = [float(np.percentile(took, 99)) for took in (quiet, during)]
    report(
        f"{len(during)} questions during {PUBLISHES} publishes: 0 failed, 0 saw two of "
        f"{len(generations)} generations; p99 {p99[0]:.1f} ms quiet, {p99[1]:.1f} ms during"
    )
    if questions >= 5000:
        assert p99[1] <= 2 * p99[0]
