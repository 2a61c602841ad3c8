"""What every vector index does, what it returns, and how it refuses.

VectorsError
├── InvalidArgument           the call itself is wrong: change it (also a ValueError)
│   ├── DimensionMismatch     the rows have another number of columns than the index
│   └── NonFiniteVectors      a row holds NaN or infinity, or is too long to multiply
└── FileError                 a saved index cannot be used: build it again from its source
    ├── DamagedFile           not byte for byte what `save` wrote
    └── UnknownFile           whole, but of a kind or version that this code does not read
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
Rows = npt.NDArray[np.float32]


class VectorsError(Exception):
    """Base of all errors that this package raises on purpose."""


class InvalidArgument(VectorsError, ValueError):
    """An argument has a wrong type, shape or value; nothing was changed."""


class DimensionMismatch(InvalidArgument):
    """The rows have another number of columns than the index."""


class NonFiniteVectors(InvalidArgument):
    """A row holds NaN or infinity, or its norm exceeds 1e18, where products could overflow."""


class FileError(VectorsError):
    """A saved index cannot be used."""


class DamagedFile(FileError):
    """The file is not byte for byte what `save` wrote: cut, altered, emptied or foreign."""


class UnknownFile(FileError):
    """The file is whole, but of a kind or version that this code does not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbor:
    """A row that was found; `score` is the inner product with the query, higher is better."""

    id: int
    score: float


class VectorIndex(Protocol):
    """Rows under ids, searched by inner product.

    Ids are any int64 numbers in arrays of shape (n,); rows are float32 of shape (n, dim). Give unit
    rows for cosine similarity; other lengths are taken as they are. Methods may be called from
    several threads at once; a search sees each `add` and each `remove` either whole or not at all.
    An argument that is refused (`InvalidArgument`) changes nothing.
    """

    @property
    def dim(self) -> int:
        """Return the number of columns of every row."""

    def __len__(self) -> int:
        """Return the number of ids held."""

    def add(self, ids: Ids, rows: Rows) -> None:
        """Hold `rows` under `ids`; an id that is already held gets its new row in the same step.

        An id that stands twice in `ids` is refused.
        """

    def remove(self, ids: Ids) -> int:
        """Forget `ids`, unknown ones included, and return how many were held."""

    def search(self, rows: Rows, k: int, *, allowed: Ids | None = None) -> list[list[Neighbor]]:
        """Return for each of `rows` its k best neighbours, best first, ties by id ascending.

        There are fewer than `k` only where the index, or `allowed`, holds fewer. With `allowed`
        only those ids are found; unknown ones among them are ignored. `k` is at least 1.
        """

    def save(self, path: Path, *, stamp: str) -> None:
        """Write the index to `path` so that a crash leaves the old file or the new one, whole.

        `stamp` is the caller's own mark, such as the generation of its data; `load` returns it.
        A save that is killed can leave a `.{name}.*.tmp` beside `path`, which may be deleted.
        """

    @classmethod
    def load(cls, path: Path) -> tuple[Self, str]:
        """Return the index that was saved at `path`, and its stamp.

        The whole file is verified before any of it is interpreted, against accidents and not
        against forgery. Raises `DamagedFile`, `UnknownFile`, or `OSError` as `open` does.
        """
