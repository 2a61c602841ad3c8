"""Searches inside the database, at the generation of one snapshot."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rag.store.postgres.checking import check_search
from rag.store.postgres.graphs import has_graph
from rag.store.postgres.halfvectors import half_vectors, margin
from rag.store.postgres.tables import PostgresTables
from rag.store.postgres.words import StoredWords
from rag.store.records import Filters
from rag.store.rows import vectors, verified_chunks
from rag.store.schema import Meta
from rag.store.snapshot import TableSnapshot
from vectors.scoring import nearest, norms

# So many more than k are nominated, because rounded vectors may order near ties wrongly.
_SPARE: Final = 64
_ROWS: Final = npt.NDArray[np.float32]


class PostgresSnapshot(TableSnapshot):
    """One generation of a collection, which the database itself searches.

    Vectors in half the bits nominate, those of `chunks` decide: `entries` and the graph over them
    can leave a chunk out, but its score and place are exact.
    """

    def __init__(self, tables: PostgresTables, meta: Meta) -> None:
        super().__init__(tables, meta)
        self._rows: Final = tables

    def nearest(
        self,
        vector: npt.NDArray[np.float32],
        k: int,
        *,
        filters: Filters,
        spans: npt.NDArray[np.int64] | None,
    ) -> list[tuple[int, float]]:
        """Return at most k (chunk id, inner product), best first, ties by id."""
        k = min(k, self.meta.chunks)
        if not k or (spans is not None and not len(spans)):
            return []
        if len(vector) != self.meta.dim:
            raise ValueError(f"the vector has {len(vector)} numbers, not {self.meta.dim}")
        nominees = Nominees(self._rows, vector, filters=filters, spans=spans, dim=self.meta.dim)
        ids = nominees.walked(k) if spans is None else []
        if len(ids) < k:
            ids = nominees.scanned(k)
        known, rows = self._vectors(ids)
        return [(each.id, each.score) for each in nearest(known, rows, vector, k)]

    def similarities(
        self, vector: npt.NDArray[np.float32], ids: npt.NDArray[np.int64]
    ) -> dict[int, float]:
        """Return the inner products of chunks by id; raise DamagedStore for one that is not."""
        if not len(ids):
            return {}
        known, rows = self._vectors(ids.tolist())
        return {each.id: each.score for each in nearest(known, rows, vector, len(known))}

    def words(self) -> StoredWords:
        """Return the words of all chunks."""
        return StoredWords(self._rows, chunks=self.meta.chunks)

    def spans(self, filters: Filters, *, most: int | None = None) -> npt.NDArray[np.int64] | None:
        """Return the chunks of the documents that meet the filters, as ids [first, after), (n, 2).

        None where there are more chunks than `most`.
        """
        condition, values = self._rows.where(filters)
        found = self._rows.select(
            "documents",
            f"chunks > 0 AND ({condition})",
            values,
            columns=("first_chunk", "first_chunk + chunks"),
            limit=None if most is None else most + 1,
        )
        spans = np.array(list(found), dtype=np.int64).reshape(-1, 2)
        if most is not None and int((spans[:, 1] - spans[:, 0]).sum()) > most:
            return None
        return spans[np.argsort(spans[:, 0])]

    def meeting(self, ids: npt.NDArray[np.int64], filters: Filters) -> npt.NDArray[np.int64]:
        """Return those chunks among `ids` whose documents meet the filters."""
        condition, values = meets(self._rows, filters)
        found = self._rows.query(
            f"SELECT id FROM entries AS e WHERE collection = %s AND id = ANY(%s) AND {condition}",  # noqa: S608
            (self._rows.collection, ids.tolist(), *values),
        )
        return np.array([id_ for (id_,) in found], dtype=np.int64)

    def verify(self) -> None:
        """Read all of this generation and raise DamagedStore at the first thing that is wrong."""
        super().verify()
        check_search(self._rows, self.meta)

    def _vectors(self, ids: Sequence[int]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Return the verified vectors of chunks that there are, with their ids in that order."""
        rows = list(verified_chunks(self._rows, *self._rows.among("id", ids)))
        if len(rows) != len(set(ids)):
            raise self._rows.damaged("passages that the search has found are missing")
        return np.array([row[0] for row in rows], dtype=np.int64), vectors(rows)


class Nominees:
    """The ids of the chunks that may be among the nearest to a vector, by its rounded numbers."""

    def __init__(
        self,
        tables: PostgresTables,
        vector: npt.NDArray[np.float32],
        *,
        filters: Filters,
        spans: npt.NDArray[np.int64] | None,
        dim: int,
    ) -> None:
        self._tables: Final = tables
        self._dim: Final = dim
        self._norm: Final = float(norms(vector[np.newaxis])[0])
        (self._vector,) = half_vectors(vector[np.newaxis])
        # As a number in the text: only so it is known to the planner, of whose plans one looks into
        # the graph of this collection.
        self._where = f"e.collection = {int(tables.collection)}"
        self._from = "entries AS e"
        self._values: tuple[Any, ...] = ()
        if spans is not None:
            # Of a plain join the planner expects a ninth of all entries for each span, and reads
            # them all; OFFSET keeps it from making one of this.
            within = (
                f"SELECT collection, id, embedding FROM {self._from} WHERE {self._where} "  # noqa: S608
                "AND id >= span.first AND id < span.after OFFSET 0"
            )
            self._from = (
                "unnest(%b::bigint[], %b::bigint[]) AS span (first, after) "
                f"CROSS JOIN LATERAL ({within}) AS e"
            )
            self._values = (spans[:, 0].tolist(), spans[:, 1].tolist())
        elif not filters.empty:
            condition, self._values = meets(tables, filters)
            self._where += f" AND {condition}"

    def walked(self, k: int) -> list[int]:
        """Return some k of the nearest, or more, from the collection's graph; fewer without one."""
        if not has_graph(self._tables, dim=self._dim):
            return []
        halves = f"halfvec({self._dim})"
        # The planner takes a condition on metadata for one that hardly any document meets, and so
        # would rather compare and sort all vectors.
        self._tables.query("SELECT set_config('enable_sort', 'off', true)", ())
        rows = self._tables.query(
            f"SELECT e.id FROM {self._from} WHERE {self._where} "  # noqa: S608
            f"ORDER BY e.embedding::{halves} <#> %b::{halves} LIMIT {k + _SPARE}",
            (*self._values, self._vector),
        )
        self._tables.query("SELECT set_config('enable_sort', 'on', true)", ())
        return [id_ for (id_,) in rows]

    def scanned(self, k: int) -> list[int]:
        """Return all chunks that can be among the k nearest."""
        wanted = k + _SPARE
        # Without the cast that the graph is made over it is not taken.
        distance = "e.embedding <#> %b"
        rows = self._tables.query(
            f"SELECT e.id, {distance} AS distance FROM {self._from} WHERE {self._where} "  # noqa: S608
            f"ORDER BY distance LIMIT {wanted}",
            (self._vector, *self._values),
        )
        if len(rows) == wanted:
            farthest = rows[k - 1][1] + 2 * self._margin()
            if rows[-1][1] <= farthest:
                # More near ties than spare places.
                rows = self._tables.query(
                    f"SELECT e.id FROM {self._from} WHERE {self._where} "  # noqa: S608
                    f"AND {distance} <= %b::double precision",
                    (*self._values, self._vector, farthest),
                )
        return [row[0] for row in rows]

    def _margin(self) -> float:
        ((longest,),) = self._tables.query(
            "SELECT max(longest) FROM segments WHERE collection = %s", (self._tables.collection,)
        )
        return margin(self._dim, query=self._norm, longest=longest)


def meets(tables: PostgresTables, filters: Filters) -> tuple[str, tuple[Any, ...]]:
    """Return the condition that entries `e` of documents which meet the filters meet."""
    condition, values = tables.where(filters)
    marked = condition.replace("?", "%s")
    exists = (
        "EXISTS (SELECT FROM documents "
        f"WHERE documents.collection = {int(tables.collection)} "
        f"AND documents.number = e.document AND {marked})"
    )
    return exists, values
