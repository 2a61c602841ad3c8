"""The mark: a tiny file that tells which generation a store has reached.

It is written after each transaction. A store's file that is behind it is an older copy, or lost a
part of its write-ahead log, which SQLite itself takes for a sound database. The mark of a process
that was killed between the two is behind instead, which is no harm.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rag.durable import replace_file
from rag.store.checksums import checksum

FILE_NAME: Final = "store.generation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Which store has reached which generation."""

    identity: str
    generation: int


def read_mark(directory: Path) -> Mark | None:
    """Return a directory's mark, None where there is none that is whole."""
    try:
        words = (directory / FILE_NAME).read_bytes().decode("ascii").split(" ")
        identity, generation, seal = words
        mark = Mark(identity=identity, generation=int(generation))
    except (FileNotFoundError, ValueError):
        return None
    return mark if _seal(mark) == seal else None


def write_mark(directory: Path, mark: Mark) -> None:
    """Put a directory's mark in the place of the one before, on the disk when this returns.

    The caller excludes other writers of the same directory.
    """
    text = f"{mark.identity} {mark.generation} {_seal(mark)}"
    replace_file(directory / FILE_NAME, text.encode("ascii"))


def _seal(mark: Mark) -> str:
    return checksum((mark.identity, mark.generation)).hex()
