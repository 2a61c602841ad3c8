"""Measure the faiss driver, scan against graph: `python tests/benchmarks/bench_vectors.py`.

The data imitates sentence embeddings and is none: unit rows of 384 columns, a mixture of 64 latent
factors with falling weights and of independent noise. Queries are rows disturbed by as much again.
Times are medians of single queries on one thread; recall is against the scan. On a machine that
does other work read the ratios, not the milliseconds.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from vectors.faiss_index import FaissIndex
from vectors.index import Rows

DIM = 384
FACTORS = 64
K = 10


def embeddings_like(count: int, *, seed: int) -> Rows:
    """Return unit rows whose variance lies mostly in a few directions, as embeddings' does."""
    weights = np.linspace(1.0, 0.2, FACTORS)[:, None]
    directions = np.random.default_rng(0).standard_normal((FACTORS, DIM)) * weights
    rng = np.random.default_rng(seed)
    rows = np.empty((count, DIM), dtype=np.float32)
    for start in range(0, count, 10_000):
        part = rows[start : start + 10_000]
        part[:] = rng.standard_normal((len(part), FACTORS)) @ directions
        part += rng.standard_normal(part.shape) * 2.0
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return rows


def questions_near(rows: Rows, count: int, *, seed: int) -> Rows:
    """Return unit queries, each between one of `rows` and a fresh row."""
    rng = np.random.default_rng(seed)
    near = rows[rng.choice(len(rows), count, replace=False)]
    mixed = near + embeddings_like(count, seed=seed)
    return (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)


def saved(index: FaissIndex) -> tuple[float, float]:
    """Return MiB on disk, which is what the rows and links take in memory, and seconds to load."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "index"
        index.save(path, stamp="")
        start = time.perf_counter()
        FaissIndex.load(path)
        return path.stat().st_size / 2**20, time.perf_counter() - start


def median_ms(search: Callable[[Rows], object], queries: Rows) -> float:
    """Return the median time of one query."""
    times = []
    for query in queries:
        start = time.perf_counter()
        search(query[None])
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


def measure(count: int, *, queries: int) -> None:
    """Print a line for the scan and a line for the graph over the same rows."""
    rows = embeddings_like(count, seed=1)
    ids = np.arange(count, dtype=np.int64)
    asked = questions_near(rows, queries, seed=2)
    few = ids[:: max(1, count // 1000)]
    truth: list[set[int]] = []
    for graph_from in (count + 1, count // 10):
        start = time.perf_counter()
        index = FaissIndex(DIM, graph_from=graph_from)
        index.add(ids, rows)
        built = time.perf_counter() - start
        found = [{n.id for n in index.search(query[None], K)[0]} for query in asked]
        truth = truth or found
        recall = statistics.mean(len(a & b) / len(b) for a, b in zip(found, truth, strict=True))
        plain = median_ms(lambda query, index=index: index.search(query, K), asked)
        filtered = median_ms(lambda query, index=index: index.search(query, K, allowed=few), asked)
        mib, loaded = saved(index)
        print(
            f"{count:>8,} {index.kind:>5} {built:>9.2f} {plain:>9.2f} {filtered:>13.2f}"
            f" {recall:>10.3f} {mib:>7.0f} {loaded:>7.2f}",
            flush=True,
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--queries", type=int, default=100)
    options = parser.parse_args()
    print(
        f"{'rows':>8} {'kind':>5} {'build s':>9} {'query ms':>9} {'1,000 ids ms':>13}"
        f" {'recall@10':>10} {'MiB':>7} {'load s':>7}"
    )
    for count in options.rows:
        measure(count, queries=options.queries)


if __name__ == "__main__":
    main()
