"""Reads files in a process of its own, with limits: a hostile file cannot stop the service.

The child (`rag.sources.child`) is a fresh interpreter, never a fork of this process and its
threads. It gets no open files but two pipes, none of the environment, and a session of its own, out
of reach of a terminal's Ctrl-C; it ends when this process does, at the latest when its time for the
file in hand is over. It reads many files, since to load its libraries takes most of a second, and
is replaced after a limit, a crash and a number of files. What it answers is checked (`process`): it
may say anything once a file has taken it over.

Memory is bounded on Linux only; elsewhere the limits of time and text hold alone.
"""

import logging
import threading
from typing import Final

from rag.documents import Document
from rag.errors import BeyondLimit, RagError, SourceError
from rag.sources.content import to_document
from rag.sources.limits import Limits
from rag.sources.process import ParserProcess

_FILES: Final = 1000  # that one child reads: libraries keep some memory of each
_LOG: Final = logging.getLogger(__name__)


class IsolatedParser:
    """Reads files one at a time in a child process, which starts with the first; safe for threads.

    Has to be closed.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits: Final = limits
        self._lock: Final = threading.Lock()
        self._child: ParserProcess | None = None

    @property
    def largest(self) -> int:
        """The size in bytes above which a file is refused unread."""
        return self._limits.memory

    def start(self) -> None:
        """Start the child, without waiting for it, so that the first file need not."""
        with self._lock:
            self._ready()

    def read(self, data: bytes, *, name: str, uri: str) -> list[Document]:
        """Read a file as `rag.sources.read_bytes` does; raises BeyondLimit beside its errors.

        Raises Busy where the child cannot be started now.
        """
        if len(data) > self.largest:
            raise self._limits.too_large()
        with self._lock:
            child = self._ready()
            sound = False
            try:
                extracts = child.read(data, name=name)
                sound = child.files < _FILES
            except BeyondLimit:
                raise
            except SourceError:
                sound = not child.ended
                raise
            finally:  # an interrupted exchange must not answer the next question
                if not sound:
                    self._stop()
                    self._prepare()
        return [to_document(one, name=name, uri=uri, data=data) for one in extracts]

    def break_off(self) -> None:
        """End the child without waiting for the file in hand, of which the reading fails."""
        child = self._child
        if child is not None:
            child.kill()

    def close(self) -> None:
        """End the child, if there is one."""
        with self._lock:
            self._stop()

    def _prepare(self) -> None:
        """Start the next child, which loads its libraries while the caller goes on."""
        try:
            self._ready()
        except RagError as error:  # the next file tries again
            _LOG.warning("%s", error)

    def _ready(self) -> ParserProcess:
        if self._child is not None and self._child.ended:
            self._stop()
        if self._child is None:
            self._child = ParserProcess(self._limits)
        return self._child

    def _stop(self) -> None:
        if self._child is not None:
            self._child.close()
            self._child = None
