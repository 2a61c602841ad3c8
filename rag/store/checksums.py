"""Checksums of rows (BLAKE2b of 16 bytes, RFC 7693) and of sets of rows.

They find accidents, not forgery. The checksum of a set is the sum of its rows' checksums modulo
2^128 (Bellare and Micciancio, 1997), so that it does not depend on their order and is brought up to
date at the cost of the rows that change.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

import msgspec

Value: TypeAlias = str | int | bytes | float | None

SIZE: Final = 16
NOTHING: Final = bytes(SIZE)

_ENCODER: Final = msgspec.msgpack.Encoder()
_MODULUS: Final = 1 << (8 * SIZE)


def checksum(values: Sequence[Value]) -> bytes:
    """Return the checksum of a row's values, in which types and borders count (MessagePack)."""
    return hashlib.blake2b(_ENCODER.encode(values), digest_size=SIZE).digest()


def added(total: bytes, checksums: Iterable[bytes]) -> bytes:
    """Return the checksum of a set after rows with these checksums came to it."""
    return _changed(total, sum(int.from_bytes(each) for each in checksums))


def removed(total: bytes, checksums: Iterable[bytes]) -> bytes:
    """Return the checksum of a set after rows with these checksums left it."""
    return _changed(total, -sum(int.from_bytes(each) for each in checksums))


def _changed(total: bytes, by: int) -> bytes:
    return ((int.from_bytes(total) + by) % _MODULUS).to_bytes(SIZE)
