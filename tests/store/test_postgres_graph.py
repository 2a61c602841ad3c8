"""The graph over a collection's vectors: it is used, it finds nearly all, and writes keep it."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
import pytest

from rag.errors import NotFound
from rag.store import Filters, NewDocument
from rag.store.postgres import Building, PostgresStore, Server
from rag.store.postgres.tables import PostgresTables
from tests.fakes import make_document, ready

_NUMBERS = count()
DIM = 96
SMALL = Building(memory=64 << 20, workers=0)
HTML = Filters(media_types=("text/html",))


def clustered(rng: np.random.Generator, number: int) -> npt.NDArray[np.float32]:
    """Return unit vectors, float32 (number, DIM), most of them near some other ones."""
    centres = np.random.default_rng(0).standard_normal((40, DIM))
    rows = centres[rng.integers(0, 40, number)] + 0.7 * rng.standard_normal((number, DIM))
    unit: npt.NDArray[np.float32] = (rows / np.linalg.norm(rows, axis=1)[:, None]).astype("f4")
    return unit


def documents(*, first: int, number: int) -> list[NewDocument]:
    """Return documents of 20 chunks each, every third of them HTML."""
    rng = np.random.default_rng(first + 1)
    made = []
    for n in range(first, first + number):
        document = make_document(
            "\n".join(f"line {n} {line}" for line in range(20)),
            uri=f"file:{n}",
            media_type="text/plain" if n % 3 else "text/html",
        )
        (new,) = ready(document)
        made.append(replace(new, vectors=clustered(rng, 20)))
    return made


@pytest.fixture(scope="module")
def filled(server: Server) -> Iterator[PostgresStore]:
    """A store of 3,000 chunks with a graph, to which nobody writes."""
    store = PostgresStore(server, f"graph-{next(_NUMBERS)}", fingerprint="f")
    store.put(documents(first=0, number=150))
    assert store.build_graph(SMALL) == 3000
    yield store
    store.close()


def exact(store: PostgresStore, query: npt.NDArray[np.float32], k: int) -> list[int]:
    """Return the ids of the k nearest chunks, by NumPy."""
    with store.snapshot() as snapshot:
        parts = list(snapshot.added_since(0))
    ids = np.array([chunk.id for chunks, _ in parts for chunk in chunks])
    rows = np.concatenate([rows for _, rows in parts])
    found: list[int] = ids[np.argsort(-(rows @ query), kind="stable")[:k]].tolist()
    return found


@pytest.mark.parametrize("filters", [Filters(), HTML], ids=["all", "a-third"])
def test_the_graph_is_used_where_row_level_security_is_forced(
    filled: PostgresStore, database: str, monkeypatch: pytest.MonkeyPatch, filters: Filters
) -> None:
    """The very query that is asked has the collection's index in its plan, and no sort."""
    query = PostgresTables.query

    def remembered(
        self: PostgresTables, statement: str, values: tuple[Any, ...]
    ) -> list[tuple[Any, ...]]:
        if "ORDER BY" in statement:
            plan = query(self, f"EXPLAIN {statement}", values)
            plans.append("\n".join(row[0] for row in plan))
        return query(self, statement, values)

    plans: list[str] = []
    monkeypatch.setattr(PostgresTables, "query", remembered)
    (vector,) = clustered(np.random.default_rng(5), 1)
    with filled.snapshot() as snapshot:
        assert len(snapshot.nearest(vector, 100, filters=filters, spans=None)) == 100
    (plan,) = plans
    assert "Index Scan using entries_" in plan
    assert "Sort" not in plan
    with closing(psycopg.connect(database)) as connection:
        forced = connection.execute(
            "SELECT relforcerowsecurity FROM pg_class WHERE relname = 'entries'"
        ).fetchone()
    assert forced == (True,)


def test_nearly_all_of_the_nearest_are_met(filled: PostgresStore) -> None:
    """Of the ten nearest the graph finds 99% and more; what it finds is in the exact order."""
    queries = clustered(np.random.default_rng(9), 30)
    met = 0
    for query in queries:
        with filled.snapshot() as snapshot:
            found = snapshot.nearest(query, 10, filters=Filters(), spans=None)
        met += len({id_ for id_, _ in found} & set(exact(filled, query, 10)))
        assert found == sorted(found, key=lambda hit: (-hit[1], hit[0]))
    assert met >= 297


def test_a_filter_that_lets_few_through_still_finds_all_of_them(filled: PostgresStore) -> None:
    """Where the walk ends before there are k, all that meet the filters are compared."""
    (query,) = clustered(np.random.default_rng(7), 1)
    with filled.snapshot() as snapshot:
        few = Filters(documents=tuple(snapshot.matching(HTML)[:2]))
        expected = set(snapshot.chunk_ids(list(few.documents or ())).tolist())
        found = snapshot.nearest(query, 100, filters=few, spans=None)
    assert {id_ for id_, _ in found} == expected
    assert len(found) == 40


def test_writes_keep_the_graph_and_a_rechunking_builds_it_anew(server: Server) -> None:
    """New vectors are found at once and deleted ones are not; afterwards there is a graph still."""
    store = PostgresStore(server, f"graph-{next(_NUMBERS)}", fingerprint="f")
    with pytest.raises(NotFound, match="holds no passages yet"):
        store.build_graph(SMALL)
    store.put(documents(first=0, number=20))
    store.build_graph(SMALL)
    (new,) = documents(first=1000, number=1)
    store.put([new])
    with store.snapshot() as snapshot:
        ((nearest, score),) = snapshot.nearest(new.vectors[3], 1, filters=Filters(), spans=None)
        assert snapshot.chunks([nearest])[0].text == "line 1000 3"
        assert score == pytest.approx(1, abs=1e-6)
    store.delete(new.document.id)
    with store.snapshot() as snapshot:
        found = snapshot.nearest(new.vectors[3], 400, filters=Filters(), spans=None)
        assert len(found) == 400
        assert nearest not in dict(found)

    store.begin_rechunking("g")
    with store.snapshot() as snapshot:
        generation = snapshot.generation
    store.stage(documents(first=0, number=20), fingerprint="g", generation=generation)
    assert store.publish_staged("g") == generation + 1
    with server.looking() as connection:
        graphs = connection.execute(
            "SELECT count(*) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
            "WHERE relname = %s AND indisvalid",
            (f"entries_{store._collection}_{DIM}",),
        ).fetchone()
    assert graphs == (1,)
    query = documents(first=0, number=1)[0].vectors[0]
    with store.snapshot() as snapshot:
        assert snapshot.nearest(query, 10, filters=Filters(), spans=None)[0][1] == pytest.approx(1)
