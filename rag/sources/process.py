"""A child process that reads files, from the parent's side: its start, its answers, its end."""

import errno
import logging
import os
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from rag import errors
from rag.durable import TOO_MANY_FILES
from rag.errors import BrokenFile, Busy, RagError, SourceError
from rag.sources.content import Extract
from rag.sources.frames import Fault, Outcome, Refused, check, read_frame, write_frame
from rag.sources.limits import PARTS, RECORDS, Limits

_START_SECONDS: Final = 60
# What a system says that has too little left for another process now.
_SHORT: Final = TOO_MANY_FILES | {errno.EAGAIN, errno.ENOMEM}
# The environment variables without which an interpreter may not find its libraries.
_NEEDED: Final = ("DYLD_LIBRARY_PATH", "LD_LIBRARY_PATH", "SYSTEMROOT")
_ERRORS: Final = {
    name: class_
    for name, class_ in vars(errors).items()
    if isinstance(class_, type) and issubclass(class_, SourceError)
}
_LONGEST_MESSAGE: Final = 4000
_LOG: Final = logging.getLogger(__name__)
_OUTCOME: Final = msgspec.msgpack.Decoder(Outcome)
_EXTRACT: Final = msgspec.msgpack.Decoder(Extract)


class ParserProcess:
    """One child process, which starts at once; `files` counts those it was given.

    Raises Busy where the system has too little left to start one now.
    """

    def __init__(self, limits: Limits) -> None:
        places = (os.path.abspath(place) for place in sys.path)  # noqa: PTH100  ("" is this one)
        path = os.pathsep.join(place for place in places if Path(place).exists())
        environment = {key: os.environ[key] for key in _NEEDED if key in os.environ}
        self._limits: Final = limits
        self._started = False
        self.files = 0
        try:
            with ExitStack() as failing, ExitStack() as theirs:
                # Not subprocess.PIPE, which loses one pipe where the other cannot be made.
                source, self._in = _pipe()
                theirs.enter_context(source)
                failing.enter_context(self._in)
                self._out, sink = _pipe()
                theirs.enter_context(sink)
                failing.enter_context(self._out)
                self._process: Final = subprocess.Popen(  # noqa: S603  (our own module)
                    [
                        *(sys.executable, "-P", "-B", "-m", "rag.sources.child"),
                        msgspec.json.encode(limits).decode(),
                    ],
                    stdin=source,
                    stdout=sink,
                    cwd=os.sep,
                    env={**environment, "PYTHONPATH": path, "PYTHONUTF8": "1"},
                    start_new_session=True,
                )
                failing.pop_all()
        except OSError as error:
            message = f"The process that reads files cannot be started: {error}."
            if error.errno not in _SHORT:
                raise RagError(f"{message} `rag doctor` checks the installation.") from error
            raise Busy(
                f"{message} Raise the limits of open files and memory, or try again soon."
            ) from error

    @property
    def ended(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def read(self, data: bytes, *, name: str) -> list[Extract]:
        """Let the child read a file; raise SourceError as it does, or for what became of it."""
        if not self._started:
            self._await_start()
        self.files += 1
        clock = _Clock(self._process, seconds=self._limits.seconds)
        try:
            with clock:
                write_frame(self._in, name.encode("utf-8", "surrogatepass"))
                write_frame(self._in, data)
                self._in.flush()
                return self._reply(len(data))
        except (EOFError, OSError) as error:
            raise self._end(late=clock.rang) from error
        except (ValueError, msgspec.MsgspecError) as error:
            self._process.kill()
            self._process.wait()
            reason = {"reason": str(error)}
            _LOG.error("The process that reads files answers nonsense", extra={"text": reason})
            message = "the file makes its reader answer nonsense: it is damaged; get it again"
            raise BrokenFile(message) from error
        finally:
            if clock.rang:  # it may have answered at the last moment
                self._process.wait()

    def kill(self) -> None:
        """Kill the process, from any thread."""
        self._process.kill()

    def close(self) -> None:
        """Kill the process and free what it has here."""
        self._process.kill()
        self._process.wait()
        for stream in (self._in, self._out):
            with suppress(OSError):  # what was not sent yet
                stream.close()

    def _await_start(self) -> None:
        with suppress(EOFError, OSError), _Clock(self._process, seconds=_START_SECONDS):
            read_frame(self._out, limit=0)
            self._started = True
        if not self._started:
            self._process.kill()
            raise RagError(
                f"The process that reads files did not start (status {self._process.wait()}); "
                "standard error says why. Is the installation complete? `rag doctor` checks it."
            )

    def _reply(self, size: int) -> list[Extract]:
        """Return what the child answers for a file of `size` bytes, checked."""
        # Three times the text (it, title and headings, metadata), each character at most four bytes
        # long, and the numbers of each part. The records of a file are no longer than it is.
        characters = self._limits.characters
        limit = 12 * characters + 64 * PARTS
        outcome = _OUTCOME.decode(read_frame(self._out, limit=12 * _LONGEST_MESSAGE))
        if isinstance(outcome, Fault):
            reason = {"reason": outcome.reason}
            _LOG.error("A reader failed unforeseen:\n%s", outcome.report, extra={"text": reason})
            message = (
                f"its reader failed ({outcome.reason}): the file may be damaged; open it in the "
                "program it was made with and save it again"
            )
            raise BrokenFile(message)
        if isinstance(outcome, Refused):
            raise _ERRORS.get(outcome.error, BrokenFile)(outcome.message[:_LONGEST_MESSAGE])
        if outcome.documents > RECORDS:
            message = f"{outcome.documents} documents"
            raise ValueError(message)
        extracts = []
        left = max(limit, 12 * size) + 1000 * outcome.documents
        for _ in range(outcome.documents):
            frame = read_frame(self._out, limit=min(left, limit))
            left -= len(frame)
            extract = _EXTRACT.decode(frame)
            self._limits.check(extract)
            check(extract)
            extracts.append(extract)
        return extracts

    def _end(self, *, late: bool) -> SourceError:
        """Return the error that tells how the process came to its end."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        self._process.kill()
        status = self._process.wait()
        if late or status == -getattr(signal, "SIGALRM", 0):
            return self._limits.too_slow()
        if status == -getattr(signal, "SIGKILL", 0):  # as a system does that runs out of memory
            return self._limits.too_large()
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        return BrokenFile(
            f"the file makes its reader crash ({how}): it is damaged, or takes more than "
            f"{self._limits.memory:,} bytes of memory (RAG_PARSE_BYTES); open it in the program it "
            "was made with and save it again"
        )


def _pipe() -> tuple[BinaryIO, BinaryIO]:
    reading, writing = os.pipe()
    return os.fdopen(reading, "rb"), os.fdopen(writing, "wb")


class _Clock:
    """Kills a process that is not done within so many seconds; `rang` tells whether it did."""

    def __init__(self, process: subprocess.Popen[bytes], *, seconds: int) -> None:
        self.rang = False
        self._process: Final = process
        self._timer: Final = threading.Timer(seconds, self._ring)
        self._timer.daemon = True

    def _ring(self) -> None:
        self.rang = True
        self._process.kill()

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()
