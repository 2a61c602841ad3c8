"""pgvector's `halfvec` as PostgreSQL takes it in binary: vectors of 16-bit floats (IEEE 754)."""

import math
import struct
from typing import Final

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg.types import TypeInfo

from rag.errors import StoreError

_HEADER: Final = struct.Struct("!hh")
_LARGEST: Final = float(np.finfo(np.float16).max)


class HalfVector(bytes):
    """A vector in the binary form of `halfvec`."""

    __slots__ = ()


class _HalfVectorDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: HalfVector) -> bytes:
        """Return what is sent."""
        return obj


def register(connection: psycopg.Connection) -> None:
    """Let a connection take `HalfVector`, alone and in lists; loads pgvector into the server."""
    info = TypeInfo.fetch(connection, "halfvec")
    if info is None:
        raise StoreError("The database has no type halfvec. Run CREATE EXTENSION vector in it.")
    info.register(connection)
    dumper = type("HalfVectorDumper", (_HalfVectorDumper,), {"oid": info.oid})
    connection.adapters.register_dumper(HalfVector, dumper)


def half_vectors(rows: npt.NDArray[np.float32]) -> list[HalfVector]:
    """Return rows (n, dim) rounded to 16 bits; raise ValueError for numbers beyond their range."""
    if len(rows) and float(np.abs(rows).max()) > _LARGEST:
        raise ValueError(f"vectors for a database have no number beyond {_LARGEST:g}")
    header = _HEADER.pack(rows.shape[1], 0)
    halves = rows.astype(">f2")
    return [HalfVector(header + row.tobytes()) for row in halves]


def margin(dim: int, *, query: float, longest: float) -> float:
    """Return how far an inner product of two rounded vectors can be from that of the exact ones.

    `query` and `longest` are their norms, the latter that of the longest row. A number is rounded
    by at most 2^-11 of itself, or by 2^-25 where it is so small that it has fewer bits; products
    are summed in float32 (Higham, Accuracy and Stability of Numerical Algorithms, 2002, section
    3.1), which is bounded for both factors rounded up.
    """
    relative = 2.0**-10 + 2.0**-22 + dim * 2.0**-23
    small = 2.0**-25 * math.sqrt(dim)
    return relative * query * longest + 2 * small * (query + longest) + dim * 2.0**-50
