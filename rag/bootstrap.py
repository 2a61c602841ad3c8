"""The composition root: the only module that names implementations."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from importlib import resources
from pathlib import Path
from typing import Final

from rag.answering import Answerer
from rag.chunking import ChunkingOptions, chunk_document
from rag.embedding.embedder import Embedder
from rag.embedding.passages import RECIPE, passage_text
from rag.embedding.weights import Weights, find_weights
from rag.indexing import Indexer
from rag.reading.calibration import load_calibration
from rag.reading.reader import Reader
from rag.retrieval.lexical import LexicalIndex
from rag.retrieval.retriever import Retriever
from rag.settings import Settings
from rag.store import Store

COLLECTION: Final = "default"
_OVERLAP_TOKENS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One collection, ready to be asked and changed."""

    store: Store
    answerer: Answerer
    indexer: Indexer


@contextmanager
def open_engine(settings: Settings) -> Iterator[Engine]:
    """Open a collection and the models for it; raise RagError for whatever is missing or wrong."""
    with open_store(settings) as store:
        yield build_engine(settings, store=store)


@contextmanager
def open_store(settings: Settings) -> Iterator[Store]:
    """Open the collection's store, made if there is none, without loading a model."""
    store = build_store(settings)
    try:
        yield store
    finally:
        store.close()


def build_store(settings: Settings) -> Store:
    """Return the collection's store, made if there is none."""
    fingerprint = "; ".join(
        (
            f"embedder {_weights(settings.embedder).sha256}",
            _chunking(settings).fingerprint,
            f"passages {RECIPE}",
        )
    )
    return Store(settings.home / "collections" / COLLECTION, fingerprint=fingerprint)


def build_engine(settings: Settings, *, store: Store) -> Engine:
    """Return the ways to ask and change a store."""
    from vectors.faiss_index import FaissIndex  # noqa: PLC0415  (loads faiss)

    embedder = open_embedder(settings)
    retriever = Retriever(
        embedder=embedder,
        vectors=FaissIndex(embedder.dim, threads=settings.threads),
        lexical=LexicalIndex(),
    )
    return Engine(
        store=store,
        answerer=Answerer(
            store,
            retriever=retriever,
            reader=open_reader(settings, embedder=embedder),
            min_confidence=settings.min_confidence,
        ),
        indexer=Indexer(
            store,
            embedder=embedder,
            passage=lambda document, chunk: passage_text(
                chunk, title=document.title, tokens=embedder.tokens
            ),
            chunk=partial(chunk_document, options=_chunking(settings), tokenizer=embedder.tokens),
        ),
    )


def open_embedder(settings: Settings) -> Embedder:
    """Return the embedder, converted into the home at its first use."""
    from rag.embedding.compiled import open_embedder as open_compiled  # noqa: PLC0415  (OpenVINO)

    return open_compiled(
        _weights(settings.embedder), cache=settings.home / "models", threads=settings.threads
    )


def open_reader(settings: Settings, *, embedder: Embedder) -> Reader:
    """Return the reader that the settings name; raise ModelError where it cannot be used."""
    if settings.reader == "sentence":
        from rag.reading.sentence import SentenceReader  # noqa: PLC0415

        calibration = resources.files("rag.reading") / "sentence-calibration.json"
        with resources.as_file(calibration) as file:
            return SentenceReader(embedder, calibration=load_calibration(file))
    from rag.reading.onnx import SHIPPED, OnnxReader  # noqa: PLC0415  (loads ONNX Runtime)

    directory = SHIPPED if settings.reader == "trained" else Path(settings.reader).expanduser()
    return OnnxReader(directory, threads=settings.threads)


def file_uri(path: Path, *, home: Path) -> str:
    """Return the uri of a file: relative to the directory that holds the home, else absolute.

    So an index that is moved together with its files still knows them, and two files of one name
    in different places stay two.
    """
    absolute = Path(os.path.abspath(path))  # noqa: PTH100  (a link keeps the name it is given)
    base = home.parent
    place = absolute.relative_to(base) if absolute.is_relative_to(base) else absolute
    return os.fsencode(place.as_posix()).decode("utf-8", "backslashreplace")


@cache
def _weights(embedder: str) -> Weights:
    return find_weights(embedder)


def _chunking(settings: Settings) -> ChunkingOptions:
    return ChunkingOptions(max_tokens=settings.chunk_tokens, overlap_tokens=_OVERLAP_TOKENS)
