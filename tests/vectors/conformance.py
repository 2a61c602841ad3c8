"""What every `VectorIndex` must do: inherit `VectorIndexConformance` and say how to make one.

Where no oracle is named, the expected values are computed here with `math.fsum`.
"""

import math
import random
import threading
from pathlib import Path

import numpy as np
import pytest

from vectors import (
    DamagedFile,
    DimensionMismatch,
    ExactIndex,
    InvalidArgument,
    Neighbor,
    NonFiniteVectors,
    UnknownFile,
    VectorIndex,
)
from vectors.files import Header, write_file

DIM = 24


def unit_rows(count: int, *, seed: int, dim: int = DIM) -> np.ndarray:
    """Return random unit rows."""
    rows = np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def ids_of(*numbers: int) -> np.ndarray:
    """Return ids as the indexes take them."""
    return np.array(numbers, dtype=np.int64)


TWO = ids_of(1, 7)  # one that is held where it is used, and one that is not


def filled_with(number: float) -> np.ndarray:
    """Return two rows, the second of which holds `number` once."""
    rows = unit_rows(2, seed=1)
    rows[1, DIM // 2] = number
    return rows


def expected(held: dict[int, np.ndarray], query: np.ndarray, k: int) -> list[Neighbor]:
    """Return the neighbours that `query` must have, from sums without rounding."""
    scores = {
        number: math.fsum(float(a) * float(b) for a, b in zip(row, query, strict=True))
        for number, row in held.items()
    }
    best = sorted(scores, key=lambda number: (-scores[number], number))[:k]
    return [Neighbor(id=number, score=scores[number]) for number in best]


def assert_same(found: list[Neighbor], wanted: list[Neighbor]) -> None:
    """Assert the same ids in the same order, and scores equal up to rounding in float64."""
    assert [neighbor.id for neighbor in found] == [neighbor.id for neighbor in wanted]
    assert [n.score for n in found] == pytest.approx([n.score for n in wanted], abs=1e-12)


class VectorIndexConformance:
    """Tests over small indexes; a driver that approximates says so by its `assert_best`."""

    def make(self, dim: int = DIM) -> VectorIndex:
        """Return an empty index."""
        raise NotImplementedError

    def load(self, path: Path) -> tuple[VectorIndex, str]:
        """Load an index of the same kind."""
        raise NotImplementedError

    def assert_best(self, found: list[Neighbor], every: list[Neighbor], k: int) -> None:
        """Assert that `found` are the k best of `every`, which is in order: to the bit."""
        assert found == every[:k]

    def filled(self, count: int, *, seed: int = 1) -> tuple[VectorIndex, dict[int, np.ndarray]]:
        """Return an index of random rows under scattered ids, and what it holds."""
        index = self.make()
        ids = np.random.default_rng(seed).permutation(10 * count)[:count].astype(np.int64) - count
        rows = unit_rows(count, seed=seed)
        index.add(ids, rows)
        return index, dict(zip(ids.tolist(), rows, strict=True))

    @pytest.mark.parametrize("k", [1, 10, 300], ids=lambda k: f"k={k}")
    def test_finds_what_the_oracle_finds(self, k: int) -> None:
        """The k best ids come in order with their scores, for every query of a batch."""
        index, held = self.filled(300)
        queries = unit_rows(25, seed=2)
        for query, found in zip(queries, index.search(queries, k), strict=True):
            assert_same(found, expected(held, query, k))

    @pytest.mark.parametrize("seed", range(8))
    def test_agrees_with_the_oracle_through_a_random_history(self, seed: int) -> None:
        """After any mixture of additions, replacements and removals it equals `ExactIndex`."""
        rng = random.Random(seed)
        index, oracle = self.make(), ExactIndex(DIM)
        for step in range(25):
            ids = np.array(rng.sample(range(-50, 150), rng.randint(0, 40)), dtype=np.int64)
            if rng.random() < 0.6:
                rows = unit_rows(len(ids), seed=1000 * seed + step)
                # Some rows are equal to each other: ties are part of the history.
                rows[: len(rows) // 3] = unit_rows(1, seed=seed)
                index.add(ids, rows)
                oracle.add(ids, rows)
            else:
                assert index.remove(ids) == oracle.remove(ids)
            assert len(index) == len(oracle)
            k = rng.randint(1, 60)
            queries = unit_rows(rng.randint(1, 3), seed=step)
            queries[0] = unit_rows(1, seed=seed)[0]
            allowed = None
            if rng.random() < 0.5:
                allowed = np.array(rng.choices(range(-60, 160), k=40), dtype=np.int64)
            found = index.search(queries, k, allowed=allowed)
            every = oracle.search(queries, 10**6, allowed=allowed)
            assert len(found) == len(queries)
            for one, truth in zip(found, every, strict=True):
                self.assert_best(one, truth, k)

    def test_gives_fewer_than_k_only_where_it_holds_fewer(self) -> None:
        """A k beyond the index gives every id once and nothing besides, however large it is."""
        index, held = self.filled(7)
        for k in (7, 8, 10**9):
            (found,) = index.search(unit_rows(1, seed=3), k)
            assert sorted(neighbor.id for neighbor in found) == sorted(held)

    def test_an_empty_index_finds_nothing(self) -> None:
        """An empty index has length 0 and gives one empty list a query."""
        index = self.make()
        assert len(index) == 0
        assert index.dim == DIM
        assert index.search(unit_rows(2, seed=1), 5) == [[], []]
        assert index.remove(ids_of(1, 2)) == 0

    def test_no_query_gives_no_list(self) -> None:
        """A batch of no queries gives no result, and adding no row adds none."""
        index, _ = self.filled(5)
        index.add(ids_of(), np.empty((0, DIM), dtype=np.float32))
        assert len(index) == 5
        assert index.search(np.empty((0, DIM), dtype=np.float32), 5) == []

    @pytest.mark.parametrize("k", [0, -1])
    def test_k_below_one_is_refused(self, k: int) -> None:
        """A k of 0 or less is an error, also where the index is empty."""
        with pytest.raises(InvalidArgument, match=f"k must be at least 1, not {k}"):
            self.make().search(unit_rows(1, seed=1), k)

    def test_equal_scores_come_by_id(self) -> None:
        """Of many equal rows the lowest ids come first, also where k cuts through them."""
        index = self.make()
        ids = np.random.default_rng(5).permutation(400).astype(np.int64)
        # Values of few bits: the sums below are exact in any order.
        rows = np.repeat(np.round(unit_rows(1, seed=1) * 16) / 16, 400, axis=0)
        better = rows[0] * np.float32(1.5)
        index.add(ids, rows)
        index.add(ids_of(1000), better[None])
        for k in (1, 2, 150, 300):
            (found,) = index.search(rows[:1], k)
            score = math.fsum(float(x) ** 2 for x in rows[0])
            best = math.fsum(float(x) * float(y) for x, y in zip(rows[0], better, strict=True))
            every = [Neighbor(id=1000, score=best)]
            every += [Neighbor(id=number, score=score) for number in range(400)]
            self.assert_best(found, every, k)

    def test_rows_that_differ_in_the_last_bit_are_told_apart(self) -> None:
        """Scores nearer to each other than float32 can tell are still in their true order."""
        index = self.make(2)
        steps = 200
        # The scores are 1 + i * 2^-30; in float32 most of them round to the same number.
        rows = np.ones((steps, 2), dtype=np.float32)
        rows[:, 1] = np.arange(steps) * 2.0**-30
        ids = np.random.default_rng(1).permutation(steps).astype(np.int64)
        index.add(ids, rows)
        (found,) = index.search(np.ones((1, 2), dtype=np.float32), 20)
        every = [
            Neighbor(id=int(number), score=1 + place * 2.0**-30)
            for place, number in reversed(list(enumerate(ids)))
        ]
        self.assert_best(found, every, 20)

    def test_rounding_in_float32_hides_no_neighbor(self) -> None:
        """Of rows whose scores differ by less than float32 errs, the truly best are found."""
        index, oracle = self.make(384), ExactIndex(384)
        rng = np.random.default_rng(6)
        noise = rng.standard_normal((600, 384)).astype(np.float32) * np.float32(3e-8)
        rows = unit_rows(1, seed=1, dim=384) + noise
        ids = np.arange(600)
        for one in (index, oracle):
            one.add(ids, rows)
        queries = np.concatenate([rows[:1], unit_rows(3, seed=2, dim=384)])
        every = oracle.search(queries, 600)
        for found, truth in zip(index.search(queries, 5), every, strict=True):
            self.assert_best(found, truth, 5)

    def test_rows_of_any_length_are_taken_as_they_are(self) -> None:
        """Scores are plain inner products: long rows win, zero rows score 0, negatives are last."""
        index = self.make(2)
        rows = np.array([[1, 0], [1e15, 0], [0, 0], [-3, 1], [1e-30, 0]], dtype=np.float32)
        index.add(ids_of(0, 1, 2, 3, 4), rows)
        (found,) = index.search(np.array([[2, 0]], dtype=np.float32), 5)
        assert [neighbor.id for neighbor in found] == [1, 0, 4, 2, 3]
        assert [n.score for n in found] == [2 * float(rows[i, 0]) for i in (1, 0, 4, 2, 3)]

    def test_only_allowed_ids_are_found(self) -> None:
        """With `allowed`, the result is that of an index of those ids alone."""
        index, held = self.filled(300)
        rng = np.random.default_rng(4)
        query = unit_rows(1, seed=9)
        for count in (0, 1, 5, 40, 150, 300):
            chosen = rng.choice(np.array(list(held), dtype=np.int64), count, replace=False)
            some = {int(number): held[int(number)] for number in chosen}
            # Unknown ids and repetitions in `allowed` change nothing.
            allowed = np.concatenate([chosen, chosen[:3], ids_of(10**12)])
            (found,) = index.search(query, 10, allowed=allowed)
            assert_same(found, expected(some, query[0], 10))

    def test_removed_ids_are_never_found(self) -> None:
        """What was removed is gone at once, one by one to the last, and counted once."""
        index, held = self.filled(120)
        query = unit_rows(1, seed=7)
        while held:
            (found,) = index.search(query, 120)
            assert_same(found, expected(held, query[0], 120))
            gone = [neighbor.id for neighbor in found[:3]]
            assert index.remove(ids_of(*gone, gone[0], 10**12)) == len(gone)
            for number in gone:
                del held[number]
            assert len(index) == len(held)
            assert index.search(query, 5, allowed=ids_of(*gone)) == [[]]

    def test_a_removed_id_can_come_back(self) -> None:
        """An id that was removed can be added with another row, which alone is found."""
        index, held = self.filled(50)
        number = next(iter(held))
        index.remove(ids_of(number))
        row = unit_rows(1, seed=77)
        index.add(ids_of(number), row)
        held[number] = row[0]
        (found,) = index.search(row, 50)
        assert found[0].id == number
        assert_same(found, expected(held, row[0], 50))

    def test_adding_a_known_id_replaces_its_row(self) -> None:
        """A replaced id is found by its new row, once, and no more by its old one."""
        index, held = self.filled(200)
        for turn in range(5):
            changed = list(held)[turn * 20 : turn * 20 + 50]
            rows = unit_rows(len(changed), seed=100 + turn)
            index.add(ids_of(*changed), rows)
            held.update(zip(changed, rows, strict=True))
            assert len(index) == 200
            for query in rows[:3]:
                (found,) = index.search(query[None], 200)
                assert_same(found, expected(held, query, 200))

    def test_extreme_ids_are_held(self) -> None:
        """Every int64 is an id, -1 and both ends included."""
        ends = np.iinfo(np.int64)
        index = self.make()
        rows = unit_rows(4, seed=1)
        index.add(ids_of(ends.min, -1, 0, ends.max), rows)
        found = index.search(rows, 1)
        assert [neighbors[0].id for neighbors in found] == [ends.min, -1, 0, ends.max]

    @pytest.mark.parametrize(
        ("ids", "rows", "error"),
        [
            pytest.param(TWO, unit_rows(2, seed=1, dim=DIM + 1), DimensionMismatch, id="wider"),
            pytest.param(TWO, unit_rows(2, seed=1, dim=DIM - 1), DimensionMismatch, id="narrower"),
            pytest.param(TWO, filled_with(np.nan), NonFiniteVectors, id="nan"),
            pytest.param(TWO, filled_with(-np.inf), NonFiniteVectors, id="infinite"),
            pytest.param(TWO, filled_with(3e38), NonFiniteVectors, id="huge"),
            pytest.param(ids_of(7, 7), unit_rows(2, seed=1), InvalidArgument, id="id twice"),
            pytest.param(ids_of(7, 8, 9), unit_rows(2, seed=1), InvalidArgument, id="more ids"),
            pytest.param(TWO, unit_rows(3, seed=1), InvalidArgument, id="more rows"),
            pytest.param(TWO, unit_rows(2, seed=1)[0], InvalidArgument, id="one-dimensional"),
            pytest.param(TWO, np.ones((2, DIM)), InvalidArgument, id="float64"),
            pytest.param(TWO / 1.0, unit_rows(2, seed=1), InvalidArgument, id="float ids"),
            pytest.param(TWO[None], unit_rows(2, seed=1), InvalidArgument, id="square ids"),
            pytest.param([1, 7], unit_rows(2, seed=1), InvalidArgument, id="list of ids"),
        ],
    )
    def test_a_wrong_addition_is_refused_and_changes_nothing(
        self, ids: np.ndarray, rows: np.ndarray, error: type[InvalidArgument]
    ) -> None:
        """A refused `add` leaves the length and every result as they were."""
        index = self.make()
        held = unit_rows(3, seed=8)
        index.add(ids_of(1, 5, 9), held)
        before = index.search(held, 3)
        with pytest.raises(error):
            index.add(ids, rows)
        assert len(index) == 3
        assert index.search(held, 3) == before

    @pytest.mark.parametrize(
        ("query", "error"),
        [
            pytest.param(unit_rows(1, seed=1, dim=3), DimensionMismatch, id="dimension"),
            pytest.param(np.full((1, DIM), np.nan, np.float32), NonFiniteVectors, id="nan"),
            pytest.param(unit_rows(1, seed=1)[0], InvalidArgument, id="one-dimensional"),
        ],
    )
    def test_a_wrong_query_is_refused(
        self, query: np.ndarray, error: type[InvalidArgument]
    ) -> None:
        """A query that has no inner product with the rows is an error, not an empty result."""
        index, _ = self.filled(5)
        with pytest.raises(error):
            index.search(query, 1)

    def test_wrong_ids_are_refused(self) -> None:
        """Ids that are not int64 are refused by `remove` and in `allowed`."""
        index, _ = self.filled(5)
        with pytest.raises(InvalidArgument):
            index.remove(np.array([0.5]))
        with pytest.raises(InvalidArgument):
            index.search(unit_rows(1, seed=1), 1, allowed=np.array([0.5]))
        assert len(index) == 5

    def test_later_changes_to_an_argument_do_not_reach_the_index(self) -> None:
        """`add` copies: the caller may write over its arrays."""
        index = self.make()
        ids, rows = ids_of(1, 2), unit_rows(2, seed=1)
        query = rows[:1].copy()
        index.add(ids, rows)
        before = index.search(query, 2)
        ids[:], rows[:] = 0, 0
        assert index.search(query, 2) == before

    def test_rows_in_any_memory_layout_are_the_same_rows(self) -> None:
        """Rows that are strided or in Fortran order are read by their values."""
        index, plain = self.make(), self.make()
        rows = unit_rows(40, seed=1)
        plain.add(np.arange(40), rows)
        index.add(np.arange(20) * 2, rows[::2])
        index.add(np.arange(20) * 2 + 1, np.asfortranarray(rows[1::2]))
        queries = unit_rows(6, seed=3)
        assert index.search(np.asfortranarray(queries), 9) == plain.search(queries, 9)

    def test_a_saved_index_is_the_same_index(self, tmp_path: Path) -> None:
        """After removals and replacements too, a loaded index answers as the saved one did."""
        index, held = self.filled(150)
        some = list(held)
        index.remove(ids_of(*some[:20]))
        index.add(ids_of(*some[20:25], 10**15), unit_rows(6, seed=55))
        path = tmp_path / "index"
        index.save(path, stamp="generation 42 \u2713")
        loaded, stamp = self.load(path)
        assert stamp == "generation 42 \u2713"
        assert (loaded.dim, len(loaded)) == (DIM, 131)
        queries = unit_rows(10, seed=3)
        assert loaded.search(queries, 131) == index.search(queries, 131)
        for one in (index, loaded):
            assert one.remove(ids_of(*some[18:30])) == 10
            one.add(ids_of(*some[:3]), unit_rows(3, seed=66))
        assert loaded.search(queries, 200) == index.search(queries, 200)
        assert [entry.name for entry in tmp_path.iterdir()] == ["index"]

    def test_an_empty_index_can_be_saved(self, tmp_path: Path) -> None:
        """An index without rows comes back without rows, and takes new ones."""
        self.make().save(tmp_path / "index", stamp="")
        loaded, stamp = self.load(tmp_path / "index")
        assert (len(loaded), stamp, loaded.dim) == (0, "", DIM)
        loaded.add(ids_of(3), unit_rows(1, seed=1))
        assert len(loaded) == 1

    def test_a_failed_save_leaves_the_old_file(self, tmp_path: Path) -> None:
        """Where the new file cannot be put in place, the error is raised and nothing is left."""
        index, _ = self.filled(5)
        (tmp_path / "directory" / "full").mkdir(parents=True)
        with pytest.raises(OSError, match="directory"):
            index.save(tmp_path / "directory", stamp="")
        assert [entry.name for entry in tmp_path.iterdir()] == ["directory"]

    def test_a_missing_file_is_missing(self, tmp_path: Path) -> None:
        """No file is not a damaged one."""
        with pytest.raises(FileNotFoundError):
            self.load(tmp_path / "none")

    def test_every_damage_is_detected(self, tmp_path: Path) -> None:
        """A file cut anywhere, lengthened, zeroed in a block or with any bit flipped is refused."""
        index, _ = self.filled(40)
        path = tmp_path / "index"
        index.save(path, stamp="7")
        good = path.read_bytes()
        rng = random.Random(1)
        cuts = [0, 1, 8, 39, 40, 44, *rng.sample(range(len(good)), 20), len(good) - 1]
        damaged = [good[:cut] for cut in cuts] + [good + b"\0", b"\0" * len(good)]
        places = [*range(60), *rng.sample(range(len(good)), 200), len(good) - 1]
        for place in places:
            flipped = bytearray(good)
            flipped[place] ^= 1 << rng.randrange(8)
            damaged.append(bytes(flipped))
        middle = len(good) // 2
        zeroed = good[:middle] + bytes(512) + good[middle + 512 :]
        swapped = good[:40] + good[40 + 512 : 40 + 1024] + good[40 : 40 + 512] + good[40 + 1024 :]
        for content in (*damaged, zeroed, swapped):
            assert content != good
            path.write_bytes(content)
            with pytest.raises(DamagedFile, match="index"):
                self.load(path)
        path.write_bytes(good)
        assert len(self.load(path)[0]) == 40

    def test_a_whole_file_of_another_kind_is_unknown(self, tmp_path: Path) -> None:
        """A file with a right checksum, of a kind that this driver does not read, is refused."""
        header = Header(kind="of another driver", dim=DIM, rows=0, stamp="")
        write_file(tmp_path / "index", header, lambda _write: None)
        with pytest.raises(UnknownFile, match="another version or driver"):
            self.load(tmp_path / "index")

    def test_searches_and_changes_can_run_at_once(self) -> None:
        """Whatever runs beside it, a search sees every change whole: never half of a replacement.

        Ids come in pairs whose two rows are equal at any moment, and are replaced, removed and
        brought back together; so each search must find both of a pair with one score, or neither.
        """
        index = self.make()
        pairs = 60
        ids = np.arange(2 * pairs, dtype=np.int64)
        index.add(ids, np.repeat(unit_rows(pairs, seed=0), 2, axis=0))
        stop = threading.Event()
        failures: list[BaseException] = []
        searches: list[int] = []

        def search(seed: int) -> None:
            count = 0
            try:
                while not stop.is_set():
                    (found,) = index.search(unit_rows(1, seed=seed + count), 10**6)
                    scores = {neighbor.id: neighbor.score for neighbor in found}
                    assert len(found) == len(scores) >= pairs
                    assert all(scores[number ^ 1] == scores[number] for number in scores)
                    (few,) = index.search(unit_rows(1, seed=seed - count), 5)
                    assert len(few) == 5
                    for neighbors in (found, few):
                        keys = [(-neighbor.score, neighbor.id) for neighbor in neighbors]
                        assert keys == sorted(keys)
                    count += 1
            except BaseException as error:  # noqa: BLE001 - told to the main thread
                failures.append(error)
            searches.append(count)

        readers = [threading.Thread(target=search, args=(10**6 * n,)) for n in (1, 2, 3)]
        for reader in readers:
            reader.start()
        rng = np.random.default_rng(3)
        for turn in range(120):
            some = rng.choice(pairs, pairs // 2, replace=False)
            both = np.concatenate([2 * some, 2 * some + 1]).astype(np.int64)
            if turn % 3 == 0:
                index.remove(both)
            rows = unit_rows(len(some), seed=turn)
            index.add(both, np.concatenate([rows, rows]))
        stop.set()
        for reader in readers:
            reader.join(timeout=60)
        assert not failures, failures[0]
        assert len(searches) == 3
        assert sum(searches) > 0
        assert len(index) == 2 * pairs
