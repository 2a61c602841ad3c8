"""Opening, reading and changing a store, safely from several threads and processes."""

import logging
import queue
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

import apsw

from rag.errors import StaleIndex, StoreError, StoreFull
from rag.store import staging
from rag.store.changing import delete, put
from rag.store.database import HARMLESS, Database, connect, translated
from rag.store.mark import Mark, read_mark
from rag.store.opening import FILE_NAME, ensure_file, open_checked, update_mark
from rag.store.records import NewDocument
from rag.store.schema import Meta, read_meta
from rag.store.snapshot import TableSnapshot

__all__ = ["FILE_NAME", "SqliteStore"]

_UNREADABLE: Final = "cannot be read now"
_UNCHANGED: Final = "was not changed"

_LOG: Final = logging.getLogger(__name__)


class SqliteStore:
    """The store of one collection in a directory of its own, in one file of SQLite.

    A store that was written under another `fingerprint` is refused with StaleIndex; None takes the
    one that it has. Where there is no store one is made, or, unless `create` and a fingerprint are
    given, NotFound is raised. With less than `min_free_bytes` free on the disk nothing is added,
    nor are more documents than `max_documents`.

    Raises DamagedStore for a store that is not as it was written. Texts, passages and vectors are
    verified when they are read, all else at opening.
    """

    def __init__(
        self,
        directory: Path,
        *,
        fingerprint: str | None,
        create: bool = True,
        min_free_bytes: int = 0,
        max_documents: int | None = None,
    ) -> None:
        self.path: Final = directory / FILE_NAME
        self._min_free_bytes: Final = min_free_bytes
        self._max_documents: Final = max_documents
        self._idle: Final[queue.SimpleQueue[apsw.Connection]] = queue.SimpleQueue()
        self._write_lock: Final = threading.Lock()
        self._suspect = False
        self._rebuilt = False
        with translated(self.path, "cannot be opened", system=True):
            ensure_file(directory, fingerprint=fingerprint if create else None)
            self._inode: Final = _inode(self.path)
            self._writer, meta = open_checked(directory, fingerprint=fingerprint)
            try:
                noted = read_mark(directory)
            except OSError:
                self._writer.close()
                raise
        self._fingerprint = meta.fingerprint
        if noted != Mark(identity=meta.identity, generation=meta.generation):
            with self._write_lock:
                self._update_mark()

    @property
    def place(self) -> str:
        """The path of the file."""
        return str(self.path)

    @property
    def fingerprint(self) -> str:
        """Names all that the stored chunks and vectors depend on."""
        return self._fingerprint

    @property
    def superseded(self) -> bool:
        """Whether it has to be opened anew: another process deleted, restored or rebuilt it.

        That it was rebuilt is known from the first use on that was refused for it.
        """
        with translated(self.path, _UNREADABLE, system=True):
            return self._rebuilt or _inode(self.path) != self._inode

    def close(self) -> None:
        """Close every connection that is not in use."""
        self._writer.close()
        while not self._idle.empty():
            self._idle.get().close()

    @contextmanager
    def snapshot(self) -> Iterator[TableSnapshot]:
        """Hold one generation for reading."""
        with self._reading() as (database, meta):
            yield TableSnapshot(database, meta)

    def tables(self, *, writing: bool = False) -> AbstractContextManager[tuple[Database, Meta]]:
        """Hold the rows themselves, and the one that binds them."""
        return self._transaction(grows=True) if writing else self._reading()

    def put(self, documents: Iterable[NewDocument]) -> int:
        """Add documents in one transaction, replacing those with the same id."""
        with self._transaction(grows=True) as (database, meta):
            self._require_fingerprint(meta)
            return put(database, meta, documents, most=self._max_documents)

    def delete(self, document: str) -> int:
        """Delete a document and return the new generation; raise NotFound if there is none."""
        with self._transaction(grows=False) as (database, meta):
            return delete(database, meta, document)

    def begin_rechunking(self, fingerprint: str) -> list[str]:
        """Return the ids of the documents whose chunks of a fingerprint are still to be staged.

        What was staged of another fingerprint is dropped; the present one needs nothing staged.
        """
        with self._transaction(grows=False) as (database, meta):
            return staging.begin(database, meta, fingerprint)

    def stage(self, new: Iterable[NewDocument], *, fingerprint: str, generation: int) -> None:
        """Keep other chunks of stored documents aside, made from a generation's documents."""
        with self._transaction(grows=True) as (database, meta):
            staging.stage(database, meta, new, fingerprint=fingerprint, generation=generation)

    def publish_staged(self, fingerprint: str) -> int | None:
        """Put what was staged in the place of all chunks; return the generation that it starts.

        Returns None while documents are missing in it: those that changed since they were staged.
        """
        with self._transaction(grows=False) as (database, meta):
            generation = staging.publish(database, meta, fingerprint)
        if generation is not None:
            self._fingerprint = fingerprint
        return generation

    def back_up(self, path: Path) -> Meta:
        """Write a copy of the present generation to a file that does not exist yet."""
        with self._reading() as (database, meta), translated(path, "was not written", system=True):
            database.copy_to(path)
            return meta

    @contextmanager
    def _reading(self) -> Iterator[tuple[Database, Meta]]:
        self._require_same_file()
        with translated(self.path, _UNREADABLE):
            connection = self._reader()
            try:
                connection.execute("BEGIN")
                database = Database(connection, path=self.path)
                meta = read_meta(database)
                self._require_fingerprint(meta)
                yield database, meta
            except apsw.Error:
                connection.close()
                raise
            except BaseException:
                self._give_back(connection)
                raise
            else:
                self._give_back(connection)

    @contextmanager
    def _transaction(self, *, grows: bool) -> Iterator[tuple[Database, Meta]]:
        with self._write_lock:
            self._require_same_file()
            if grows:
                self._require_room()
            with translated(self.path, _UNCHANGED):
                self._renew_if_suspect()
                database = Database(self._writer, path=self.path)
                try:
                    self._writer.execute("BEGIN IMMEDIATE")
                    yield database, read_meta(database)
                    self._writer.execute("COMMIT")
                except BaseException as error:
                    self._suspect = True
                    if self._writer.in_transaction:
                        self._writer.execute("ROLLBACK")
                    # After a write or a sync that failed, what the connection holds in memory need
                    # not be what is on the disk.
                    failed = isinstance(error, apsw.Error)
                    self._suspect = failed and not isinstance(error, HARMLESS)
                    raise
            self._update_mark()

    def _update_mark(self) -> None:
        """Write down the generation reached; what was committed stays so if that fails."""
        try:
            update_mark(Database(self._writer, path=self.path))
        except (apsw.Error, OSError) as error:
            self._suspect = isinstance(error, apsw.Error)
            _LOG.warning("%s: its generation could not be noted beside it: %s", self.path, error)

    def _renew_if_suspect(self) -> None:
        if self._suspect:
            # The new one first: with the last connection the log would be read anew, and with it
            # what was refused at the time.
            writer = self._connect()
            self._writer.close()
            self._writer = writer
            self._suspect = False

    def _reader(self) -> apsw.Connection:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return self._connect()

    def _connect(self) -> apsw.Connection:
        connection = connect(self.path)
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
        return connection

    def _require_room(self) -> None:
        with translated(self.path, _UNCHANGED, system=True):
            free = shutil.disk_usage(self.path.parent).free
        if free < self._min_free_bytes:
            raise StoreFull(
                f"Only {free / 1e6:,.0f} MB are free at {self.path.parent}, less than the "
                f"{self._min_free_bytes / 1e6:,.0f} MB of RAG_MIN_FREE_BYTES, so nothing is added. "
                "Make room, or set it lower."
            )

    def _require_same_file(self) -> None:
        """Refuse a file that lies no longer where it was opened: its changes would be lost."""
        with translated(self.path, _UNREADABLE, system=True):
            inode = _inode(self.path)
        if inode != self._inode:
            raise StoreError(
                f"The index at {self.path} was moved, deleted or restored since it was opened. "
                "Restart what uses it."
            )

    def _require_fingerprint(self, meta: Meta) -> None:
        if meta.fingerprint != self._fingerprint:
            self._rebuilt = True
            raise StaleIndex(
                f"The index at {self.path} was rebuilt by rag reindex for other settings. Restart "
                "with those settings."
            )

    def _give_back(self, connection: apsw.Connection) -> None:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        # A rollback leaves half-read statements running, and with them the old generation.
        if connection.txn_state() == apsw.SQLITE_TXN_NONE:
            self._idle.put(connection)
        else:
            connection.close()


def _inode(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return found.st_dev, found.st_ino
