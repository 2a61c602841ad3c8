"""Rows in faiss, by row number: the scan, the graph over them, and what is dead among them.

faiss cannot remove from a graph, and adding a known id to it duplicates it. So a row, once added,
keeps its number; ids and the rows' state are kept here; and a removed row stays, dead, until the
table is built anew from its live rows. Nothing here is locked: see `FaissIndex`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import faiss as _faiss
import numpy as np
import numpy.typing as npt

from vectors.index import Ids, Neighbor, Rows
from vectors.scoring import nearest, norms

# faiss' own stubs, where a version has them, lack the search parameters of HNSW.
faiss: Any = _faiss
SwigObject = Any

Numbers = npt.NDArray[np.int64]

_LINKS = 32
_EF_CONSTRUCTION = 40
_EF_SEARCH = 256
# faiss is asked for so many more than k, because its float32 scores may order near ties wrongly.
_SPARE = 16


@contextmanager
def openmp_threads(count: int) -> Iterator[None]:
    """Let faiss use `count` threads for what this thread asks of it; by default it takes all cores.

    Several threads that search at once would otherwise run a team of that size each.
    """
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


class FaissTable:
    """Rows, numbered in the order of their arrival, with an HNSW graph over them or without.

    `index` is a faiss IndexFlat or IndexHNSWFlat for inner products; `ids` and `live` say for each
    of its rows under which id it lies and whether it is still held.
    """

    def __init__(self, index: SwigObject, *, ids: Ids, live: npt.NDArray[np.bool_]) -> None:
        self.index = index
        self.graphed = isinstance(index, faiss.IndexHNSW)
        self._flat = faiss.downcast_index(index.storage) if self.graphed else index
        self.ids = ids
        self.live = live
        numbers = np.flatnonzero(live)
        self._number_of = dict(zip(ids[numbers].tolist(), numbers.tolist(), strict=True))
        self._longest = float(norms(self._rows()).max(initial=0.0))

    @classmethod
    def build(cls, ids: Ids, rows: Rows, *, graphed: bool) -> "FaissTable":
        """Build a table of `rows`, all of them live."""
        dim = rows.shape[1]
        if graphed:
            index = faiss.IndexHNSWFlat(dim, _LINKS, faiss.METRIC_INNER_PRODUCT)
            index.hnsw.efConstruction = _EF_CONSTRUCTION
        else:
            index = faiss.IndexFlatIP(dim)
        index.add(rows)
        return cls(index, ids=ids, live=np.ones(len(ids), dtype=np.bool_))

    def __len__(self) -> int:
        """Return the number of live rows."""
        return len(self._number_of)

    @property
    def dead(self) -> int:
        """Return the number of rows that are kept without being found."""
        return len(self.ids) - len(self._number_of)

    def live_rows(self) -> tuple[Ids, Rows]:
        """Return copies of what is held."""
        return self.ids[self.live], self._rows()[self.live]

    def put(self, ids: Ids, rows: Rows) -> None:
        """Append `rows`, and let rows that lay under the same ids die."""
        first = len(self.ids)
        self.index.add(rows)
        self.bury(ids)
        self.ids = np.concatenate([self.ids, ids])
        self.live = np.concatenate([self.live, np.ones(len(ids), dtype=np.bool_)])
        self._number_of.update(zip(ids.tolist(), range(first, len(self.ids)), strict=True))
        self._longest = max(self._longest, float(norms(rows).max(initial=0.0)))

    def bury(self, ids: Ids) -> int:
        """Let the rows under `ids` die and return how many there were."""
        found = [self._number_of.pop(number, None) for number in ids.tolist()]
        numbers = [number for number in found if number is not None]
        self.live[numbers] = False
        return len(numbers)

    def scan(self, queries: Rows, k: int, *, allowed: Ids | None) -> list[list[Neighbor]]:
        """Return exact results for each of `queries`, among the `allowed` ids alone if given.

        faiss nominates by float32 scores; all rows that could be among the k best after rounding
        are then scored exactly.
        """
        mask = self.live if allowed is None else self.live & np.isin(self.ids, allowed)
        count = int(np.count_nonzero(mask))
        k = min(k, count)
        if k == 0:
            return [[] for _ in queries]
        wanted = min(k + _SPARE, count)
        params = faiss.SearchParameters(sel=_selector(mask))
        scores, numbers = self._flat.search(queries, wanted, params=params)
        margins = self._margins(queries)
        found = []
        for query, row_scores, row_numbers, margin in zip(
            queries, scores, numbers, margins, strict=True
        ):
            nominated = row_numbers
            floor = float(row_scores[k - 1]) - margin
            if wanted < count and row_scores[-1] >= floor:
                # More near ties than spare places: take every row above the floor.
                radius = np.nextafter(np.float32(floor), np.float32(-np.inf))
                _, _, nominated = self._flat.range_search(query[None], radius, params=params)
            found.append(self._nearest(nominated, query, k))
        return found

    def walk(self, queries: Rows, k: int) -> list[list[Neighbor]]:
        """Return results from the graph: approximate in which rows it meets, exact in their order.

        A query for which the graph meets fewer rows than there are is scanned instead.
        """
        k = min(k, len(self))
        wanted = k + _SPARE
        params = faiss.SearchParametersHNSW(
            efSearch=max(_EF_SEARCH, wanted), sel=_selector(self.live)
        )
        _, numbers = self.index.search(queries, wanted, params=params)
        found = []
        for query, row_numbers in zip(queries, numbers, strict=True):
            met = row_numbers[row_numbers >= 0]
            if len(met) < k:
                found.extend(self.scan(query[None], k, allowed=None))
            else:
                found.append(self._nearest(met, query, k))
        return found

    def _rows(self) -> Rows:
        """Return a view of all rows, valid until the next `put`."""
        total, dim = self._flat.ntotal, self._flat.d
        if total == 0:
            return np.empty((0, dim), dtype=np.float32)
        view: Rows = faiss.rev_swig_ptr(self._flat.get_xb(), total * dim).reshape(total, dim)
        return view

    def _nearest(self, numbers: Numbers, query: Rows, k: int) -> list[Neighbor]:
        return nearest(self.ids[numbers], self._rows()[numbers], query, k)

    def _margins(self, queries: Rows) -> npt.NDArray[np.float64]:
        """Return for each query how far two float32 scores can differ by rounding alone.

        The error of one is at most about dim * 2^-24 times the product of the norms (Higham,
        Accuracy and Stability of Numerical Algorithms, 2002, section 3.1); this is two errors, each
        taken twice as large, and room for products that underflow.
        """
        dim: int = self._flat.d
        return dim * (2.0**-22 * self._longest * norms(queries) + 2.0**-124)


def _selector(mask: npt.NDArray[np.bool_]) -> SwigObject:
    """Return what makes faiss find only rows that `mask` has, or None where it has all."""
    return None if mask.all() else faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
