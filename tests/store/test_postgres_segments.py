"""Segments of the inverted index, without a database: rows, packing, merging, and when."""

import random

import numpy as np
import pytest

from rag.store.postgres.halfvectors import half_vectors, margin
from rag.store.postgres.merging import Line, merged
from rag.store.postgres.packing import RECORDS, Counter, Packed, unpack
from rag.store.postgres.segments import LARGEST, Layout, Segment, due, runs_of

WORDS = ["cat", "dog", "bird", "fish", "cow", "hen", "é", "zebra"]


def segment(number: int, ids: list[int], *, kind: int = 0) -> Segment:
    return Segment(
        number=number,
        size=len(ids),
        kind=kind,
        words=(0, 0),
        longest=1.0,
        runs=runs_of(np.array(ids, dtype=np.int64)),
    )


def contents(packed: Packed) -> dict[tuple[str, int], list[tuple[int, int, int]]]:
    """Return (row, frequency, length) of each stem and field."""
    found = {}
    for field, parts in enumerate(packed.fields):
        for stem, content in zip(packed.stems, parts, strict=True):
            if content is not None:
                found[stem, field] = unpack([content], kind=packed.kind).tolist()
    return found


def counted(chunks: list[tuple[list[str], list[str]]]) -> Packed:
    counter = Counter()
    for stems in chunks:
        counter.add(stems)
    return counter.packed()


def test_runs_are_ids_that_follow_each_other() -> None:
    """First ids and lengths; ids that go back begin another run."""
    assert runs_of(np.array([4, 5, 6, 9, 10, 2])).tolist() == [[4, 3], [9, 2], [2, 1]]
    assert runs_of(np.array([], dtype=np.int64)).shape == (0, 2)


def test_rows_and_ids_are_each_others_way_back() -> None:
    """Over several segments, with gaps and in any order; unknown ids have no row."""
    ids = [[7, 8, 20, 21, 22], [1, 2], [15]]
    layout = Layout([segment(number, some) for number, some in enumerate(ids)])
    flat = np.array([id_ for some in ids for id_ in some])
    assert layout.rows == 8
    assert layout.ids(np.arange(8)).tolist() == flat.tolist()
    assert layout.rows_of(flat).tolist() == list(range(8))
    assert layout.rows_of(np.array([0, 3, 9, 14, 16, 23])).tolist() == [-1] * 6
    assert layout.first_row == {0: 0, 1: 5, 2: 7}
    spans = np.array([[1, 3], [8, 9], [20, 22], [30, 40]])
    assert layout.mask(spans).tolist() == [False, True, True, True, False, True, True, False]


def test_nothing_has_no_rows() -> None:
    """A layout of no segment knows no id."""
    layout = Layout([])
    assert layout.rows == 0
    assert layout.rows_of(np.array([1, 2])).tolist() == [-1, -1]
    assert layout.mask(np.empty((0, 2), dtype=np.int64)).tolist() == []


def test_postings_are_counted_by_stem_and_field() -> None:
    """Worked out by hand: rows, frequencies and the lengths of the fields."""
    packed = counted([(["b", "a", "b"], ["a"]), ([], ["c", "c"]), (["a"], [])])
    assert list(packed.stems) == ["a", "b", "c"]
    assert contents(packed) == {
        ("a", 0): [(0, 1, 3), (2, 1, 1)],
        ("a", 1): [(0, 1, 1)],
        ("b", 0): [(0, 2, 3)],
        ("c", 1): [(1, 2, 2)],
    }


@pytest.mark.parametrize(
    ("length", "kind"), [(255, 0), (256, 1), (65_535, 1), (65_536, 2)], ids=str
)
def test_records_are_as_narrow_as_fits(length: int, kind: int) -> None:
    """A field of many words takes wider records, which hold it exactly."""
    packed = counted([(["a"] * length, [])])
    assert packed.kind == kind
    assert contents(packed) == {("a", 0): [(0, length, length)]}
    assert RECORDS[kind].itemsize == (4, 6, 12)[kind]


@pytest.mark.parametrize("seed", range(4))
def test_a_merged_segment_is_that_of_the_chunks_that_are_left(seed: int) -> None:
    """Equal to one that was counted at once, in the order of ids, whatever the kinds were."""
    rng = random.Random(seed)
    ids = rng.sample(range(1, 200), 40)
    chunks = {
        id_: (rng.choices(WORDS, k=rng.randint(0, 9)), rng.choices(WORDS, k=rng.randint(0, 2)))
        for id_ in ids
    }
    chunks[ids[0]] = (["cat"] * 300, [])
    parts = [ids[:13], ids[13:14], ids[14:]]
    packed = [counted([chunks[id_] for id_ in some]) for some in parts]
    assert {each.kind for each in packed} == {0, 1}
    lines: list[Line] = [
        (number, stem, text, heading)
        for number, each in enumerate(packed)
        for stem, text, heading in zip(each.stems, *each.fields, strict=True)
    ]
    rng.shuffle(lines)
    layout = Layout(
        [
            segment(n, some, kind=p.kind)
            for n, (some, p) in enumerate(zip(parts, packed, strict=True))
        ]
    )
    gone = np.array([rng.random() < 0.3 for _ in ids])
    left = sorted(id_ for id_, dead in zip(ids, gone.tolist(), strict=True) if not dead)
    found, runs = merged(lines, layout, gone=gone)
    assert runs.tolist() == runs_of(np.array(left)).tolist()
    expected = counted([chunks[id_] for id_ in left])
    assert list(found.stems) == list(expected.stems)
    assert contents(found) == contents(expected)


@pytest.mark.parametrize(
    ("sizes", "live", "expected"),
    [
        pytest.param([9] * 7, [9] * 7, [], id="too-few"),
        pytest.param([9] * 8, [9] * 8, [list(range(8))], id="eight-small-ones"),
        pytest.param([9] * 4 + [100] * 4, [9] * 4 + [100] * 4, [], id="of-two-classes"),
        pytest.param([9, 80], [0, 80], [[0]], id="all-dead"),
        pytest.param([80, 80], [39, 40], [[0]], id="more-than-half-dead"),
        pytest.param([9000, 9000], [4400, 4600], [[0]], id="large-and-half-dead"),
        pytest.param([5000] * 20, [5000] * 20, [], id="large-ones-stay"),
        pytest.param(
            [4000] * 9,
            [4000] * 9,
            [[0, 1, 2, 3], [4, 5, 6, 7]],
            id="no-larger-than-the-largest",
        ),
    ],
)
def test_what_is_merged(sizes: list[int], live: list[int], expected: list[list[int]]) -> None:
    """Eight of a class become one, large ones are left alone, and dead ones are cleared."""
    assert due(sizes, live) == expected


def test_many_small_writes_leave_few_segments() -> None:
    """After each write of one chunk what is due is merged: few are left, each written seldom."""
    sizes: list[int] = []
    written = 0
    for _ in range(10_000):
        sizes.append(1)
        written += 1
        groups = due(sizes, sizes)
        merged_ones = {place for group in groups for place in group}
        new = [sum(sizes[place] for place in group) for group in groups]
        sizes = [size for place, size in enumerate(sizes) if place not in merged_ones] + new
        written += sum(new)
    assert sum(sizes) == 10_000
    assert len(sizes) <= 10_000 // 4096 + 28
    assert max(sizes) <= LARGEST
    assert written <= 5 * 10_000


def test_rounded_products_are_within_the_margin() -> None:
    """Of vectors of every size, small numbers included, for which 16 bits have fewer digits."""
    rng = np.random.default_rng(3)
    for scale in (1.0, 1e-4, 1e-6, 300.0):
        rows = (scale * rng.standard_normal((500, 96))).astype(np.float32)
        rows[::3] *= np.float32(1e-3)
        (query,) = rng.standard_normal((1, 96)).astype(np.float32)
        halves = np.frombuffer(b"".join(v[4:] for v in half_vectors(rows)), ">f2")
        rounded = halves.astype(np.float32).reshape(rows.shape)
        (asked,) = half_vectors(query[np.newaxis])
        products = rounded @ np.frombuffer(asked[4:], ">f2").astype(np.float32)
        exact = rows.astype(np.float64) @ query.astype(np.float64)
        longest = float(np.linalg.norm(rows.astype(np.float64), axis=1).max())
        bound = margin(96, query=float(np.linalg.norm(query)), longest=longest)
        assert np.abs(products - exact).max() <= bound
