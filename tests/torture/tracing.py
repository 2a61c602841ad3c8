"""strace, attached to a process that is about to write: lists its system calls, or spoils one."""

import functools
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

# Whatever changes files or directories, or puts changes on the disk, with its two-directory form.
CALLS: Final = (
    "write,pwrite64,fsync,fdatasync,ftruncate,fallocate,openat,"
    "rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,"
    "copy_file_range,sendfile"
)
WRITES: Final = ("write", "pwrite64")
_CALL: Final = re.compile(r"^(\w+)\(")


@functools.cache
def unusable() -> str:
    """Return why strace cannot be used here; nothing if it can."""
    if not shutil.which("strace"):
        return "strace is not installed: apt-get install strace"
    tried = subprocess.run(
        ["strace", "-e", "trace=openat", "-e", "inject=openat:delay_enter=1", "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if tried.returncode == 0 else f"strace may not trace: {tried.stderr.strip()[-200:]}"


@contextmanager
def tracing(process: int, log: Path, *, inject: str = "") -> Iterator[None]:
    """Trace a process meanwhile; `inject` is what strace is to do, as in strace(1)."""
    command = ["strace", "-p", str(process), "-o", str(log), "-e", f"trace={CALLS}"]
    if inject:
        command += ["-e", f"inject={inject}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr is not None
        attached = strace.stderr.readline()
        assert attached.endswith("attached\n"), attached
        yield
        # Where the process has ended already strace has, too.
        strace.send_signal(signal.SIGINT)
        strace.communicate(timeout=30)


def counted(log: Path) -> Counter[str]:
    """Return how many calls there were of each kind, in the order of their first ones."""
    found = (_CALL.match(line) for line in log.read_text().splitlines())
    return Counter(match[1] for match in found if match)
