"""One of the two stores, in a process of its own, as the service has it: opened by its settings."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.bootstrap import migrate_store, open_home, open_store
from rag.components import open_embedder
from rag.home import Engine, Home
from rag.retrieval.retriever import Mode
from rag.settings import DEFAULT_COLLECTION, read_settings
from rag.store import Filters, NewDocument
from tests.benchmarks.scaling.corpus import PART, Corpus
from tests.benchmarks.scaling.processes import Memory, memory_of, peak_of
from tests.benchmarks.scaling.truth import Truth, exact
from tests.benchmarks.scaling.watch import Taken, Watch

# So many chunks, at least, are one transaction, as for anybody who loads much at once.
_GROUP = 8192
_TOLD_EVERY = 50_000
# The documents of this part are the filter's, 1% of all.
FILTER = Filters(metadata=((PART, "7"),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a question found: ids of chunks, best first, and their cosines, and its milliseconds.

    `stages` are those of the answer, `answers` its texts.
    """

    ids: tuple[int, ...]
    similarities: tuple[float, ...]
    milliseconds: float
    stages: dict[str, float]
    answers: tuple[str, ...] = ()


class Work:
    """What a process with one store is told to do; every method is an order."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._engine: Engine | None = None
        self._corpus: Corpus | None = None

    def read(self, base: dict[str, str]) -> tuple[int, int]:
        """Read the real documents from their home; return how many they and their chunks are."""
        with open_store(read_settings(base), create=False) as store, store.snapshot() as snapshot:
            self._corpus = Corpus(snapshot)
        return self._corpus.documents_in_base, self._corpus.chunks_in_base

    def fill(self, chunks: int) -> Taken:
        """Store documents with so many chunks; return what the store took for it."""
        store, watch, done = self._home.store(DEFAULT_COLLECTION), Watch(), 0
        for group in _groups(self.corpus.documents(chunks=chunks)):
            with watch.running():
                store.put(group)
            before, done = done, done + sum(len(new.chunks) for new in group)
            if done // _TOLD_EVERY > before // _TOLD_EVERY:
                print(f"  {done:,} chunks, {done / watch.seconds:,.0f} a second", flush=True)
        return watch.taken

    def counts(self) -> tuple[int, int]:
        """Return how many documents and chunks are stored."""
        with self._home.store(DEFAULT_COLLECTION).snapshot() as snapshot:
            return snapshot.count()

    def start(self) -> tuple[Taken, Taken]:
        """Open all that a service opens; return what that took, and what until it can answer."""
        opening, following = Watch(), Watch()
        with opening.running():
            self._engine = self._home.engine(DEFAULT_COLLECTION)
        with following.running():
            self._engine.answerer.warm_up()
        return opening.taken, following.taken

    def search(self, question: str, *, filtered: bool, mode: Mode, k: int) -> Asked:
        """Look for passages."""
        filters = FILTER if filtered else Filters()
        began = time.perf_counter()
        found = self.engine.answerer.search(question, k=k, filters=filters, mode=mode)
        milliseconds = (time.perf_counter() - began) * 1000
        return Asked(
            ids=tuple(hit.chunk.id for hit in found.hits),
            similarities=tuple(hit.similarity or 0.0 for hit in found.hits),
            milliseconds=milliseconds,
            stages=found.timings_ms,
        )

    def ask(self, question: str, *, filtered: bool, k: int) -> Asked:
        """Look for answers."""
        filters = FILTER if filtered else Filters()
        began = time.perf_counter()
        answered = self.engine.answerer.ask(question, k=k, filters=filters)
        milliseconds = (time.perf_counter() - began) * 1000
        return Asked(
            ids=tuple(hit.chunk.id for hit in answered.found.hits),
            similarities=(),
            milliseconds=milliseconds,
            stages=answered.found.timings_ms,
            answers=tuple(answer.text for answer in answered.answers),
        )

    def replace(self, number: int, *, version: int) -> tuple[int, float, float]:
        """Put another version of a document in its place.

        Returns its chunks, the milliseconds of the write, and those from its acknowledgement until
        a search for the new text was done. Raises RuntimeError if that does not know it.
        """
        new = self.corpus.rewritten(number, version=version)
        began = time.perf_counter()
        generation = self.engine.store.put([new])
        written = time.perf_counter()
        text = new.chunks[-1].text
        question = " ".join(text.split()[:40])[:500]
        found = self.engine.answerer.search(question, k=10)
        done = time.perf_counter()
        # Among the passages of the document alone: copies of it may say nearly the same.
        own = Filters(documents=(new.document.id,))
        hits = self.engine.answerer.search(question, k=10, filters=own, mode="lexical").hits
        if found.generation < generation or text not in [hit.chunk.text for hit in hits]:
            raise RuntimeError(f"the new text of {new.document.uri} was not found: {question!r}")
        return len(new.chunks), (written - began) * 1000, (done - written) * 1000

    def small_documents(self, *, chunks: int, most: int) -> list[int]:
        """Return the numbers of stored documents of at most so many chunks."""
        sizes = self.corpus.sizes(chunks=chunks)
        return [number for number, size in enumerate(sizes) if size <= most]

    def truth(self, questions: Sequence[str], *, k: int) -> tuple[Truth, Truth]:
        """Search exactly, in all chunks and in the filter's."""
        vectors = self._embedded(questions)
        with self._home.store(DEFAULT_COLLECTION).snapshot() as snapshot:
            return exact(snapshot, vectors, k=k, filters=FILTER)

    def memory(self) -> tuple[Memory, int]:
        """Return the memory of this process, and the most that it had."""
        return memory_of(os.getpid()), peak_of(os.getpid())

    @property
    def corpus(self) -> Corpus:
        """The corpus, once it was read."""
        if self._corpus is None:
            raise RuntimeError("the base was not read")
        return self._corpus

    @property
    def engine(self) -> Engine:
        """The engine, once it was started."""
        if self._engine is None:
            raise RuntimeError("the engine was not started")
        return self._engine

    def _embedded(self, questions: Sequence[str]) -> npt.NDArray[np.float32]:
        embedder = open_embedder(read_settings())
        return np.stack([embedder.embed_question(question) for question in questions])


class Side:
    """A process with one store, and what it is told to do."""

    def __init__(self, name: str, environment: dict[str, str]) -> None:
        self.name = name
        self.environment = environment
        context = get_context("spawn")
        self._here, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there, environment), name=name)
        self._process.start()
        there.close()

    def do(self, order: str, *arguments: object, **named: object) -> Any:
        """Let the process do something and return what it gives back."""
        self._here.send((order, arguments, named))
        try:
            return self._here.recv()
        except EOFError as error:
            self._process.join()
            raise SystemExit(f"{self.name} ended with status {self._process.exitcode}") from error

    def end(self) -> None:
        """Let the process end."""
        self._here.send(None)
        self._process.join()


def _serve(there: Connection, environment: dict[str, str]) -> None:
    os.environ.update(environment)
    settings = read_settings()
    if settings.store:
        migrate_store(settings)
    with open_home(settings) as home:
        work = Work(home)
        while (order := there.recv()) is not None:
            name, arguments, named = order
            there.send(getattr(work, name)(*arguments, **named))


def _groups(documents: Iterator[NewDocument]) -> Iterator[list[NewDocument]]:
    group: list[NewDocument] = []
    for new in documents:
        group.append(new)
        if sum(len(other.chunks) for other in group) >= _GROUP:
            yield group
            group = []
    if group:
        yield group
