"""The header of a store's file, looked at before SQLite touches the file.

Offsets are those of https://www.sqlite.org/fileformat2.html#the_database_header.
"""

from pathlib import Path
from typing import Final

import apsw

from rag.errors import StaleIndex
from rag.store.database import damaged
from rag.store.schema import APPLICATION_ID, FORMAT

_SIZE: Final = 100
_MAGIC: Final = b"SQLite format 3\x00"
_LOG_MAGIC: Final = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")


def check_header(path: Path) -> None:
    """Raise DamagedStore for a file of another kind, StaleIndex for one of another format."""
    with path.open("rb") as file:
        header = file.read(_SIZE)
    if len(header) < _SIZE or not header.startswith(_MAGIC):
        raise damaged(path, "it is no SQLite file, or the beginning is lost")
    if int.from_bytes(header[68:72]) == APPLICATION_ID:
        check_format(path, int.from_bytes(header[60:64]))
    elif _is_first_format(path):
        check_format(path, 1)
    else:
        raise damaged(path, "it is another program's, or its header is altered")


def check_log(path: Path) -> None:
    """Raise DamagedStore where what lies in the write-ahead log's place is none."""
    try:
        with path.with_name(f"{path.name}-wal").open("rb") as file:
            magic = file.read(4)
    except FileNotFoundError:
        return
    if magic and magic not in _LOG_MAGIC:
        raise damaged(path, "its write-ahead log is lost, so that later writes may be missing")


def check_format(path: Path, found: int) -> None:
    """Raise StaleIndex for a format that this version does not read."""
    if found != FORMAT:
        raise StaleIndex(
            f"The index at {path} has format {found}, this version reads {FORMAT}. Move "
            f"{path.parent} away and ingest the documents again."
        )


def open_immutable(path: Path) -> apsw.Connection:
    """Open a file for reading without making files beside it, its write-ahead log left aside."""
    return apsw.Connection(
        f"{path.absolute().as_uri()}?immutable=1",
        flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI,
    )


def _is_first_format(path: Path) -> bool:
    """Tell whether this is an index of the format that had no mark of its own in the header."""
    try:
        connection = open_immutable(path)
        try:
            found = connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
        finally:
            connection.close()
    except (apsw.Error, UnicodeDecodeError):
        return False
    return found == ("1",)
