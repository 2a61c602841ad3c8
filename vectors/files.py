"""The file of a saved index: written in one step, verified before it is interpreted.

    8 bytes    magic
    32 bytes   SHA-256 of all that follows
    4 bytes    length of the header, little endian
    header     JSON: format, kind, dim, rows, stamp
    payload    the driver's own

A library that is handed a file with a flipped bit answers wrongly, or ends the process, without a
word; hence the digest covers everything, and one pass over the file checks it first.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from vectors.index import DamagedFile, UnknownFile

_MAGIC = b"VECTORS\x00"
_FORMAT = 1
_DIGEST_SIZE = hashlib.sha256().digest_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a file says of itself; `rows` counts the rows of its payload."""

    kind: str
    dim: int
    rows: int
    stamp: str


Write = Callable[[bytes], int]


def write_file(path: Path, header: Header, write_payload: Callable[[Write], None]) -> None:
    """Put a file at `path`, which keeps its old content until the new one is on the disk."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            _write(file, header, write_payload)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)  # without it a power cut can undo the renaming
    finally:
        os.close(directory)


def _write(file: BinaryIO, header: Header, write_payload: Callable[[Write], None]) -> None:
    digest = hashlib.sha256()

    def write(data: bytes) -> int:
        digest.update(data)
        return file.write(data)

    text = json.dumps({"format": _FORMAT, **asdict(header)}).encode()
    file.write(_MAGIC + bytes(_DIGEST_SIZE))
    write(len(text).to_bytes(4, "little"))
    write(text)
    write_payload(write)
    file.seek(len(_MAGIC))
    file.write(digest.digest())


@contextmanager
def verified_file(path: Path, *, kinds: tuple[str, ...]) -> Iterator[tuple[Header, BinaryIO]]:
    """Open the file at `path`, placed at its payload; raise before that if it is not whole."""
    with path.open("rb") as file:
        start = len(_MAGIC) + _DIGEST_SIZE
        head = file.read(start)
        digest = hashlib.file_digest(file, "sha256").digest()
        if head != _MAGIC + digest:
            msg = f"{path}: not an index as it was saved (checksum); delete it and build it again"
            raise DamagedFile(msg)
        file.seek(start)
        fields: dict[str, Any] = json.loads(file.read(int.from_bytes(file.read(4), "little")))
        if fields.pop("format") != _FORMAT or fields["kind"] not in kinds:
            msg = f"{path}: saved by another version or driver; build the index again"
            raise UnknownFile(msg)
        yield Header(**fields), file


def read_array(file: BinaryIO, dtype: npt.DTypeLike, count: int) -> npt.NDArray[Any]:
    """Return the next `count` numbers of a verified file."""
    kind = np.dtype(dtype)
    return np.frombuffer(file.read(count * kind.itemsize), dtype=kind, count=count)
