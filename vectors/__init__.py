"""Nearest neighbours by inner product: integer ids and float32 rows in, neighbours out.

This package knows no text and imports nothing of `rag`. Importing it does not load faiss: the
driver that needs it is imported by its own name, `vectors.faiss_index.FaissIndex`.
"""

from vectors.exact import ExactIndex
from vectors.index import (
    DamagedFile,
    DimensionMismatch,
    FileError,
    InvalidArgument,
    Neighbor,
    NonFiniteVectors,
    UnknownFile,
    VectorIndex,
    VectorsError,
)

__all__ = [
    "DamagedFile",
    "DimensionMismatch",
    "ExactIndex",
    "FileError",
    "InvalidArgument",
    "Neighbor",
    "NonFiniteVectors",
    "UnknownFile",
    "VectorIndex",
    "VectorsError",
]
