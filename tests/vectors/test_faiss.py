"""The faiss driver: by scan, by graph, and where it changes from one to the other."""

import subprocess
import sys
import threading
from pathlib import Path

import faiss
import numpy as np
import pytest

from vectors import ExactIndex, InvalidArgument, Neighbor, UnknownFile, VectorIndex
from vectors.faiss_index import FaissIndex
from vectors.faiss_table import openmp_threads
from vectors.files import Header, write_file

from .conformance import DIM, VectorIndexConformance, ids_of, unit_rows


class TestScan(VectorIndexConformance):
    """`FaissIndex` is a `VectorIndex` while it scans."""

    def make(self, dim: int = DIM) -> VectorIndex:
        """Return an empty index that scans."""
        return FaissIndex(dim)

    def load(self, path: Path) -> tuple[VectorIndex, str]:
        """Load an index of the same kind."""
        return FaissIndex.load(path)


class TestGraph(VectorIndexConformance):
    """`FaissIndex` is a `VectorIndex` with a graph, too, from the second row on."""

    def make(self, dim: int = DIM) -> VectorIndex:
        """Return an empty index that makes a graph at once."""
        return FaissIndex(dim, graph_from=2)

    def load(self, path: Path) -> tuple[VectorIndex, str]:
        """Load an index of the same kind."""
        return FaissIndex.load(path, graph_from=2)

    def assert_best(self, found: list[Neighbor], every: list[Neighbor], k: int) -> None:
        """Assert as many as there must be, each held, with its exact score, in exact order.

        Which they are is the graph's choice where many rows are equal or nearly so; how well it
        chooses among others is measured below.
        """
        ids = {neighbor.id for neighbor in found}
        assert len(ids) == len(found) == min(k, len(every))
        assert found == [neighbor for neighbor in every if neighbor.id in ids]


def recall(
    index: VectorIndex, oracle: VectorIndex, queries: np.ndarray, **options: object
) -> float:
    """Return the share of the oracle's 10 best that the index finds."""
    found, truth = (one.search(queries, 10, **options) for one in (index, oracle))  # type: ignore[arg-type]
    assert all(len(a) == len(b) for a, b in zip(found, truth, strict=True))
    hits = [
        len({n.id for n in a} & {n.id for n in b}) / len(b)
        for a, b in zip(found, truth, strict=True)
    ]
    return float(np.mean(hits))


@pytest.fixture(scope="module")
def graph_and_oracle() -> tuple[FaissIndex, ExactIndex]:
    """Return a graph over 4,000 rows, a tenth of them replaced and a tenth removed."""
    index, oracle = FaissIndex(DIM, graph_from=1000), ExactIndex(DIM)
    for one in (index, oracle):
        one.add(np.arange(4000), unit_rows(4000, seed=1))
        one.add(np.arange(400), unit_rows(400, seed=2))
        one.remove(np.arange(400, 800))
    assert index.kind == "hnsw"
    assert index._table.dead == 800
    return index, oracle


def test_the_graph_finds_nearly_all(graph_and_oracle: tuple[FaissIndex, ExactIndex]) -> None:
    """The graph itself, among dead rows, finds at least 99% of the ten nearest."""
    index, oracle = graph_and_oracle
    assert recall(index, oracle, unit_rows(100, seed=3)) >= 0.99


def test_allowed_ids_are_found_exactly(
    graph_and_oracle: tuple[FaissIndex, ExactIndex],
) -> None:
    """With few or many ids allowed the result is the oracle's to the bit, graph or not."""
    index, oracle = graph_and_oracle
    queries = unit_rows(30, seed=5)
    for step in (1, 3, 40, 400):
        allowed = np.arange(0, 4000, step)
        assert index.search(queries, 10, allowed=allowed) == oracle.search(
            queries, 10, allowed=allowed
        )


def test_scores_found_in_the_graph_are_exact_and_in_order(
    graph_and_oracle: tuple[FaissIndex, ExactIndex],
) -> None:
    """Whatever rows the graph meets, their scores equal the oracle's and order them."""
    index, oracle = graph_and_oracle
    queries = unit_rows(30, seed=6)
    every = [{n.id: n.score for n in row} for row in oracle.search(queries, 4000)]
    for found, scores in zip(index.search(queries, 50), every, strict=True):
        assert [n.score for n in found] == [scores[n.id] for n in found]
        keys = [(-n.score, n.id) for n in found]
        assert keys == sorted(keys)


@pytest.fixture
def graph_in_pieces_and_oracle() -> tuple[FaissIndex, ExactIndex]:
    """Return a graph over 500 rows whose links were cut, so that a walk ends where it starts."""
    index, oracle = FaissIndex(DIM, graph_from=100), ExactIndex(DIM)
    for one in (index, oracle):
        one.add(np.arange(500), unit_rows(500, seed=1))
    links = index._table.index.hnsw.neighbors
    faiss.copy_array_to_vector(np.full_like(faiss.vector_to_array(links), -1), links)
    return index, oracle


def test_only_plain_searches_walk_the_graph(
    graph_in_pieces_and_oracle: tuple[FaissIndex, ExactIndex],
) -> None:
    """A search for few of all rows uses the graph; one with `allowed` or a large k does not."""
    index, oracle = graph_in_pieces_and_oracle
    queries = unit_rows(5, seed=2)
    start = index._table.index.hnsw.entry_point
    assert [neighbors[0].id for neighbors in index.search(queries, 1)] == [start] * 5
    every = np.arange(500)
    assert index.search(queries, 1, allowed=every) == oracle.search(queries, 1)
    assert index.search(queries, 51) == oracle.search(queries, 51)


def test_a_walk_that_meets_too_few_rows_becomes_a_scan(
    graph_in_pieces_and_oracle: tuple[FaissIndex, ExactIndex],
) -> None:
    """Where the graph is in pieces there are as many neighbours as ever, and they are the best."""
    index, oracle = graph_in_pieces_and_oracle
    queries = unit_rows(5, seed=2)
    assert index.search(queries, 10) == oracle.search(queries, 10)


def test_the_kind_follows_the_size() -> None:
    """The graph is made by the row that reaches `graph_from`, and given up when rows have gone."""
    index = FaissIndex(DIM, graph_from=50)
    rows = unit_rows(60, seed=1)
    index.add(np.arange(49), rows[:49])
    assert index.kind == "flat"
    index.add(ids_of(0), rows[:1])
    assert (index.kind, len(index)) == ("flat", 49)
    index.add(np.arange(49, 60), rows[49:])
    assert (index.kind, len(index)) == ("hnsw", 60)
    index.remove(np.arange(12))
    assert (index.kind, len(index)) == ("hnsw", 48)  # a fifth is dead, and no more
    index.remove(ids_of(12))
    assert (index.kind, len(index)) == ("flat", 47)


def test_dead_rows_are_kept_to_a_fifth() -> None:
    """However much is removed and replaced, at most a fifth of the rows in memory is dead."""
    for index in (FaissIndex(DIM), FaissIndex(DIM, graph_from=50)):
        index.add(np.arange(200), unit_rows(200, seed=1))
        for turn in range(40):
            index.add(np.arange(turn, turn + 15), unit_rows(15, seed=turn))
            index.remove(ids_of(199 - turn))
            table = index._table
            assert table.dead <= len(table.ids) / 5
            assert len(table) == len(index) == 199 - turn


def test_the_same_calls_make_the_same_file(tmp_path: Path) -> None:
    """With one thread the graph is a function of what was added: its bytes are equal."""
    for name in ("a", "b"):
        index = FaissIndex(DIM, graph_from=100)
        index.add(np.arange(500), unit_rows(500, seed=1))
        index.add(np.arange(30), unit_rows(30, seed=2))
        index.save(tmp_path / name, stamp="1")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_graph_is_loaded_as_a_graph(tmp_path: Path) -> None:
    """Loading builds nothing: the kind is that of the file."""
    index = FaissIndex(DIM, graph_from=100)
    index.add(np.arange(100), unit_rows(100, seed=1))
    index.save(tmp_path / "index", stamp="1")
    loaded, _ = FaissIndex.load(tmp_path / "index")
    assert loaded.kind == "hnsw"


def test_a_payload_that_faiss_cannot_read_is_unknown(tmp_path: Path) -> None:
    """What a newer faiss wrote is refused by our error, not by faiss'."""
    header = Header(kind="flat", dim=DIM, rows=0, stamp="")
    write_file(tmp_path / "index", header, lambda write: write(b"Zzzz" + bytes(64)) and None)
    with pytest.raises(UnknownFile, match="this version of faiss cannot read it"):
        FaissIndex.load(tmp_path / "index")


def test_searches_go_on_while_the_graph_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build holds no lock against readers: a search within it answers from the old table."""
    index = FaissIndex(DIM, graph_from=100)
    rows = unit_rows(100, seed=1)
    index.add(np.arange(99), rows[:99])
    build = type(index._table).build
    seen: list[list[int]] = []

    def search() -> None:
        seen.append([neighbors[0].id for neighbors in index.search(rows, 1)])

    def build_with_a_search_within(*args: object, **options: object) -> object:
        reader = threading.Thread(target=search, daemon=True)
        reader.start()
        reader.join(timeout=10)
        return build(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(type(index._table), "build", build_with_a_search_within)
    index.add(ids_of(99), rows[99:])
    assert seen == [list(range(100))]
    assert index.kind == "hnsw"


@pytest.mark.parametrize("options", [{"threads": 0}, {"graph_from": 0}], ids=str)
def test_impossible_options_are_refused(options: dict[str, int]) -> None:
    """There is no search without a thread, and no graph without a row."""
    with pytest.raises(InvalidArgument, match="at least 1"):
        FaissIndex(DIM, **options)


def test_the_number_of_threads_is_put_back() -> None:
    """A bound on faiss' threads ends with the block that set it, by an error too."""
    before = faiss.omp_get_max_threads()
    inside = []

    def fail() -> None:
        with openmp_threads(before + 3):
            inside.append(faiss.omp_get_max_threads())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert inside == [before + 3]
    assert faiss.omp_get_max_threads() == before


def test_importing_the_package_loads_no_faiss() -> None:
    """`import vectors` is light; only the driver's own module loads faiss."""
    code = "import sys, vectors; sys.exit('faiss' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
