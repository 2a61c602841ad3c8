"""Several segments of an inverted index as one."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from rag.store.postgres.packing import FIELDS, RECORDS, Packed, Postings, pack, unpack
from rag.store.postgres.segments import Integers, Layout, Mask, runs_of

# Of a segment, by its number, a stem with the postings of each field.
Line: TypeAlias = tuple[int, str, bytes | None, bytes | None]


def merged(lines: Sequence[Line], layout: Layout, *, gone: Mask) -> tuple[Packed, Integers]:
    """Return one segment of those in a layout without the rows that are gone, and its runs.

    Its rows lie in the order of their ids.
    """
    kept = np.flatnonzero(~gone)
    ids = layout.ids(kept)
    order = np.argsort(ids)
    places = np.full(layout.rows, -1, dtype=np.int64)
    places[kept[order]] = np.arange(len(kept))
    stems = sorted({stem for _, stem, *_ in lines})
    numbers = {stem: number for number, stem in enumerate(stems)}
    fields = [_field(lines, layout, field, numbers, places) for field in range(FIELDS)]
    used = np.zeros(len(stems), dtype=np.bool_)
    for postings in fields:
        used[postings.stems] = True
    renumbered = np.cumsum(used) - 1
    packed = pack(
        [stem for stem, is_used in zip(stems, used.tolist(), strict=True) if is_used],
        [
            Postings(
                stems=renumbered[postings.stems],
                rows=postings.rows,
                frequencies=postings.frequencies,
                lengths=postings.lengths,
            )
            for postings in fields
        ],
        size=len(kept),
    )
    return packed, runs_of(ids[order])


def _field(
    lines: Sequence[Line],
    layout: Layout,
    field: int,
    numbers: dict[str, int],
    places: Integers,
) -> Postings:
    kinds = {segment.number: segment.kind for segment in layout.segments}
    parts = [np.empty((0, 4), dtype=np.int64)]
    for kind, record in enumerate(RECORDS):
        found = [
            (content, numbers[line[1]], layout.first_row[line[0]])
            for line in lines
            if kinds[line[0]] == kind and (content := line[2 + field])
        ]
        if not found:
            continue
        contents, stems, starts = zip(*found, strict=True)
        records = unpack(contents, kind=kind)
        counts = [len(content) // record.itemsize for content in contents]
        rows = places[records["row"] + np.repeat(np.array(starts, dtype=np.int64), counts)]
        columns = np.stack(
            [np.repeat(stems, counts), rows, records["frequency"], records["length"]], axis=1
        )
        parts.append(columns[rows >= 0])
    columns = np.concatenate(parts)
    columns = columns[np.lexsort((columns[:, 1], columns[:, 0]))]
    return Postings(
        stems=columns[:, 0],
        rows=columns[:, 1],
        frequencies=columns[:, 2],
        lengths=columns[:, 3],
    )
