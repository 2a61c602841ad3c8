"""Questions a second: one at a time with two threads, or two at once.

    python -m tests.benchmarks.bench_concurrency [ROUNDS]

The ways take turns within each round, so that a busy machine slows all alike; of each way the
median rate is printed, and the median of its ratio to the first within a round. All give the same
answers, which is checked. Windows of several questions in one run of the network (micro-batching)
are not among them: a passage's scores would depend on its neighbours in the batch.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from rag.answering import Answerer
from rag.bootstrap import open_engine
from rag.settings import Settings, read_settings
from tests.load.serving import fill, questions
from tests.threads import told

QUESTIONS = 24
ROUNDS = 9
# A name, how many threads the models use, how many questions are answered at once.
WAYS = (
    ("one at a time, 2 threads", 2, 1),
    ("two at once, 2 threads shared", 2, 2),
    ("two at once, 1 thread each", 1, 2),
    ("three at once, 2 threads shared", 2, 3),
)


@contextmanager
def answerers(settings: Settings) -> Iterator[dict[int, Answerer]]:
    """Open an answerer for each number of threads."""
    with ExitStack() as stack:
        yield {
            threads: stack.enter_context(open_engine(replace(settings, threads=threads))).answerer
            for threads in sorted({threads for _, threads, _ in WAYS})
        }


def main() -> None:
    """Print the rates."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    asked = questions()[:QUESTIONS]
    rates: dict[str, list[float]] = {name: [] for name, _, _ in WAYS}
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory) / "home"
        fill(home)
        with answerers(read_settings({"RAG_HOME": str(home)})) as opened:
            expected = [told(opened[2].ask(question)) for question in asked]
            for _ in range(rounds):
                for name, threads, at_once in WAYS:
                    with ThreadPoolExecutor(at_once) as pool:
                        started = time.perf_counter()
                        answered = list(pool.map(opened[threads].ask, asked))
                        rates[name].append(QUESTIONS / (time.perf_counter() - started))
                    assert [told(each) for each in answered] == expected, name
    first = rates[WAYS[0][0]]
    for name, values in rates.items():
        ratio = statistics.median(a / b for a, b in zip(values, first, strict=True))
        print(f"{name:<34} {statistics.median(values):6.1f} a second, {ratio:5.2f} of the first")


if __name__ == "__main__":
    main()
