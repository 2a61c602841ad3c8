"""Memory goes back to the system."""

import os
import subprocess
import sys

import pytest

_GLIBC = "CS_GNU_LIBC_VERSION" in getattr(os, "confstr_names", {})

# As uploads do in the threads of a service: large blocks come and go, small ones stay between them.
_LOAD = """
import sys, threading
from pathlib import Path
from rag.memory import return_large_blocks

def resident():
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))

def uploads():
    for size in (10_000_000, 8_000_000, 8_000_000):
        block = b"x" * size
        kept.append(b"y" * 1000)
        del block

if sys.argv[1] == "returning":
    return_large_blocks()
kept = []
before = resident()
for _ in range(4):
    thread = threading.Thread(target=uploads)
    thread.start()
    thread.join()
print(resident() - before)
"""


@pytest.mark.skipif(not _GLIBC, reason="other C libraries keep memory in other ways")
def test_freed_blocks_go_back() -> None:
    """What is left of uploads of 10 MB is next to nothing; as glibc is, it is a whole one."""

    def grown(how: str) -> int:
        command = [sys.executable, "-c", _LOAD, how]
        return int(subprocess.run(command, capture_output=True, check=True).stdout)

    assert grown("returning") < 1_000_000
    assert grown("keeping") > 7_000_000
