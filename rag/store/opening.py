"""Opening a store: made if that is wanted, refused before anything of it is changed."""

import os
import secrets
import shutil
from pathlib import Path
from typing import Final

import apsw

from rag.durable import sync
from rag.errors import NotFound, StaleIndex
from rag.store.checks import check_documents
from rag.store.database import Database, connect, damaged
from rag.store.header import check_format, check_header, check_log
from rag.store.mark import FILE_NAME as MARK_NAME
from rag.store.mark import Mark, read_mark, write_mark
from rag.store.schema import SCHEMA, Meta, differing, read_meta, write_meta

FILE_NAME: Final = "store.sqlite"
# A restored store waits under this name, beside its place, while the old one is moved aside.
_RESTORED: Final = ".{name}.restored"


def ensure_file(directory: Path, *, fingerprint: str | None) -> None:
    """See to it that a directory has a store; without a fingerprint none is made.

    Raises NotFound where there is none, DamagedStore where there is only a part of one.
    """
    path = directory / FILE_NAME
    if path.exists():
        return
    if finish_restoring(directory):
        return
    for name in (f"{FILE_NAME}-wal", f"{FILE_NAME}-journal", MARK_NAME):
        if (directory / name).exists():
            raise damaged(path, f"it is missing, while {name} is there")
    if fingerprint is None:
        raise NotFound(f"There is no index at {path} yet. Add documents: rag ingest PATH...")
    directory.mkdir(parents=True, exist_ok=True)
    _create(path, fingerprint=fingerprint)


def finish_restoring(directory: Path) -> bool:
    """Put in place what `put_in_place` had no time to; return whether there was anything."""
    restored = directory.with_name(_RESTORED.format(name=directory.name))
    if directory.exists() or not restored.is_dir():
        return False
    if not _moved(restored, directory):
        return False
    sync(directory.parent)
    return True


def open_checked(directory: Path, *, fingerprint: str | None) -> tuple[apsw.Connection, Meta]:
    """Open a directory's store and check it but for texts, passages and vectors.

    Raises DamagedStore or StaleIndex before anything of it is changed.
    """
    path = directory / FILE_NAME
    check_header(path)
    # Before the store, which another process may take to a later generation meanwhile.
    mark = read_mark(directory)
    connection = connect(path)
    try:
        database = Database(connection, path=path)
        row = database.row("PRAGMA user_version")
        check_format(path, row[0] if row else 0)
        connection.execute("BEGIN")
        meta = read_meta(database)
        _check_mark(path, mark, meta)
        if fingerprint is not None:
            check_fingerprint(path, meta, fingerprint)
        check_documents(database, meta)
        connection.execute("COMMIT")
        if connection.execute("PRAGMA journal_mode").get != "wal":
            connection.execute("PRAGMA journal_mode = WAL")
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
    except BaseException:
        connection.close()
        raise
    return connection, meta


def put_in_place(prepared: Path, directory: Path, *, aside: Path) -> bool:
    """Move a prepared directory to where a store is opened, one that is there aside.

    After a crash the old store is in place or, at the next opening, the new one. Returns whether
    there was an old one.
    """
    restored = directory.with_name(_RESTORED.format(name=directory.name))
    if restored.exists():  # of a restoring that was killed
        shutil.rmtree(restored)
    prepared.rename(restored)
    sync(directory.parent)
    replaced = directory.exists()
    if replaced:
        aside.parent.mkdir(parents=True, exist_ok=True)
        directory.rename(aside)
        sync(aside.parent)
    _moved(restored, directory)
    sync(directory.parent)
    return replaced


def _moved(restored: Path, directory: Path) -> bool:
    """Move a restored store into its place; return False where another process was quicker."""
    try:
        restored.rename(directory)
    except FileNotFoundError:
        if not directory.exists():
            raise
        return False
    return True


def update_mark(database: Database) -> None:
    """Write the mark of the generation that is reached, unless it says so already."""
    directory = database.path.parent
    database.connection.execute("BEGIN IMMEDIATE")  # keeps other processes from going back
    try:
        meta = read_meta(database)
        mark = Mark(identity=meta.identity, generation=meta.generation)
        if read_mark(directory) != mark:
            write_mark(directory, mark)
    finally:
        database.connection.execute("ROLLBACK")


def check_fingerprint(path: Path, meta: Meta, fingerprint: str) -> None:
    """Raise StaleIndex, saying what differs, for a store of other settings."""
    if meta.fingerprint != fingerprint:
        raise StaleIndex(
            f"The index at {path} was built with {differing(meta.fingerprint, fingerprint)}, the "
            f"settings in force are {differing(fingerprint, meta.fingerprint)}. Bring it up to "
            f"them with rag reindex --collection {path.parent.name}, or restore the former "
            "settings."
        )


def _check_mark(path: Path, mark: Mark | None, meta: Meta) -> None:
    if mark is None:
        # Nothing else tells of later writes that were lost together with the log.
        check_log(path)
        return
    if mark.identity != meta.identity:
        raise damaged(path, f"{MARK_NAME} beside it is another index's")
    if mark.generation > meta.generation:
        raise damaged(
            path,
            f"it is at generation {meta.generation}, but had reached {mark.generation}, so that "
            "later writes are missing",
        )


def _create(path: Path, *, fingerprint: str) -> None:
    """Make an empty store, whole from the first moment on that others see it."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        connection = apsw.Connection(str(temporary))
        try:
            # All of this is in the file itself before it has a write-ahead log.
            connection.execute(f"PRAGMA synchronous = EXTRA; BEGIN; {SCHEMA}")
            write_meta(Database(connection, path=path), Meta(fingerprint=fingerprint))
            connection.execute("COMMIT; PRAGMA journal_mode = WAL")
        finally:
            connection.close()
        try:
            os.link(temporary, path)
        except FileExistsError:
            return  # another process was quicker
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
