"""Files that are whole and on the disk, whatever happens meanwhile."""

import errno
import os
from pathlib import Path
from typing import Final

NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
TOO_MANY_FILES: Final = frozenset({errno.EMFILE, errno.ENFILE})


def replace_file(path: Path, data: bytes) -> None:
    """Write a whole file in one step: after a crash it is the old one or the new one.

    It is on the disk when this returns. The caller excludes other writers of the same file.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Put on the disk what a file holds, or which names a directory has."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
