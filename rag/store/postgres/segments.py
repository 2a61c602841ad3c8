"""Segments of an inverted index: which chunk has which row, and which of them are merged when.

A row is numbered inside its segment; over several segments they are numbered through, in the order
in which these are given.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from rag.store.tables import Row

Integers: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]
Query: TypeAlias = Callable[[str, tuple[Any, ...]], Sequence[Row]]

# A class of sizes is eight times as wide as the one below, and when eight segments are of one they
# become one of the next: so a search meets few, and a chunk is written a logarithmic number of
# times. The largest are never merged, which bounds how long a write can be held up by it.
_FANOUT: Final = 8
_CLASSES: Final = (8, 64, 512, 4096)
LARGEST: Final = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A row of `segments`.

    `words` are those of all its chunks, by field. `longest` is the norm of its longest vector or
    more. `runs` (n, 2) are the ids of its chunks, in the order of their rows: first ones and how
    many follow each other from there.
    """

    number: int
    size: int
    kind: int
    words: tuple[int, int]
    longest: float
    runs: Integers


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """Chunks that were removed, still in their segment: ids [first, after), and their words."""

    first: int
    after: int
    words: tuple[int, int]


def runs_of(ids: Integers) -> Integers:
    """Return ascending ids as runs, int64 (n, 2)."""
    starts = np.flatnonzero(np.diff(ids, prepend=ids[:1] - 2) != 1)
    counts = np.diff(np.append(starts, len(ids)))
    return np.stack([ids[starts], counts], axis=1)


class Layout:
    """The rows of some segments: from ids to rows and back."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self.segments: Final = tuple(segments)
        sizes = np.array([segment.size for segment in segments], dtype=np.int64)
        ends = np.cumsum(sizes)
        self.rows: Final = int(ends[-1]) if len(ends) else 0
        self.first_row: Final = {
            segment.number: int(end) - segment.size
            for segment, end in zip(segments, ends, strict=True)
        }
        runs = [np.empty((0, 2), dtype=np.int64), *(segment.runs for segment in segments)]
        self._firsts, self._counts = np.concatenate(runs).T
        self._starts = np.cumsum(self._counts) - self._counts
        self._order = np.argsort(self._firsts)

    def ids(self, rows: npt.NDArray[np.intp]) -> Integers:
        """Return the ids of rows."""
        at = np.searchsorted(self._starts, rows, side="right") - 1
        ids: Integers = self._firsts[at] + (rows - self._starts[at])
        return ids

    def rows_of(self, ids: Integers) -> Integers:
        """Return the row of each id, -1 where there is none."""
        if not len(self._firsts):
            return np.full(len(ids), -1, dtype=np.int64)
        at = np.searchsorted(self._firsts[self._order], ids, side="right") - 1
        run = self._order[at]
        inside = (at >= 0) & (ids < self._firsts[run] + self._counts[run])
        return np.where(inside, self._starts[run] + ids - self._firsts[run], -1)

    def places(self, spans: Integers) -> Integers:
        """Return the rows [first, after) of spans of ids [first, after), both int64 (n, 2).

        A span that begins in no segment is left out; each must lie in one as a whole.
        """
        firsts = self.rows_of(spans[:, 0])
        inside = firsts >= 0
        firsts, lengths = firsts[inside], (spans[:, 1] - spans[:, 0])[inside]
        return np.stack([firsts, firsts + lengths], axis=1)

    def mask(self, spans: Integers) -> Mask:
        """Return which rows, (rows,), are those of spans of ids, which must not overlap."""
        places = self.places(spans)
        steps = np.zeros(self.rows + 1, dtype=np.int8)
        # No two begin at one row, nor end at one; but one may end where another begins.
        steps[places[:, 0]] += 1
        steps[places[:, 1]] -= 1
        return np.cumsum(steps[:-1], dtype=np.int8).astype(np.bool_)


def spans_of(dead: Sequence[Dead]) -> Integers:
    """Return the ids of dead chunks as spans, int64 (n, 2)."""
    return np.array([(each.first, each.after) for each in dead], dtype=np.int64).reshape(-1, 2)


def due(sizes: Sequence[int], live: Sequence[int]) -> list[list[int]]:
    """Return which segments, by place, become one each; those of nothing but dead become none.

    `sizes` counts their rows, `live` those of them that are not dead.
    """
    groups = []
    classes: list[list[int]] = [[] for _ in _CLASSES]
    for place, (size, alive) in enumerate(zip(sizes, live, strict=True)):
        class_ = next((number for number, most in enumerate(_CLASSES) if alive < most), None)
        if not alive:
            groups.append([place])
        elif class_ is not None:
            classes[class_].append(place)
        elif 2 * alive < size:
            groups.append([place])
    for some in classes:
        if len(some) >= _FANOUT:
            groups += [batch for batch in _batches(some, live) if len(batch) > 1]
            continue
        groups += [[place] for place in some if 2 * live[place] < sizes[place]]
    return groups


def _batches(places: Sequence[int], live: Sequence[int]) -> list[list[int]]:
    batches: list[list[int]] = [[]]
    for place in places:
        if sum(live[each] for each in batches[-1]) + live[place] > LARGEST:
            batches.append([])
        batches[-1].append(place)
    return batches


def read_segments(query: Query, collection: int, *, staged: bool) -> list[Segment]:
    """Return the segments of a collection, or those of what is staged, in order."""
    rows = query(
        "SELECT segment, size, kind, text_words, heading_words, longest, runs FROM segments "
        "WHERE collection = %s AND staged = %s ORDER BY segment",
        (collection, staged),
    )
    return [
        Segment(
            number=number,
            size=size,
            kind=kind,
            words=(text_words, heading_words),
            longest=longest,
            runs=np.frombuffer(runs, dtype="<i8").astype(np.int64, copy=False).reshape(-1, 2),
        )
        for number, size, kind, text_words, heading_words, longest, runs in rows
    ]


def read_dead(query: Query, collection: int) -> list[Dead]:
    """Return the chunks of a collection that were removed and may still be in a segment."""
    rows = query(
        "SELECT first, after, text_words, heading_words FROM dead WHERE collection = %s "
        "ORDER BY first",
        (collection,),
    )
    return [
        Dead(first=first, after=after, words=(text_words, heading_words))
        for first, after, text_words, heading_words in rows
    ]
