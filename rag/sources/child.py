"""The process that reads files for `rag.sources.isolation`: `python -m rag.sources.child LIMITS`.

It takes requests on standard input and answers on standard output (see `frames`) until its input
ends. Before the first one it has loaded all readers and given up what it does not need: memory
beyond the limit, files of its own, the network. What an operating system cannot enforce it leaves
to the parent's clock: memory is bounded on Linux only, the network is closed on Linux where user
namespaces are allowed.
"""

import ctypes
import gc
import os
import signal
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import BinaryIO

import msgspec
from lxml import etree

from rag.errors import BeyondLimit, BrokenFile, SourceError
from rag.sources import READERS, extract
from rag.sources.frames import Fault, Outcome, Refused, Taken, read_frame, write_frame
from rag.sources.limits import RECORDS, Limits
from rag.tracebacks import without_messages

_OPEN_FILES = 64
_LONGEST_REASON = 200
_NEW_USER = 0x10000000  # CLONE_NEWUSER and CLONE_NEWNET of linux/sched.h
_NEW_NETWORK = 0x40000000


def main() -> None:
    """Serve until the parent closes the pipe."""
    limits = msgspec.json.decode(sys.argv[1], type=Limits)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    source, sink = _take_pipes()
    for reader in READERS:
        import_module(reader)
    gc.freeze()  # what is loaded now is not looked through again with every file
    if sys.platform == "linux":
        _leave_network()
    if os.name == "posix":
        _limit(limits)
    write_frame(sink, b"")  # ready
    sink.flush()
    os.dup2(1, 2)  # from here on nobody listens to what libraries complain about
    while True:
        try:
            name = read_frame(source, limit=sys.maxsize).decode("utf-8", "surrogatepass")
        except EOFError:
            return
        _set_alarm(limits.seconds + 1)
        _answer(sink, name=name, data=read_frame(source, limit=sys.maxsize), limits=limits)
        _set_alarm(0)


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Return standard input and output, and put the null device in their places.

    So what a library prints is no part of an answer.
    """
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)
    return source, sink


def _answer(sink: BinaryIO, *, name: str, data: bytes, limits: Limits) -> None:
    outcome, payloads = _outcome(data, name=name, limits=limits)
    write_frame(sink, msgspec.msgpack.encode(outcome))
    for payload in payloads:
        write_frame(sink, payload)
    sink.flush()


def _outcome(data: bytes, *, name: str, limits: Limits) -> tuple[Outcome, list[bytes]]:
    payloads: list[bytes] = []
    try:
        for one in extract(data, name=name):
            limits.check(one)
            if len(payloads) == RECORDS:
                message = f"the file has more than {RECORDS:,} records: split it"
                raise BeyondLimit(message)
            payloads.append(msgspec.msgpack.encode(one))
    except SourceError as error:
        if not _out_of_memory(error):
            return _refused(error), []
    except RecursionError:
        message = "the file is nested too deeply to be read: simplify it"
        return _refused(BrokenFile(message)), []
    except MemoryError:
        pass
    except Exception as error:  # noqa: BLE001  (the parent logs it: one file must not end the others)
        reason = traceback.format_exception_only(error)[-1].strip()
        return Fault(report=without_messages(error), reason=reason[:_LONGEST_REASON]), []
    else:
        return Taken(documents=len(payloads)), payloads
    return _refused(limits.too_large()), []  # here the memory that it took is free again


def _out_of_memory(error: SourceError) -> bool:
    """Tell whether libxml2 took for damage what was lack of memory."""
    cause = error.__cause__
    code = getattr(cause, "code", None) if isinstance(cause, etree.LxmlError) else None
    return bool(code == etree.ErrorTypes.ERR_NO_MEMORY)


def _refused(error: SourceError) -> Refused:
    # A name with bytes that are not UTF-8 may be part of the message.
    message = str(error).encode("utf-8", "backslashreplace").decode()
    return Refused(error=type(error).__name__, message=message)


def _set_alarm(seconds: int) -> None:
    """Let the system end this process after so many seconds, should the parent be gone by then."""
    if os.name == "posix":
        signal.alarm(seconds)


def _leave_network() -> None:
    """Move into a network namespace of its own, where there is nothing to reach."""
    libc = ctypes.CDLL(None)
    libc.unshare(_NEW_USER | _NEW_NETWORK)  # refused by some systems, which is their choice


def _limit(limits: Limits) -> None:
    import resource  # noqa: PLC0415  (not on Windows)

    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, 0)  # files cannot be written
    _lower(resource.RLIMIT_NOFILE, _OPEN_FILES)
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        taken = next(line for line in status.splitlines() if line.startswith("VmData:"))
        _lower(resource.RLIMIT_DATA, int(taken.split()[1]) * 1024 + limits.memory)


def _lower(kind: int, value: int) -> None:
    import resource  # noqa: PLC0415

    _, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


if __name__ == "__main__":
    main()
