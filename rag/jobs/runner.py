"""The thread that works at the jobs, one after the other."""

import fcntl
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

from rag.errors import Busy, DamagedStore, RagError, StaleIndex, StoreError
from rag.jobs.job import Job, Outcome, Progress
from rag.jobs.queue import JobQueue

Work: TypeAlias = Callable[[Job, bytes, Progress], Outcome]

# How long a job of another process waits, and one after an error of the disk, seconds.
_POLL: Final = 1.0
_LONGEST_POLL: Final = 60.0

_LOG: Final = logging.getLogger(__name__)


class _Stopped(Exception):
    """The service ends: the job is put back."""


class JobRunner:
    """Works at the jobs of a queue in order; of several processes over one home one does so.

    A job that was under way when the process ended is done again from its beginning; `work` must
    leave alone what is done already. So is one that the disk is in the way of (no room, too many
    open files), until it no longer is: an upload that was acknowledged is not given up for that.
    """

    def __init__(self, home: Path, queue: JobQueue, *, work: Work) -> None:
        self._lock_file: Final = home / "jobs.lock"
        self._queue: Final = queue
        self._work: Final = work
        self._stopping: Final = threading.Event()
        self._wake: Final = threading.Event()
        self._thread: Final = threading.Thread(target=self._run, name="jobs", daemon=True)

    def start(self) -> None:
        """Begin to work, first at what was interrupted."""
        self._thread.start()

    def wake(self) -> None:
        """Tell that there is a job."""
        self._wake.set()

    def stop(self) -> None:
        """Begin to end, after the step in hand."""
        self._stopping.set()
        self._wake.set()

    def close(self) -> None:
        """End after the step in hand; a job that is under way is put back."""
        self.stop()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._lock_file.open("wb") as lock:
                    if self._locked(lock):
                        self._work_off()
            except OSError as error:
                _LOG.error("The jobs cannot begin: %s. Check the disk and its limits.", error)
                self._stopping.wait(_POLL)

    def _work_off(self) -> None:
        recovered = False
        pause = _POLL
        while not self._stopping.is_set():
            try:
                if not recovered:
                    self._queue.recover()
                    recovered = True
                job = self._queue.take()
                if job is not None:
                    self._do(job)
                    pause = _POLL
                    continue
            except RagError as error:  # of the queue, or by the disk
                _LOG.error("The jobs cannot go on: %s", error)
                # A job is begun anew each time, which may be much work for nothing.
                self._stopping.wait(pause)
                pause = min(2 * pause, _LONGEST_POLL)
                continue
            self._wake.wait(_POLL)
            self._wake.clear()

    def _locked(self, lock: BinaryIO) -> bool:
        """Wait until no other process has the lock; return False if this is to end before."""
        while not self._stopping.is_set():
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._stopping.wait(_POLL)
            else:
                return True
        return False

    def _do(self, job: Job) -> None:
        def progress(embedded: int, chunks: int) -> None:
            if self._stopping.is_set():
                raise _Stopped
            self._queue.advance(job, embedded=embedded, chunks=chunks)

        try:
            outcome = self._work(job, self._queue.data(job), progress)
        except _Stopped:
            self._queue.interrupt(job)
        except (DamagedStore, StaleIndex) as error:
            self._queue.fail(job, str(error))
        except (Busy, StoreError):
            self._queue.interrupt(job)
            raise
        except RagError as error:
            if self._stopping.is_set():  # whose doing it may be
                self._queue.interrupt(job)
            else:
                self._queue.fail(job, str(error))
        except Exception as error:  # noqa: BLE001  (told to whoever asks for the job, and logged)
            _LOG.error("The job %s met an unexpected error", job.id, exc_info=error)
            self._queue.fail(job, "An unexpected error in the service. Its log says more.")
        else:
            self._queue.finish(job, outcome)
