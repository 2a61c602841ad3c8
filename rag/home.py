"""A home's collections as they are in use: each opened at its first use and kept open."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

from rag.answering import Answerer
from rag.catalogs import Catalog, Kept
from rag.errors import DamagedStore, StaleIndex
from rag.indexing import Indexer
from rag.store import Snapshot, Store

State = Literal["ready", "stale", "damaged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One collection, ready to be asked and changed."""

    store: Store
    answerer: Answerer
    indexer: Indexer


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """What a collection is made with and read by, as the settings have it.

    `embedder_sha256` is the digest of the model's files, `fingerprint` names all that chunks and
    vectors depend on.
    """

    embedder: str
    embedder_sha256: str
    reader: str
    chunk_tokens: int
    overlap_tokens: int
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a collection holds; `characters` are code points, `fingerprint` is the stored one."""

    generation: int
    documents: int
    chunks: int
    characters: int
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How a collection is.

    `reason` tells why the state is what it is, empty where it is ready. `contents` is None where
    they cannot be read. Times are UTC (ISO 8601), None where they are not known.
    """

    state: State
    reason: str
    contents: Contents | None
    created: str | None
    updated: str | None


class Opening(Protocol):
    """How collections are opened; `rag.bootstrap` has the one that is used."""

    @property
    def catalog(self) -> Catalog:
        """Where the collections are kept."""
        ...

    def open_store(self, collection: str, *, whatever_made_with: bool = False) -> Store:
        """Open a store; StaleIndex unless the settings made it, or that does not matter."""
        ...

    def build_engine(self, collection: str, *, store: Store) -> Engine:
        """Return the ways to ask and change an open store."""
        ...

    def making(self, collection: str) -> Making:
        """Return what a collection is made with."""
        ...

    def create(self, collection: str, *, chunk_tokens: int | None) -> None:
        """Make an empty collection, as `Home.create` does."""
        ...

    def close(self) -> None:
        """Close what engines and stores share."""
        ...


class Home:
    """The collections of a directory; safe to use from several threads. Has to be closed.

    A collection that another process deleted, restored or rebuilt is opened anew. All methods that
    name a collection raise NotFound where there is none, but for the default one, which is made.
    """

    def __init__(self, path: Path, opening: Opening) -> None:
        self.path: Final = path
        self._opening: Final = opening
        self._stores: Final[dict[str, Store]] = {}
        self._engines: Final[dict[str, Engine]] = {}
        # Apart, so that documents can be looked at while models are loaded. In this order.
        self._engines_lock: Final = threading.Lock()
        self._stores_lock: Final = threading.Lock()

    def store(self, collection: str) -> Store:
        """Return a collection's store, without its models; raise StoreError if it is unusable."""
        with self._stores_lock:
            found = self._stores.get(collection)
            if found is not None and found.superseded:
                # Not closed: whoever uses it yet ends well, and the last one closes it.
                del self._stores[collection]
                found = None
            if found is None:
                self.require(collection)
                found = self._stores[collection] = self._opening.open_store(collection)
            return found

    def engine(self, collection: str) -> Engine:
        """Return a collection with its models; raise RagError for what is missing or wrong."""
        with self._engines_lock:
            found = self._engines.pop(collection, None)
            store = self.store(collection)
            if found is None or found.store is not store:
                found = self._opening.build_engine(collection, store=store)
            self._engines[collection] = found
            return found

    def require(self, collection: str) -> None:
        """Raise NotFound unless there is a collection of this name, or it is the default one."""
        self._opening.catalog.require(collection)

    def reads(self) -> Mapping[str, int]:
        """Return how many reads a standby could be asked for, as `Catalog.reads` does."""
        return self._opening.catalog.reads()

    def open_stores(self) -> dict[str, Store]:
        """Return the stores that are in use now, by collection; opens none."""
        return self._stores.copy()

    def names(self) -> list[str]:
        """Return the names of the collections, ascending."""
        return self._opening.catalog.names()

    def making(self, collection: str) -> Making:
        """Return what a collection is made with, which loads its models."""
        self.require(collection)
        return self._opening.making(collection)

    def condition(self, collection: str) -> Condition:
        """Return how a collection is, without its models; what is damaged or stale is told."""
        self.require(collection)
        created = None
        try:
            recipe = self._opening.catalog.recipe_of(collection)
            created = None if recipe is None else recipe.created
            state, reason, contents = self._look_into(collection)
        except DamagedStore as error:
            state, reason, contents = "damaged", str(error), None
        return Condition(
            state=state,
            reason=reason,
            contents=contents,
            created=created,
            updated=self._opening.catalog.updated(collection),
        )

    def create(self, collection: str, *, chunk_tokens: int | None) -> None:
        """Make an empty collection with settings of its own; None takes the present ones.

        Raises InvalidRequest for a name that is none, Conflict where there is one of this name or
        there are too many.
        """
        self._opening.create(collection, chunk_tokens=chunk_tokens)

    def delete(self, collection: str) -> Kept:
        """Take a collection out of use; return where it is now, for nothing is lost.

        Reads that are under way end well. The caller sees to it that nobody writes to it.
        """
        with self._engines_lock, self._stores_lock:
            self._engines.pop(collection, None)
            store = self._stores.pop(collection, None)
            if store is not None:
                store.close()
            return self._opening.catalog.remove(collection)

    def close(self) -> None:
        """Close every collection and the models."""
        with self._engines_lock, self._stores_lock:
            self._engines.clear()
            while self._stores:
                self._stores.popitem()[1].close()
            self._opening.close()

    def _look_into(self, collection: str) -> tuple[State, str, Contents | None]:
        try:
            with self.store(collection).snapshot() as snapshot:
                return "ready", "", _contents(snapshot)
        except StaleIndex as error:
            reason = str(error)
        try:
            with self._as_it_is(collection) as snapshot:
                return "stale", reason, _contents(snapshot)
        except StaleIndex:  # of another version of this program, which cannot be read at all
            return "stale", reason, None

    @contextmanager
    def _as_it_is(self, collection: str) -> Iterator[Snapshot]:
        store = self._opening.open_store(collection, whatever_made_with=True)
        try:
            with store.snapshot() as snapshot:
                yield snapshot
        finally:
            store.close()


def _contents(snapshot: Snapshot) -> Contents:
    documents, chunks = snapshot.count()
    return Contents(
        generation=snapshot.generation,
        documents=documents,
        chunks=chunks,
        characters=snapshot.characters(),
        fingerprint=snapshot.fingerprint,
    )
