"""What passes between the driver and the stages: one row of MessagePack a file or document.

Rows of one file follow one another, and files come back in the order they were given. `number`
counts the files from 0; the driver alone knows which is which.
"""

from typing import Final

import msgspec

from rag.chunks import Chunk
from rag.documents import Document


class Given(msgspec.Struct, tag=True, frozen=True, kw_only=True):
    """A file to take in.

    `path` is as the driver's file system has it. `versions` are the digests of what is stored
    already of this file, by uri: one document, or many where each record is one.
    """

    number: int
    path: bytes
    uri: str
    versions: dict[str, str]


class Loaded(msgspec.Struct, tag=True, frozen=True, kw_only=True):
    """A file's bytes."""

    number: int
    name: bytes
    uri: str
    versions: dict[str, str]
    data: bytes


class Stored(msgspec.Struct, tag=True, frozen=True, kw_only=True):
    """A file, or a record of one, whose bytes are stored already."""

    number: int


class Refused(msgspec.Struct, tag=True, frozen=True, kw_only=True):
    """A file that cannot be taken in, and why."""

    number: int
    reason: str


class Cut(msgspec.Struct, tag=True, frozen=True, kw_only=True):
    """A document and its chunks."""

    number: int
    document: Document
    chunks: list[Chunk]


class Embedded(msgspec.Struct, tag=True, frozen=True, kw_only=True):
    """A document, its chunks and their vectors: little-endian float32, a row a chunk."""

    number: int
    document: Document
    chunks: list[Chunk]
    vectors: bytes


Row = Given | Loaded | Stored | Refused | Cut | Embedded

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Row)


def encode(row: Row) -> bytes:
    """Return a row as it travels."""
    return _ENCODER.encode(row)


def decode(data: bytes) -> Row:
    """Return a row that has travelled; raise msgspec.DecodeError for what is none."""
    row: Row = _DECODER.decode(data)
    return row
