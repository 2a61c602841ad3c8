"""The oracle: every row is scored, in float64, for every query."""

import threading
from pathlib import Path
from typing import Self

import numpy as np

from vectors.checking import check_dim, check_ids, check_pairs, check_search
from vectors.files import Header, Write, read_array, verified_file, write_file
from vectors.index import Ids, Neighbor, Rows
from vectors.scoring import nearest

_KIND = "exact"


class ExactIndex:
    """A `VectorIndex` in plain NumPy, to compare other drivers with; also fit for small data.

    Each change copies the whole table, so that a search needs no lock: it works on the table that
    stood when it began.
    """

    def __init__(self, dim: int) -> None:
        self._dim = check_dim(dim)
        self._table: tuple[Ids, Rows] = (
            np.empty(0, dtype=np.int64),
            np.empty((0, dim), dtype=np.float32),
        )
        self._writing = threading.Lock()

    @property
    def dim(self) -> int:
        """Return the number of columns of every row."""
        return self._dim

    def __len__(self) -> int:
        """Return the number of ids held."""
        return len(self._table[0])

    def add(self, ids: Ids, rows: Rows) -> None:
        """Hold `rows` under `ids`, as `VectorIndex.add` says."""
        check_pairs(ids, rows, dim=self._dim)
        with self._writing:
            old_ids, old_rows = self._table
            kept = ~np.isin(old_ids, ids)
            self._table = (
                np.concatenate([old_ids[kept], ids]),
                np.concatenate([old_rows[kept], rows]),
            )

    def remove(self, ids: Ids) -> int:
        """Forget `ids` and return how many were held."""
        check_ids(ids)
        with self._writing:
            old_ids, old_rows = self._table
            kept = ~np.isin(old_ids, ids)
            self._table = (old_ids[kept], old_rows[kept])
            return int(np.count_nonzero(~kept))

    def search(self, rows: Rows, k: int, *, allowed: Ids | None = None) -> list[list[Neighbor]]:
        """Return the neighbours of each of `rows`, as `VectorIndex.search` says."""
        check_search(rows, k, allowed=allowed, dim=self._dim)
        ids, table = self._table
        if allowed is not None:
            chosen = np.isin(ids, allowed)
            ids, table = ids[chosen], table[chosen]
        return [nearest(ids, table, row, k) for row in rows]

    def save(self, path: Path, *, stamp: str) -> None:
        """Write the index to `path`, as `VectorIndex.save` says."""
        ids, rows = self._table

        def write_payload(write: Write) -> None:
            write(ids.astype("<i8").tobytes())
            write(rows.astype("<f4").tobytes())

        header = Header(kind=_KIND, dim=self._dim, rows=len(ids), stamp=stamp)
        write_file(path, header, write_payload)

    @classmethod
    def load(cls, path: Path) -> tuple[Self, str]:
        """Return the index saved at `path` and its stamp, as `VectorIndex.load` says."""
        with verified_file(path, kinds=(_KIND,)) as (header, file):
            index = cls(header.dim)
            ids = read_array(file, "<i8", header.rows)
            rows = read_array(file, "<f4", header.rows * header.dim)
            index._table = (ids, rows.reshape(header.rows, header.dim))
        return index, header.stamp
