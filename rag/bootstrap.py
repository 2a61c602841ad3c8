"""The composition root: homes, collections and the ways to ask and change them.

Here and in `rag.components`, and nowhere else, implementations are named.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from rag.answering import Answerer, Bounds
from rag.catalog import Recipe
from rag.catalogs import Catalog, DatabaseCatalog, DirectoryCatalog, settings_of
from rag.chunking import chunk_document
from rag.chunks import Chunk
from rag.components import (
    build_parser,
    chunking_options,
    embedder_weights,
    index_fingerprint,
    open_embedder,
    open_reader,
)
from rag.documents import Document
from rag.embedding.embedder import Embedder
from rag.embedding.passages import passage_text
from rag.embedding.tokens import Tokens
from rag.embedding.weights import MINILM
from rag.errors import SettingsError
from rag.home import Engine, Home, Making
from rag.indexing import Indexer
from rag.promises import min_confidence
from rag.reading.reader import Reader
from rag.reindexing import Progress, reindex
from rag.retrieval.held import HeldRankings
from rag.retrieval.lexical import LexicalIndex
from rag.retrieval.rankings import Rankings
from rag.retrieval.retriever import Retriever
from rag.retrieval.stored import StoredRankings
from rag.settings import DEFAULT_COLLECTION, Settings
from rag.stages import stage
from rag.store import Store

_OVERLAP_TOKENS: Final = 50
_STANDBY_SECONDS: Final = 1


@contextmanager
def open_engine(
    settings: Settings,
    *,
    collection: str = DEFAULT_COLLECTION,
    create: bool = True,
    measuring: bool = False,
) -> Iterator[Engine]:
    """Open a collection and the models for it; raise RagError for whatever is missing or wrong.

    Where there is no default collection it is made, unless `create` is False. `measuring` passes
    over a threshold that no longer holds, as whoever measures a new one must.
    """
    with open_home(settings, create=create, measuring=measuring) as home:
        yield home.engine(collection)


@contextmanager
def open_store(
    settings: Settings, *, collection: str = DEFAULT_COLLECTION, create: bool = True
) -> Iterator[Store]:
    """Open a collection without its models, as `open_engine` does."""
    with open_home(settings, create=create) as home:
        yield home.store(collection)


@contextmanager
def open_home(
    settings: Settings, *, create: bool = True, measuring: bool = False
) -> Iterator[Home]:
    """Open the settings' home, of which each collection opens at its first use."""
    home = build_home(settings, create=create, measuring=measuring)
    try:
        yield home
    finally:
        home.close()


def build_home(settings: Settings, *, create: bool = True, measuring: bool = False) -> Home:
    """Return the settings' home; has to be closed."""
    return Home(settings.home, Opening(settings, create=create, measuring=measuring))


class Opening:
    """Opens collections as their settings say; those that take the same models share them."""

    def __init__(self, settings: Settings, *, create: bool, measuring: bool) -> None:
        self.catalog: Final = open_catalog(settings)
        self._settings: Final = settings
        self._create: Final = create
        self._measuring: Final = measuring
        self._parser: Final = build_parser(settings)
        self._models: Final[dict[str, tuple[Embedder, Reader]]] = {}
        self._models_lock: Final = threading.Lock()

    def open_store(self, collection: str, *, whatever_made_with: bool = False) -> Store:
        """Open a store; StaleIndex unless the settings made it, or that does not matter."""
        settings = settings_of(self.catalog, self._settings, collection)
        return self.catalog.open_store(
            collection,
            fingerprint=None if whatever_made_with else index_fingerprint(settings),
            create=self._create and collection == DEFAULT_COLLECTION,
        )

    def build_engine(self, collection: str, *, store: Store) -> Engine:
        """Return the ways to ask and change an open store."""
        settings = settings_of(self.catalog, self._settings, collection)
        embedder, reader = self._models_for(settings)
        retriever = Retriever(embedder=embedder, rankings=_rankings(settings, dim=embedder.dim))
        confidence = min_confidence(
            settings,
            collection=collection,
            reader=reader,
            index=index_fingerprint(settings),
            measuring=self._measuring,
        )
        return Engine(
            store=store,
            answerer=Answerer(
                store,
                retriever=retriever,
                reader=reader,
                min_confidence=confidence,
                bounds=Bounds(
                    question=settings.max_question,
                    k=settings.max_k,
                    answers=settings.max_answers,
                ),
            ),
            indexer=Indexer(
                store,
                parser=self._parser,
                embedder=embedder,
                passage=partial(_passage, tokens=embedder.tokens),
                chunk=partial(
                    chunk_document, options=chunking_options(settings), tokenizer=embedder.tokens
                ),
            ),
        )

    def making(self, collection: str) -> Making:
        """Return what a collection is made with, which loads its models."""
        settings = settings_of(self.catalog, self._settings, collection)
        embedder, reader = self._models_for(settings)
        options = chunking_options(settings)
        return Making(
            embedder=embedder.name,
            embedder_sha256=embedder.fingerprint,
            reader=reader.name,
            chunk_tokens=options.max_tokens,
            overlap_tokens=options.overlap_tokens,
            fingerprint=index_fingerprint(settings),
        )

    def create(self, collection: str, *, chunk_tokens: int | None) -> None:
        """Make an empty collection, for which the present settings stay in force."""
        settings = self._settings
        if chunk_tokens is not None:
            settings = replace(settings, chunk_tokens=chunk_tokens)
        _create(self.catalog, settings, collection)

    def close(self) -> None:
        """End the process that reads files, and what the stores share."""
        self._parser.close()
        self.catalog.close()

    def _models_for(self, settings: Settings) -> tuple[Embedder, Reader]:
        """Return the models of a collection's settings, loaded once however many name them."""
        key = embedder_weights(settings.embedder).sha256
        with self._models_lock:
            if key not in self._models:
                with stage("load_embedder"):
                    embedder = open_embedder(settings)
                others = [reader for _, reader in self._models.values()]
                # Only the reader of sentences depends on an embedder.
                if others and settings.reader != "sentence":
                    reader = others[0]
                else:
                    with stage("load_reader"):
                        reader = open_reader(settings, embedder=embedder)
                self._models[key] = embedder, reader
            return self._models[key]


def _rankings(settings: Settings, *, dim: int) -> Rankings:
    """Return what a collection is searched by: the database that keeps it, or indexes in memory."""
    if settings.store:
        return StoredRankings()
    from vectors.faiss_index import FaissIndex  # noqa: PLC0415  (loads faiss)

    return HeldRankings(
        vectors=partial(FaissIndex, dim, threads=settings.threads), lexical=LexicalIndex
    )


def create_collection(settings: Settings, name: str) -> None:
    """Make an empty collection for which the settings' embedder and chunk size stay in force.

    Raises as `Catalog.create` does, and ModelError for an embedder that is not there.
    """
    with closing(open_catalog(settings)) as kept:
        _create(kept, settings, name)


def _create(kept: Catalog, settings: Settings, name: str) -> None:
    files = embedder_weights(settings.embedder)
    recipe = Recipe(
        # A path must not change its meaning with the directory that a command is called in.
        embedder=MINILM if settings.embedder == MINILM else str(files.directory),
        chunk_tokens=settings.chunk_tokens,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    kept.create(
        name, recipe=recipe, fingerprint=index_fingerprint(settings), limit=settings.collections
    )


def open_catalog(settings: Settings) -> Catalog:
    """Return where the settings' collections are kept; has to be closed.

    Raises SettingsError or StoreError for a database that cannot be used.
    """
    if not settings.store:
        return DirectoryCatalog(
            settings.home,
            min_free_bytes=settings.min_free_bytes,
            max_documents=settings.max_documents,
        )
    _require_driver()
    from rag.store.postgres import Server, Standby  # noqa: PLC0415  (loads psycopg)

    standby = None
    if settings.store_read:
        # Not waited for: what it does not give at once the primary does.
        reading = Server(settings.store_read, primary=False, wait_seconds=_STANDBY_SECONDS)
        standby = Standby(reading, lag_seconds=settings.store_read_lag)
    return DatabaseCatalog(
        Server(settings.store), max_documents=settings.max_documents, standby=standby
    )


def migrate_store(settings: Settings) -> list[str]:
    """Bring the settings' database up to this version and return the steps that were taken."""
    if not settings.store:
        raise SettingsError(
            "RAG_STORE names no database, so the index is kept in files, which need no preparation."
        )
    _require_driver()
    from rag.store.postgres import migrate  # noqa: PLC0415  (loads psycopg)

    return migrate(settings.store)


def build_graph(settings: Settings, *, collection: str, memory: int, workers: int) -> int:
    """Build the graph of a collection in the settings' database; return how many chunks it has.

    `memory` is bytes; `workers` are processes of the server beside the first one.
    """
    with closing(open_catalog(settings)) as kept:
        kept.require(collection)
        if not settings.store:
            raise SettingsError(
                "RAG_STORE names no database, so a service builds its graph in memory by itself."
            )
        from rag.store.postgres import Building, PostgresStore  # noqa: PLC0415  (loads psycopg)

        with closing(kept.open_store(collection, fingerprint=None)) as store:
            if not isinstance(store, PostgresStore):
                raise TypeError(f"{type(store).__name__} is no store in a database")
            return store.build_graph(Building(memory=memory, workers=workers))


def collection_settings(settings: Settings, collection: str = DEFAULT_COLLECTION) -> Settings:
    """Return the settings with what a collection's recipe fixes."""
    with closing(open_catalog(settings)) as kept:
        return settings_of(kept, settings, collection)


def reindex_collection(
    settings: Settings, *, collection: str = DEFAULT_COLLECTION
) -> Iterator[Progress]:
    """Bring a collection's index up to its settings, as `reindex` does."""
    with closing(open_catalog(settings)) as kept:
        kept.require(collection)
        settings = settings_of(kept, settings, collection)
        with closing(kept.open_store(collection, fingerprint=None)) as store:
            embedder = open_embedder(settings)
            yield from reindex(
                store,
                fingerprint=index_fingerprint(settings),
                embedder=embedder,
                passage=partial(_passage, tokens=embedder.tokens),
                chunk=partial(
                    chunk_document, options=chunking_options(settings), tokenizer=embedder.tokens
                ),
            )


def file_uri(path: Path, *, home: Path) -> str:
    """Return the uri of a file: relative to the directory that holds the home, else absolute.

    So an index that is moved together with its files still knows them, and two files of one name
    in different places stay two.
    """
    absolute = Path(os.path.abspath(path))  # noqa: PTH100  (a link keeps the name it is given)
    base = home.parent
    place = absolute.relative_to(base) if absolute.is_relative_to(base) else absolute
    return os.fsencode(place.as_posix()).decode("utf-8", "backslashreplace")


def _passage(document: Document, chunk: Chunk, *, tokens: Tokens) -> str:
    return passage_text(chunk, title=document.title, tokens=tokens)


def _require_driver() -> None:
    if not all(map(find_spec, ("psycopg", "psycopg_pool"))):
        raise SettingsError(
            "RAG_STORE names a database, but what talks to one is not installed: pip install "
            "'chapterverse[postgres]'."
        )
