"""The faiss driver: an exact scan for few rows, an HNSW graph for many."""

import threading
from pathlib import Path
from typing import Self

import numpy as np

from vectors.checking import check_dim, check_ids, check_pairs, check_search
from vectors.faiss_table import FaissTable, faiss, openmp_threads
from vectors.files import Header, Write, read_array, verified_file, write_file
from vectors.index import Ids, InvalidArgument, Neighbor, Rows, UnknownFile
from vectors.locking import ReadWriteLock

# Measured by tests/benchmarks/bench_vectors.py at 10^5 rows of 384 columns, one thread: a scan
# takes 17 ms (52 on a machine that is busy otherwise) and grows with the rows; a graph takes a
# seventh of that and finds .995 of the ten nearest, but 1 to 2 ms a row to build. Up to here a scan
# costs less than what is done with its results, and misses nothing.
GRAPH_FROM = 200_000
_MAX_DEAD = 0.2
# A walk that is to find more than this share of the rows costs more than their scan.
_MAX_WALK = 0.1
_IO_BLOCK = 1 << 20


class FaissIndex:
    """A `VectorIndex` that scans up to `graph_from` rows and walks a graph from there on.

    Scans are exact, to the bit equal with `ExactIndex`. The graph (HNSW; Malkov and Yashunin, 2018)
    is approximate: it can miss a neighbour, and of rows with equal scores it can meet any, while
    those that it met are scored and ordered exactly and there are never fewer than asked for. Under
    it a search is still a scan, and exact, when `allowed` is given, because a filter costs a graph
    its recall most where it matters, or when `k` is above a tenth of the rows.

    Removed and replaced rows stay, unseen, until they are more than a fifth; then the call that
    made them so builds the table anew from the others. Such a build, and the first building of the
    graph, go on beside searches, which use the old table until it is done. Adding to a graph makes
    searches wait: faiss does not survive both at once.

    `threads` bounds how many threads faiss uses in one call; with 1 the same calls always build
    the same graph.
    """

    def __init__(self, dim: int, *, graph_from: int = GRAPH_FROM, threads: int = 1) -> None:
        if threads < 1 or graph_from < 1:
            msg = f"threads and graph_from must be at least 1, not {threads} and {graph_from}"
            raise InvalidArgument(msg)
        self._dim = check_dim(dim)
        self._graph_from = graph_from
        self._threads = threads
        self._table = FaissTable.build(
            np.empty(0, dtype=np.int64), np.empty((0, dim), dtype=np.float32), graphed=False
        )
        # One writer at a time, for the whole of its work; of that, only what touches the table that
        # is being searched also holds the lock against readers.
        self._writing = threading.Lock()
        self._lock = ReadWriteLock()

    @property
    def dim(self) -> int:
        """Return the number of columns of every row."""
        return self._dim

    @property
    def kind(self) -> str:
        """Return how it searches at present: "flat" or "hnsw"."""
        return "hnsw" if self._table.graphed else "flat"

    def __len__(self) -> int:
        """Return the number of ids held."""
        with self._lock.read():
            return len(self._table)

    def add(self, ids: Ids, rows: Rows) -> None:
        """Hold `rows` under `ids`, as `VectorIndex.add` says."""
        check_pairs(ids, rows, dim=self._dim)
        with self._writing, openmp_threads(self._threads):
            with self._lock.write():
                self._table.put(ids, rows)
            self._rebuild_if_due()

    def remove(self, ids: Ids) -> int:
        """Forget `ids` and return how many were held."""
        check_ids(ids)
        with self._writing, openmp_threads(self._threads):
            with self._lock.write():
                count = self._table.bury(ids)
            self._rebuild_if_due()
        return count

    def search(self, rows: Rows, k: int, *, allowed: Ids | None = None) -> list[list[Neighbor]]:
        """Return the neighbours of each of `rows`, as `VectorIndex.search` says."""
        check_search(rows, k, allowed=allowed, dim=self._dim)
        with self._lock.read(), openmp_threads(self._threads):
            table = self._table
            if table.graphed and allowed is None and k <= _MAX_WALK * len(table):
                return table.walk(rows, k)
            return table.scan(rows, k, allowed=allowed)

    def save(self, path: Path, *, stamp: str) -> None:
        """Write the index to `path`, as `VectorIndex.save` says; searches go on meanwhile."""
        with self._writing:
            table = self._table

            def write_payload(write: Write) -> None:
                write(table.ids.astype("<i8").tobytes())
                write(table.live.tobytes())
                faiss.write_index(table.index, faiss.PyCallbackIOWriter(write, _IO_BLOCK))

            header = Header(kind=self.kind, dim=self._dim, rows=len(table.ids), stamp=stamp)
            write_file(path, header, write_payload)

    @classmethod
    def load(
        cls, path: Path, *, graph_from: int = GRAPH_FROM, threads: int = 1
    ) -> tuple[Self, str]:
        """Return the index saved at `path` and its stamp, as `VectorIndex.load` says."""
        with verified_file(path, kinds=("flat", "hnsw")) as (header, file):
            index = cls(header.dim, graph_from=graph_from, threads=threads)
            ids = read_array(file, "<i8", header.rows)
            live = read_array(file, np.bool_, header.rows)
            try:
                rows = faiss.read_index(faiss.PyCallbackIOReader(file.read, _IO_BLOCK))
            except RuntimeError as error:
                msg = f"{path}: this version of faiss cannot read it; build the index again"
                raise UnknownFile(msg) from error
            index._table = FaissTable(rows, ids=ids, live=live.copy())
        return index, header.stamp

    def _rebuild_if_due(self) -> None:
        """Build the table anew if too much of it is dead or it has outgrown the scan.

        The caller is the only writer, so the table cannot change while its rows are copied.
        """
        table = self._table
        graphed = len(table) >= self._graph_from
        crowded = table.dead > _MAX_DEAD * len(table.ids)
        if crowded or (graphed and not table.graphed):
            ids, rows = table.live_rows()
            built = FaissTable.build(ids, rows, graphed=graphed)
            with self._lock.write():
                self._table = built
