"""Which files a path stands for."""

import os
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from rag.errors import UnreadableFile


def find_files(path: Path) -> Iterator[Path]:
    """Yield `path` itself if it is a file, else every regular file below it, in sorted order.

    Below a directory, hidden files and directories are skipped, and links to directories are not
    followed (so no loop can arise). Files of unknown kinds are yielded too: reading them says by
    name why they cannot be taken in. So are, at the end, directories that cannot be listed: reading
    them says why, and the others are found all the same. Raises UnreadableFile where `path` does
    not exist, cannot be looked at, or is neither a file nor a directory.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        message = f"{path} cannot be opened ({reason}): check the path and its permissions"
        raise UnreadableFile(message) from error
    if S_ISREG(mode):
        yield path
        return
    if not S_ISDIR(mode):
        message = f"{path} is neither a file nor a directory: check the path"
        raise UnreadableFile(message)
    refused: list[OSError] = []
    for directory, directories, files in os.walk(path, onerror=refused.append):
        directories[:] = sorted(name for name in directories if not name.startswith("."))
        for name in sorted(files):
            file = Path(directory, name)
            if not name.startswith(".") and _is_regular(file):
                yield file
    yield from (Path(error.filename) for error in refused)


def _is_regular(file: Path) -> bool:
    try:
        return file.is_file()
    except PermissionError:
        return True  # reading it says so, by name
