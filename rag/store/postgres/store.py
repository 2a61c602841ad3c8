"""A collection in a PostgreSQL database."""

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from types import TracebackType
from typing import Final

from rag.errors import NotFound, StaleIndex, StoreError
from rag.store import changing, staging
from rag.store.postgres import collections as catalog
from rag.store.postgres import graphs
from rag.store.postgres.graphs import Building
from rag.store.postgres.searching import PostgresSnapshot
from rag.store.postgres.server import Connection, Server
from rag.store.postgres.standby import Confirmed, Standby
from rag.store.postgres.tables import PostgresTables
from rag.store.records import NewDocument
from rag.store.schema import Meta, differing, read_meta
from rag.words import RECIPE

# From so many chunks on their scan takes most of the time of a search.
_MANY: Final = 100_000

_LOG: Final = logging.getLogger(__name__)


class PostgresStore:
    """The store of a collection in a database, which is shared by any number of processes.

    A collection that was written under another `fingerprint` is refused with StaleIndex; None takes
    the one that it has. Where there is none of this name one is made, or, unless `create` and a
    fingerprint are given, NotFound is raised. No more documents than `max_documents` are added.
    Snapshots are read from the `standby` where it has what the server has; all else is not.

    Every row is verified when it is read, by checksums as in a store in a file; that the database
    itself is not an older copy is for whoever restores it to know.
    """

    def __init__(
        self,
        server: Server,
        collection: str,
        *,
        fingerprint: str | None,
        create: bool = True,
        max_documents: int | None = None,
        standby: Standby | None = None,
    ) -> None:
        self._server: Final = server
        self._standby: Final = standby
        self._confirmed: Final = Confirmed(
            seconds=0 if standby is None else standby.lag_seconds,
            now=time.monotonic if standby is None else standby.now,
        )
        self._name: Final = collection
        self._max_documents: Final = max_documents
        self._rebuilt = False
        self.place: Final = f"{server.place}, collection {collection}"
        found = catalog.find(server, collection)
        if found is None:
            if fingerprint is None or not create:
                raise NotFound(
                    f"There is no index at {self.place} yet. Add documents: rag ingest PATH..."
                )
            catalog.make(server, collection, fingerprint=fingerprint)
            found = catalog.find(server, collection)
            if found is None:
                raise StoreError(f"The index at {self.place} was deleted as it was made.")
        if found.search_recipe != RECIPE:
            raise StoreError(
                f"The index at {self.place} was not written for searches of this version. Run rag "
                "store migrate."
            )
        self._collection: Final = found.number
        with self._reading() as (tables, meta):
            if fingerprint is not None and meta.fingerprint != fingerprint:
                raise StaleIndex(
                    f"The index at {self.place} was built with "
                    f"{differing(meta.fingerprint, fingerprint)}, the settings in force are "
                    f"{differing(fingerprint, meta.fingerprint)}. Bring it up to them with rag "
                    f"reindex --collection {collection}, or restore the former settings."
                )
            if meta.chunks >= _MANY and not graphs.has_graph(tables, dim=meta.dim):
                _LOG.warning(
                    "%s: each search compares the question with all %d vectors. Have them put into "
                    "a graph: rag store index %s",
                    self.place,
                    meta.chunks,
                    collection,
                )
            self._fingerprint = meta.fingerprint

    @property
    def fingerprint(self) -> str:
        """Names all that the stored chunks and vectors depend on."""
        return self._fingerprint

    @property
    def superseded(self) -> bool:
        """Whether it has to be opened anew: somebody deleted, restored or rebuilt the collection.

        That it was rebuilt is known from the first use on that was refused for it.
        """
        if self._rebuilt:
            return True
        if self._confirmed.get() is not None:
            return False
        found = catalog.find(self._server, self._name)
        return found is None or found.number != self._collection

    def close(self) -> None:
        """Nothing is held: the connections are the server's."""

    @contextmanager
    def snapshot(self) -> Iterator[PostgresSnapshot]:
        """Hold the present generation for reading."""
        with ExitStack() as stack:
            found = self._on_standby(stack)
            if found is None:
                asked = self._confirmed.now()
                found = stack.enter_context(self._reading())
                self._confirmed.put(found[1], asked=asked)
            tables, meta = found
            self._require_fingerprint(meta)
            yield PostgresSnapshot(tables, meta)

    def tables(
        self, *, writing: bool = False
    ) -> AbstractContextManager[tuple[PostgresTables, Meta]]:
        """Hold the rows themselves, and the one that binds them."""
        return self._writing() if writing else self._reading()

    def put(self, documents: Iterable[NewDocument]) -> int:
        """Add documents in one transaction, replacing those with the same id."""
        with self._writing() as (tables, meta):
            self._require_fingerprint(meta)
            return changing.put(tables, meta, documents, most=self._max_documents)

    def delete(self, document: str) -> int:
        """Delete a document and return the new generation; raise NotFound if there is none."""
        with self._writing() as (tables, meta):
            return changing.delete(tables, meta, document)

    def begin_rechunking(self, fingerprint: str) -> list[str]:
        """Return the ids of the documents whose chunks of a fingerprint are still to be staged."""
        with self._writing() as (tables, meta):
            return staging.begin(tables, meta, fingerprint)

    def stage(self, new: Iterable[NewDocument], *, fingerprint: str, generation: int) -> None:
        """Keep other chunks of stored documents aside, made from a generation's documents."""
        with self._writing() as (tables, meta):
            staging.stage(tables, meta, new, fingerprint=fingerprint, generation=generation)

    def publish_staged(self, fingerprint: str) -> int | None:
        """Put what was staged in the place of all chunks; return the generation that it starts.

        A graph over the vectors is dropped before, since other ones are put into it one by one for
        hours, and built anew; until that is done searches compare all vectors.
        """
        with self._reading() as (tables, meta):
            whole = meta.staging == fingerprint and not staging.unstaged(tables)
        graphed = False
        if whole:
            with self._server.maintaining() as connection:
                graphed = graphs.drop(connection, self._collection)
        with self._writing() as (tables, meta):
            generation = staging.publish(tables, meta, fingerprint)
        if generation is not None:
            self._fingerprint = fingerprint
        if graphed:
            self.build_graph(Building())
        return generation

    def build_graph(self, building: Building) -> int:
        """Build the graph that finds near vectors anew and return how many chunks are in it.

        Reads and writes go on meanwhile; the former compare all vectors until it is done. Raises
        NotFound where there are none yet.
        """
        with self._reading() as (_, meta):
            if not meta.chunks:
                raise NotFound(f"The index at {self.place} holds no passages yet: rag ingest.")
        with self._server.maintaining() as connection:
            graphs.build(connection, self._collection, dim=meta.dim, building=building)
        return meta.chunks

    @contextmanager
    def _reading(self, server: Server | None = None) -> Iterator[tuple[PostgresTables, Meta]]:
        with (
            (server or self._server).reading(self._collection) as connection,
            self._tables(connection, writing=False) as tables,
        ):
            yield tables, read_meta(tables)

    def _on_standby(self, stack: ExitStack) -> tuple[PostgresTables, Meta] | None:
        """Hold the present generation on the standby; None where that cannot give it."""
        standby = self._standby
        if standby is None or not standby.to_be_tried():
            return None
        known = self._confirmed.get()
        present = known or self._ask()
        with ExitStack() as opened:
            try:
                tables, meta = opened.enter_context(self._reading(standby.server))
            except StoreError as error:
                standby.lost(error)
                return None
            if meta != present and (known is None or meta != self._ask()):
                standby.behind()
                return None
            standby.read()
            stack.push(partial(_tell, standby))
            stack.push(opened.pop_all())
            return tables, meta

    def _ask(self) -> Meta:
        """Return the row that binds all others as the primary has it now."""
        asked = self._confirmed.now()
        with (
            self._server.looking() as connection,
            self._tables(connection, writing=False) as tables,
        ):
            meta = read_meta(tables)
        self._confirmed.put(meta, asked=asked)
        return meta

    @contextmanager
    def _writing(self) -> Iterator[tuple[PostgresTables, Meta]]:
        try:
            with (
                self._server.writing(self._collection) as connection,
                self._tables(connection, writing=True) as tables,
            ):
                yield tables, read_meta(tables)
                tables.flush()
        finally:
            self._confirmed.put(None, asked=self._confirmed.now())

    @contextmanager
    def _tables(self, connection: Connection, *, writing: bool) -> Iterator[PostgresTables]:
        tables = PostgresTables(
            connection, collection=self._collection, place=self.place, writing=writing
        )
        try:
            yield tables
        finally:
            tables.end()

    def _require_fingerprint(self, meta: Meta) -> None:
        if meta.fingerprint != self._fingerprint:
            self._rebuilt = True
            raise StaleIndex(
                f"The index at {self.place} was rebuilt by rag reindex for other settings. Restart "
                "with those settings."
            )


def _tell(
    standby: Standby,
    _: type[BaseException] | None,
    error: BaseException | None,
    __: TracebackType | None,
) -> None:
    """Tell a standby of a read that failed there after it had begun."""
    if isinstance(error, StoreError) and not isinstance(error, StaleIndex):
        standby.lost(error)
