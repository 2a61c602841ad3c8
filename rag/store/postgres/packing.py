"""Postings as bytes: in which rows of a segment a stem stands, how often, and how long those are.

A segment is an inverted index of some chunks, which have the rows from 0 on. Postings of a stem and
field lie one behind the other in order of their rows, with records as narrow as fits all of a
segment, so that the bytes of several segments are read as one array.
"""

from array import array
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

Records: TypeAlias = npt.NDArray[np.void]
Integers: TypeAlias = npt.NDArray[np.int64]

# The fields of a chunk that are searched: its text; the title and section path.
FIELDS: Final = 2
_ROW_BITS: Final = 32


def _record(row: str, count: str) -> np.dtype[Any]:
    return np.dtype([("row", row), ("frequency", count), ("length", count)])


# By the number that a segment gives its own; the narrowest first.
RECORDS: Final = (_record("<u2", "u1"), _record("<u2", "<u2"), _record("<u4", "<u4"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Postings:
    """All postings of a field, ordered by stem and row; `stems` are places among sorted stems."""

    stems: Integers
    rows: Integers
    frequencies: Integers
    lengths: Integers


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A segment's postings: for each stem, ascending, the bytes of each field, None for none."""

    kind: int
    stems: Sequence[str]
    fields: tuple[list[bytes | None], ...]


class Counter:
    """Counts the stems of chunks, which get rows in the order of their coming."""

    def __init__(self) -> None:
        self._numbers: Final[defaultdict[str, int]] = defaultdict()
        self._numbers.default_factory = self._numbers.__len__
        self._keys: Final = tuple(array("q") for _ in range(FIELDS))
        self._lengths: Final = tuple(array("q") for _ in range(FIELDS))

    def __len__(self) -> int:
        """Return the number of chunks."""
        return len(self._lengths[0])

    def add(self, stems: Sequence[Sequence[str]]) -> None:
        """Count a chunk: its stems, with repetitions, field by field."""
        numbers = self._numbers
        for place, some in enumerate(stems):
            self._keys[place].extend(map(numbers.__getitem__, some))
            self._lengths[place].append(len(some))

    def packed(self) -> Packed:
        """Return what was counted."""
        stems = sorted(self._numbers)
        places = np.empty(len(stems), dtype=np.int64)
        places[[self._numbers[stem] for stem in stems]] = np.arange(len(stems))
        found = []
        for keys, counts in zip(self._keys, self._lengths, strict=True):
            lengths = np.array(counts, dtype=np.int64)
            rows = np.repeat(np.arange(len(lengths)), lengths)
            pairs, frequencies = np.unique(
                places[np.array(keys, dtype=np.int64)] << _ROW_BITS | rows, return_counts=True
            )
            rows = pairs & (1 << _ROW_BITS) - 1
            found.append(
                Postings(
                    stems=pairs >> _ROW_BITS,
                    rows=rows,
                    frequencies=frequencies.astype(np.int64),
                    lengths=lengths[rows],
                )
            )
        return pack(stems, found, size=len(self))


def pack(stems: Sequence[str], fields: Sequence[Postings], *, size: int) -> Packed:
    """Return the postings of a segment of `size` rows as bytes; `stems` must be ascending."""
    largest = [
        int(values.max(initial=0))
        for postings in fields
        for values in (postings.frequencies, postings.lengths)
    ]
    kind = next(
        kind
        for kind, record in enumerate(RECORDS)
        if size - 1 <= np.iinfo(record["row"]).max
        and max(largest) <= np.iinfo(record["length"]).max
    )
    return Packed(
        kind=kind,
        stems=stems,
        fields=tuple(_bytes(postings, count=len(stems), kind=kind) for postings in fields),
    )


def unpack(parts: Sequence[bytes], *, kind: int) -> Records:
    """Return the records of several postings of one kind, one behind the other."""
    return np.frombuffer(b"".join(parts), dtype=RECORDS[kind])


def _bytes(postings: Postings, *, count: int, kind: int) -> list[bytes | None]:
    records = np.empty(len(postings.rows), dtype=RECORDS[kind])
    records["row"] = postings.rows
    records["frequency"] = postings.frequencies
    records["length"] = postings.lengths
    content = records.tobytes()
    bounds = np.searchsorted(postings.stems, np.arange(count + 1)) * records.dtype.itemsize
    ends = bounds.tolist()
    return [content[ends[place] : ends[place + 1]] or None for place in range(count)]
