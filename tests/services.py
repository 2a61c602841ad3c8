"""A home and a service whose models and reader of files are stand-ins."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.answering import Answerer
from rag.api.lifecycle import Lifecycle
from rag.api.prometheus import Metrics
from rag.api.readiness import Readiness
from rag.api.service import Service
from rag.api.worker import Worker
from rag.catalog import Recipe
from rag.catalogs import Catalog, DirectoryCatalog
from rag.chunks import Chunk
from rag.documents import Document
from rag.home import Engine, Home, Making
from rag.indexing import Indexer
from rag.jobs import JobQueue, JobRunner, ingest
from rag.labels import LabelFile
from rag.reading.calibration import FEATURES, Calibration
from rag.reading.sentence import SentenceReader
from rag.retrieval.held import HeldRankings
from rag.retrieval.lexical import LexicalIndex
from rag.retrieval.retriever import Retriever
from rag.retrieval.stored import StoredRankings
from rag.settings import DEFAULT_COLLECTION
from rag.store import Store
from tests import stores
from tests.fakes import DIM, FakeEmbedder, InProcessParser, chunk_lines
from vectors import ExactIndex

# Every answer is as good as right.
_CALIBRATION = Calibration(weights=(0.0,) * len(FEATURES), bias=5.0, min_confidence=0.5)


def fingerprint(chunk_tokens: int) -> str:
    """Return what names an index of a chunk size."""
    return f"chunks of at most {chunk_tokens} tokens"


def _own_text(_: Document, chunk: Chunk) -> str:
    return chunk.text


class FakeOpening:
    """Opens collections of a home with stand-ins for the models; counts what it opens.

    `chunk_tokens` is the environment's setting, `catalog` where collections are kept; None takes
    what the tests are run over. `before_embedding` is called with each group.
    """

    def __init__(
        self,
        home: Path,
        *,
        chunk_tokens: int = 200,
        max_documents: int | None = None,
        catalog: Catalog | None = None,
    ) -> None:
        self.home = home
        self.catalog = catalog or stores.catalog_of(home, max_documents=max_documents)
        self.chunk_tokens = chunk_tokens
        self.opened: list[str] = []
        self.before_embedding: Callable[[Sequence[str]], None] = lambda _: None
        self.answerer: Any = None

    def open_store(self, collection: str, *, whatever_made_with: bool = False) -> Store:
        """Open a store; StaleIndex unless the settings made it, or that does not matter."""
        self.opened.append(collection)
        return self.catalog.open_store(
            collection,
            fingerprint=None if whatever_made_with else self.making(collection).fingerprint,
            create=collection == DEFAULT_COLLECTION,
        )

    def build_engine(self, collection: str, *, store: Store) -> Engine:
        """Return the ways to ask and change an open store."""
        assert collection in store.place
        embedder = FakeEmbedder()
        opening = self

        class Embedder:
            def embed_passages(self, texts: list[str]) -> npt.NDArray[np.float32]:
                opening.before_embedding(texts)
                return embedder.embed_passages(texts)

        held = HeldRankings(vectors=lambda: ExactIndex(DIM), lexical=LexicalIndex)
        rankings = held if isinstance(self.catalog, DirectoryCatalog) else StoredRankings()
        retriever = Retriever(embedder=embedder, rankings=rankings)
        return Engine(
            store=store,
            answerer=self.answerer
            or Answerer(
                store,
                retriever=retriever,
                reader=SentenceReader(embedder, calibration=_CALIBRATION),  # type: ignore[arg-type]
            ),
            indexer=Indexer(
                store,
                embedder=Embedder(),
                parser=InProcessParser(),
                chunk=chunk_lines,
                passage=_own_text,
            ),
        )

    def making(self, collection: str) -> Making:
        """Return what a collection is made with."""
        recipe = self.catalog.recipe_of(collection)
        size = self.chunk_tokens if recipe is None else recipe.chunk_tokens
        return Making(
            embedder="fake",
            embedder_sha256="0" * 64,
            reader="sentence",
            chunk_tokens=size,
            overlap_tokens=0,
            fingerprint=fingerprint(size),
        )

    def create(self, collection: str, *, chunk_tokens: int | None) -> None:
        """Make an empty collection."""
        size = chunk_tokens or self.chunk_tokens
        self.catalog.create(
            collection,
            recipe=Recipe(embedder="fake", chunk_tokens=size, created="2026-01-31T12:00:00+00:00"),
            fingerprint=fingerprint(size),
            limit=4,
        )

    def close(self) -> None:
        """Close what the stores share."""
        self.catalog.close()


def make_service(
    path: Path,
    opening: FakeOpening | None = None,
    *,
    models: Worker | None = None,
    job_bytes: int = 1000,
    upload_bytes: int = 1_000_000,
    body_bytes: int = 1_000_000,
    max_batch: int = 100,
    request_seconds: float = 60.0,
    lifecycle: Lifecycle | None = None,
    queue: int = 4,
) -> Service:
    """Return a service over a home with stand-ins."""
    path.mkdir(exist_ok=True)
    models = models or Worker("the models", capacity=queue)
    home = Home(path, opening or FakeOpening(path))
    jobs = JobQueue(path, capacity=queue)
    parser: Any = _Parser()
    return Service(
        home=home,
        jobs=jobs,
        runner=JobRunner(path, jobs, work=ingest(home, parser=parser)),
        parser=parser,
        job_parser=parser,
        models=models,
        writes=Worker("the index", capacity=queue),
        reads=Worker("the store", capacity=queue),
        queueing=Worker("the list of jobs", capacity=queue),
        feedback=LabelFile(path / "feedback.jsonl"),
        job_bytes=job_bytes,
        upload_bytes=upload_bytes,
        body_bytes=body_bytes,
        max_batch=max_batch,
        request_seconds=request_seconds,
        lifecycle=lifecycle or Lifecycle(),
        readiness=Readiness(models, lambda: None),
        metrics=Metrics(),
    )


class _Parser(InProcessParser):
    def start(self) -> None:
        """There is no process to start."""

    def break_off(self) -> None:
        """There is no process to end."""

    def close(self) -> None:
        """There is no process to end."""
