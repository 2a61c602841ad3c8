"""The queue on disk: a job that was acknowledged survives a kill and a power cut."""

import hashlib
import os
import secrets
import shutil
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import apsw
import msgspec

from rag.durable import NO_ROOM, TOO_MANY_FILES, sync
from rag.errors import Busy, Conflict, DamagedStore, NotFound, StoreError, StoreFull
from rag.jobs.job import OPEN, Job, Outcome, Upload
from rag.store.checksums import checksum

# Each commit is on the disk, and the journal's end with it.
_SCHEMA: Final = """
PRAGMA synchronous = EXTRA;
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    content TEXT NOT NULL,
    checksum BLOB NOT NULL
) STRICT
"""
_BUSY_TIMEOUT_MS: Final = 30_000
_RETRY_AFTER: Final = 10
_IS_OPEN: Final = f"status IN {OPEN}"
_DAMAGE: Final = (apsw.CorruptError, apsw.NotADBError, apsw.SQLError, apsw.MismatchError)


class JobQueue:
    """The jobs of a home, in the order of their coming; safe to use from threads and processes.

    At most `capacity` jobs are open, and the last `keep` finished ones are remembered. With less
    than `min_free_bytes` free on the disk no upload is taken.
    """

    def __init__(
        self, home: Path, *, capacity: int, keep: int = 1000, min_free_bytes: int = 0
    ) -> None:
        self._path: Final = home / "jobs.sqlite"
        self._uploads: Final = home / "uploads"
        self._capacity: Final = capacity
        self._keep: Final = keep
        self._min_free_bytes: Final = min_free_bytes
        self._lock: Final = threading.Lock()
        with self._translated("cannot be opened"):
            self._uploads.mkdir(parents=True, exist_ok=True)
            self._connection: Final = apsw.Connection(str(self._path))
            try:
                self._connection.set_busy_timeout(_BUSY_TIMEOUT_MS)
                self._connection.execute(_SCHEMA)
                if self._connection.execute("PRAGMA quick_check").get != "ok":
                    raise self._damaged("SQLite finds it malformed")
                sync(home)
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def add(self, upload: Upload) -> Job:
        """Return the job for an upload once both are on disk.

        Raises Busy where too many are waiting, StoreFull without room, StoreError by the disk.
        """
        self._require_room(len(upload.data))
        job = Job(
            id=secrets.token_hex(8),
            collection=upload.collection,
            kind=upload.kind,
            name=upload.name,
            uri=upload.uri,
            size=len(upload.data),
            sha256=hashlib.sha256(upload.data).hexdigest(),
            status="waiting",
            created=_now(),
        )
        file = self._uploads / job.id
        try:
            with self._transaction("the upload was not taken"):
                # Inside the transaction, so that `recover` does not take the file for a leftover.
                waiting = len(self._jobs(f"WHERE {_IS_OPEN}"))
                if waiting >= self._capacity:
                    raise Busy(
                        f"{waiting} uploads are waiting already. Try again when some are done.",
                        retry_after=_RETRY_AFTER,
                    )
                with file.open("xb") as stream:
                    stream.write(upload.data)
                    stream.flush()
                    os.fsync(stream.fileno())
                sync(self._uploads)
                self._write(job)
        except BaseException:
            file.unlink(missing_ok=True)
            raise
        return job

    def get(self, id_: str) -> Job:
        """Return a job; raise NotFound where none has this id, or no longer."""
        with self._lock, self._translated("cannot be read"):
            return self._job(id_)

    def latest(self, *, limit: int, collections: Collection[str] | None = None) -> list[Job]:
        """Return the latest jobs, of some collections or of all, the newest first."""
        with self._lock, self._translated("cannot be read"):
            if collections is None:
                return self._jobs("ORDER BY number DESC LIMIT ?", (limit,))
            # As many as may be: all that are remembered.
            found = self._jobs("ORDER BY number DESC")
        return [job for job in found if job.collection in collections][:limit]

    def open_jobs(self, collection: str) -> list[Job]:
        """Return a collection's jobs that are not finished, in order."""
        with self._lock, self._translated("cannot be read"):
            found = self._jobs(f"WHERE {_IS_OPEN} ORDER BY number")
        return [job for job in found if job.collection == collection]

    def take(self) -> Job | None:
        """Return the first job that is not finished, as running now; None where there is none.

        One process alone may do so: a job that is said to be running was left by another.
        """
        with self._transaction("no job was begun"):
            for job in self._jobs(f"WHERE {_IS_OPEN} ORDER BY number LIMIT 1"):
                taken = replace(job, status="running")
                self._write(taken)
                return taken
        return None

    def data(self, job: Job) -> bytes:
        """Return the upload's bytes.

        Raises DamagedStore where they are not what came, StoreError while no file can be opened.
        """
        try:
            data = (self._uploads / job.id).read_bytes()
        except OSError as error:
            if error.errno in TOO_MANY_FILES:
                raise StoreError(
                    f"The upload of {job.name!r} cannot be read now: {error}. Raise the limit of "
                    "open files."
                ) from error
            raise DamagedStore(
                f"The upload of {job.name!r} cannot be read ({error.strerror}). Send it again."
            ) from error
        if hashlib.sha256(data).hexdigest() != job.sha256:
            raise DamagedStore(f"The upload of {job.name!r} was altered on disk. Send it again.")
        return data

    def advance(self, job: Job, *, embedded: int, chunks: int) -> None:
        """Note how far a job is."""
        self._change(job, embedded=embedded, chunks=chunks)

    def interrupt(self, job: Job) -> None:
        """Put a running job back, to be taken first the next time."""
        self._change(job, status="interrupted")

    def finish(self, job: Job, outcome: Outcome) -> None:
        """Note that a job is done, and drop the upload."""
        self._end(job, status="done", generation=outcome.generation, documents=outcome.documents)

    def fail(self, job: Job, error: str) -> None:
        """Note why a job failed, and drop the upload."""
        self._end(job, status="failed", error=error)

    def cancel(self, id_: str) -> None:
        """Take a job that waits out of the queue; raise Conflict if its turn has come."""
        with self._transaction("the job was not cancelled"):
            job = self._job(id_)
            if job.status not in {"waiting", "interrupted"}:
                raise Conflict(f"The job {id_!r} is {job.status} and can no longer be cancelled.")
            self._write(replace(job, status="cancelled", finished=_now()))
        self._drop(job)

    def recover(self) -> None:
        """Mark what a process that was killed was working at, and drop uploads of no open job."""
        with self._transaction("the jobs were not taken up again"):
            for job in self._jobs("WHERE status = 'running'"):
                self._write(replace(job, status="interrupted"))
            kept = {job.id for job in self._jobs(f"WHERE {_IS_OPEN}")}
            for file in self._uploads.iterdir():
                if file.name not in kept:
                    file.unlink()

    def _end(self, job: Job, **changes: Any) -> None:  # noqa: ANN401  (fields of Job)
        self._change(job, finished=_now(), **changes)
        self._drop(job)
        with self._transaction("old jobs were not forgotten"):
            self._connection.execute(
                f"DELETE FROM jobs WHERE NOT {_IS_OPEN} AND number <= "  # noqa: S608
                f"(SELECT number FROM jobs WHERE NOT {_IS_OPEN} ORDER BY number DESC "
                "LIMIT 1 OFFSET ?)",
                (self._keep,),
            )

    def _change(self, job: Job, **changes: Any) -> Job:  # noqa: ANN401  (fields of Job)
        changed = replace(job, **changes)
        with self._transaction("a job was not noted"):
            self._write(changed)
        return changed

    def _drop(self, job: Job) -> None:
        with self._translated("the upload was not deleted"):
            (self._uploads / job.id).unlink(missing_ok=True)

    def _write(self, job: Job) -> None:
        """Insert a job, or put it in the place of what was known of it."""
        content = msgspec.json.encode(job).decode()
        row = (job.id, job.status, content)
        self._connection.execute(
            "INSERT INTO jobs (id, status, content, checksum) VALUES (?, ?, ?, ?) ON CONFLICT (id) "
            "DO UPDATE SET status = excluded.status, content = excluded.content, "
            "checksum = excluded.checksum",
            (*row, checksum(row)),
        )

    def _job(self, id_: str) -> Job:
        found = self._jobs("WHERE id = ?", (id_,))
        if not found:
            raise unknown_job(id_)
        return found[0]

    def _jobs(self, condition: str, values: tuple[str | int, ...] = ()) -> list[Job]:
        query = f"SELECT id, status, content, checksum FROM jobs {condition}"  # noqa: S608
        rows: list[tuple[Any, ...]] = self._connection.execute(query, values).fetchall()
        if altered := [row[0] for row in rows if checksum(row[:-1]) != row[-1]]:
            raise self._damaged(f"the job {altered[0]!r} is altered")
        return [msgspec.json.decode(row[2], type=Job) for row in rows]

    @contextmanager
    def _transaction(self, outcome: str) -> Iterator[None]:
        with self._lock, self._translated(outcome):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    @contextmanager
    def _translated(self, outcome: str) -> Iterator[None]:
        """Turn what SQLite and the system raise inside into errors that say what to do."""
        try:
            yield
        except (*_DAMAGE, UnicodeDecodeError) as error:
            raise self._damaged(str(error)) from error
        except (apsw.Error, OSError) as error:
            number = error.errno if isinstance(error, OSError) else None
            if isinstance(error, apsw.FullError) or number in NO_ROOM:
                raise StoreFull(
                    f"{self._path}: {outcome}, there is no room on the disk. Make some."
                ) from error
            raise StoreError(
                f"{self._path}: {outcome}: {error}. Check the disk, the directory's permissions "
                "and the limit of open files, then try again."
            ) from error

    def _require_room(self, size: int) -> None:
        with self._translated("the upload was not taken"):
            free = shutil.disk_usage(self._uploads).free
        if free < self._min_free_bytes + size:
            raise StoreFull(
                f"Only {free / 1e6:,.0f} MB are free at {self._uploads}, too little for this "
                "upload. Make room, or set RAG_MIN_FREE_BYTES lower."
            )

    def _damaged(self, what: str) -> DamagedStore:
        return DamagedStore(
            f"{self._path} is damaged: {what}. Move it away; uploads that were waiting lie in "
            f"{self._uploads}."
        )


def unknown_job(id_: str) -> NotFound:
    """Return the error for an id of no job."""
    return NotFound(f"There is no job {id_!r}. Finished ones are forgotten after a time.")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
