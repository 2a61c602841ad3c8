"""One server a home: the second one is refused by name of the first."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from rag.errors import Conflict

FILE_NAME = "serve.lock"


@contextmanager
def only_server(home: Path) -> Iterator[Callable[[str], None]]:
    """Be a home's only server; what is given is called with the url it has.

    Raises Conflict where there is another. The lock ends with the process, however that ends.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / FILE_NAME).open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(
                f"{home} is served already{_name(file)}. Use that one, stop it first, or serve "
                "another home (--home)."
            ) from error

        def tell(url: str) -> None:
            started = datetime.now(UTC).isoformat(timespec="seconds")
            file.truncate(0)
            json.dump({"pid": os.getpid(), "url": url, "started": started}, file)
            file.flush()

        yield tell
        file.truncate(0)


def _name(file: TextIO) -> str:
    file.seek(0)
    try:
        first = json.load(file)
        return f" by process {first['pid']} at {first['url']}, started {first['started']}"
    except (ValueError, KeyError, TypeError):  # it has only just begun
        return ""
