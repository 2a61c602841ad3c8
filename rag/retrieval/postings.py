"""A part of the lexical index: for every word of some chunks, which of them hold it how often."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
Keys = npt.NDArray[np.int32]
Integers = npt.NDArray[np.integer[Any]]

_ROW_BITS: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Postings:
    """The live chunks that hold a key: row numbers inside the segment, and frequencies."""

    rows: npt.NDArray[np.intp]
    frequencies: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Chunks in rows, and their postings in the order of keys (compressed sparse rows).

    A key is any number that stands for a word in a field. Nothing changes once it is built, except
    that `remove` takes rows out of `live`; their postings stay until the segment is merged.
    """

    ids: Ids
    """int64 (chunks,), ascending."""
    lengths: npt.NDArray[np.int32]
    """int32 (fields, chunks): words of each field."""
    live: npt.NDArray[np.bool_]
    """bool (chunks,)."""
    keys: Keys
    """int32 (keys,), ascending."""
    starts: npt.NDArray[np.int64]
    """int64 (keys + 1,): where a key's postings begin; the next key's begin where they end."""
    rows: Integers
    """(postings,), as narrow as they fit."""
    frequencies: Integers
    """(postings,), as narrow as they fit."""

    @property
    def size(self) -> int:
        """Return the number of live chunks."""
        return int(np.count_nonzero(self.live))

    def remove(self, ids: Ids) -> npt.NDArray[np.intp]:
        """Take chunks out and return the rows they had; ids that are not here are passed over.

        The ids must be distinct.
        """
        at = np.searchsorted(self.ids, ids)
        inside = at < len(self.ids)
        at, ids = at[inside], ids[inside]
        rows: npt.NDArray[np.intp] = at[(self.ids[at] == ids) & self.live[at]]
        self.live[rows] = False
        return rows

    def postings(self, keys: Keys) -> dict[int, Postings]:
        """Return the postings of those keys that live chunks hold, by position in `keys`."""
        at = np.searchsorted(self.keys, keys)
        held = np.append(self.keys, np.int32(-1))[at] == keys
        whole = self.live.all()
        found = {}
        for position in np.flatnonzero(held).tolist():
            part = slice(self.starts[at[position]], self.starts[at[position] + 1])
            rows, frequencies = self.rows[part].astype(np.intp), self.frequencies[part]
            if not whole:
                live = self.live[rows]
                rows, frequencies = rows[live], frequencies[live]
            if len(rows):
                found[position] = Postings(rows=rows, frequencies=frequencies.astype(np.float64))
        return found

    def renumbered(self, numbers: Keys) -> "Segment":
        """Return the same segment with `numbers[key]` for each key, which must keep their order."""
        return replace(self, keys=numbers[self.keys])


def counted(ids: Ids, *, lengths: npt.NDArray[np.int32], keys: Ids) -> Segment:
    """Return a segment of chunks with these ids, ascending.

    `lengths` is (fields, chunks); `keys` holds, chunk by chunk, one key for each word.
    """
    rows = np.repeat(np.arange(len(ids)), lengths.sum(axis=0))
    pairs, frequencies = np.unique(keys << _ROW_BITS | rows, return_counts=True)
    return _sealed(
        ids,
        lengths=lengths,
        keys=(pairs >> _ROW_BITS).astype(np.int32),
        rows=pairs & (1 << _ROW_BITS) - 1,
        frequencies=frequencies,
    )


def merged(segments: Sequence[Segment]) -> Segment:
    """Return one segment of all live chunks, of which no two may have the same id."""
    ids = np.concatenate([segment.ids[segment.live] for segment in segments])
    lengths = np.concatenate([segment.lengths[:, segment.live] for segment in segments], axis=1)
    order = np.argsort(ids, kind="stable")
    place = np.argsort(order)
    keys, rows, frequencies = [], [], []
    before = 0
    for segment in segments:
        kept = segment.live[segment.rows]
        number = before - 1 + np.cumsum(segment.live)
        before += segment.size
        keys.append(np.repeat(segment.keys, np.diff(segment.starts))[kept])
        rows.append(place[number[segment.rows[kept]]])
        frequencies.append(segment.frequencies[kept])
    return _sealed(
        ids[order],
        lengths=lengths[:, order],
        keys=np.concatenate(keys),
        rows=np.concatenate(rows),
        frequencies=np.concatenate(frequencies),
    )


def _sealed(
    ids: Ids,
    *,
    lengths: npt.NDArray[np.int32],
    keys: Keys,
    rows: Integers,
    frequencies: Integers,
) -> Segment:
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    firsts = np.flatnonzero(np.diff(keys, prepend=np.int32(-1)))
    return Segment(
        ids=ids,
        lengths=lengths,
        live=np.ones(len(ids), dtype=np.bool_),
        keys=keys[firsts],
        starts=np.append(firsts, len(keys)),
        rows=_narrow(rows)[order],
        frequencies=_narrow(frequencies)[order],
    )


def _narrow(numbers: Integers) -> Integers:
    largest = int(numbers.max(initial=0))
    return numbers.astype(np.min_scalar_type(largest))
