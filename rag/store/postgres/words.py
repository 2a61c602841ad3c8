"""The words of a collection's chunks at one snapshot, read from its segments."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from rag.store.postgres import segments as layouts
from rag.store.postgres.packing import FIELDS, RECORDS, unpack
from rag.store.postgres.segments import Integers, Layout, Mask, Segment, read_dead, read_segments
from rag.store.postgres.tables import PostgresTables

_Part: TypeAlias = tuple[int, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrences:
    """The chunks that hold a stem in a field: their rows, how often, and the field's lengths."""

    rows: Integers
    frequencies: npt.NDArray[np.integer[Any]]
    lengths: npt.NDArray[np.integer[Any]]


class StoredWords:
    """The words of all `chunks`, in the rows of a layout.

    Raises DamagedStore where the segments are of other chunks than there are.
    """

    def __init__(self, tables: PostgresTables, *, chunks: int) -> None:
        self.chunks: Final = chunks
        self._tables: Final = tables
        segments = read_segments(tables.query, tables.collection, staged=False)
        self.segments: Final = tuple(segments)
        self._kinds: Final = {segment.number: segment.kind for segment in segments}
        self._layout: Final = Layout(segments)
        spans = layouts.spans_of(dead := read_dead(tables.query, tables.collection))
        inside = self._layout.rows_of(spans[:, 0]) >= 0
        gone = [each for each, here in zip(dead, inside.tolist(), strict=True) if here]
        self.lengths: Final = tuple(
            sum(segment.words[field] for segment in segments)
            - sum(each.words[field] for each in gone)
            for field in range(FIELDS)
        )
        self._live: Mask | None = None
        if gone:
            self._live = ~self._layout.mask(spans)
        if self._layout.rows - sum(each.after - each.first for each in gone) != chunks:
            raise tables.damaged("the words of passages are missing or too many")

    @property
    def rows(self) -> int:
        """A number above all rows."""
        return self._layout.rows

    def first_row(self, segment: Segment) -> int:
        """Return the first row of a segment."""
        return self._layout.first_row[segment.number]

    def alive(self, rows: Integers) -> Mask:
        """Return which of some rows are of chunks that are still there."""
        return np.ones(len(rows), dtype=np.bool_) if self._live is None else self._live[rows]

    def ids(self, rows: npt.NDArray[np.intp]) -> Integers:
        """Return the ids of the chunks in these rows."""
        return self._layout.ids(rows)

    def rows_of(self, ids: Integers) -> Integers:
        """Return the row of each id, -1 where there is none."""
        return self._layout.rows_of(ids)

    def among(self, spans: Integers) -> Mask:
        """Return which rows, (rows,), are of chunks in spans of ids [first, after), (n, 2)."""
        return self._layout.mask(spans)

    def occurrences(self, stems: Sequence[str]) -> dict[tuple[str, int], Occurrences]:
        """Return where stems stand, by stem and field; one that no chunk holds is left out."""
        lines = self._tables.query(
            "SELECT stem, segment, text, heading FROM postings "
            "WHERE collection = %s AND stem = ANY(%s)",
            (self._tables.collection, list(stems)),
        )
        parts: defaultdict[tuple[str, int], list[_Part]] = defaultdict(list)
        for stem, segment, *contents in lines:
            # What is being staged has segments that are none of this layout's.
            if segment in self._kinds:
                for field, content in enumerate(contents):
                    if content is not None:
                        parts[stem, field].append((segment, content))
        found = {key: self._occurrences(some) for key, some in parts.items()}
        return {key: each for key, each in found.items() if len(each.rows)}

    def _occurrences(self, parts: Sequence[_Part]) -> Occurrences:
        """Return the live ones of some postings, each in a segment."""
        by_kind: list[list[_Part]] = [[] for _ in RECORDS]
        for segment, content in parts:
            by_kind[self._kinds[segment]].append((segment, content))
        found = [self._of_kind(some, kind=kind) for kind, some in enumerate(by_kind) if some]
        if len(found) == 1:
            return found[0]
        return Occurrences(
            rows=np.concatenate([each.rows for each in found]),
            frequencies=np.concatenate([each.frequencies for each in found]),
            lengths=np.concatenate([each.lengths for each in found]),
        )

    def _of_kind(self, parts: Sequence[_Part], *, kind: int) -> Occurrences:
        records = unpack([content for _, content in parts], kind=kind)
        starts = np.array([self._layout.first_row[segment] for segment, _ in parts])
        counts = [len(content) // RECORDS[kind].itemsize for _, content in parts]
        rows = records["row"] + np.repeat(starts, counts)
        if self._live is not None:
            live = self.alive(rows)
            rows, records = rows[live], records[live]
        return Occurrences(rows=rows, frequencies=records["frequency"], lengths=records["length"])
