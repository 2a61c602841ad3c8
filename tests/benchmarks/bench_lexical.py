"""Measure the lexical index: `python tests/benchmarks/bench_lexical.py`.

The texts are made up: words drawn by Zipf's law from 300,000, the most frequent ones English stop
words; 150 a chunk, which an embedder takes for some 200 tokens. A question is eight words of a
chunk's text, drawn alike. Memory is that of the index's arrays and dictionary, without the texts.
A change replaces chunks: it removes some and adds as many. On a machine that does other work read
the ratios, not the milliseconds.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Sequence

import numpy as np

from rag.retrieval.lexical import LexicalIndex
from rag.store import AddedChunk

STOP_WORDS = (
    *("the", "of", "and", "to", "a", "in", "is", "that", "for", "it", "was", "on", "as", "with"),
    *("be", "by", "at", "this", "are", "not", "or", "an", "but", "if", "into", "no", "such"),
    *("their", "then", "there", "these", "they", "will"),
)
WORDS = 300_000
WORDS_A_CHUNK = 150
WORDS_A_HEADING = 6
WORDS_A_QUESTION = 8
BATCH = 4096
K = 100
LETTERS = "bcdfghjklmnpqrtvwxz"


def vocabulary() -> list[str]:
    """Return different words, the most frequent first."""
    words = [*STOP_WORDS]
    for number in range(WORDS - len(words)):
        word, rest = "", number + len(LETTERS)
        while rest:
            rest, letter = divmod(rest, len(LETTERS))
            word += LETTERS[letter] + "aeiou"[letter % 5]
        words.append(word)
    return words


class Texts:
    """Draws chunks and questions, always the same ones."""

    def __init__(self) -> None:
        self.words = np.array(vocabulary(), dtype=object)
        # The law of Zipf and Mandelbrot. The exponent makes a third of the text stop words.
        shares = np.cumsum((np.arange(WORDS) + 2.7) ** -1.1)
        self.shares = shares / shares[-1]
        self.rng = np.random.default_rng(1)

    def drawn(self, count: int, *, length: int) -> list[str]:
        """Return texts of `length` words each."""
        numbers = np.searchsorted(self.shares, self.rng.random((count, length)))
        return [" ".join(row) for row in self.words[numbers].tolist()]

    def chunks(self, ids: Sequence[int]) -> list[AddedChunk]:
        """Return a chunk for each id."""
        texts = self.drawn(len(ids), length=WORDS_A_CHUNK)
        titles = self.drawn(len(ids), length=WORDS_A_HEADING)
        return [
            AddedChunk(id=id_, document="", title=title, section=(), text=text)
            for id_, title, text in zip(ids, titles, texts, strict=True)
        ]


def build(texts: Texts, count: int) -> tuple[LexicalIndex, float]:
    """Return an index of so many chunks, and the seconds that it took."""
    index = LexicalIndex()
    seconds = 0.0
    for first in range(0, count, BATCH):
        chunks = texts.chunks(range(first, min(first + BATCH, count)))
        start = time.perf_counter()
        index.change(added=chunks, removed=())
        seconds += time.perf_counter() - start
    return index, seconds


def memory(index: LexicalIndex) -> tuple[int, int]:
    """Return the bytes of the postings and those of the words."""
    postings = sum(
        array.nbytes
        for segment in index._segments
        for array in (
            *(segment.ids, segment.lengths, segment.live, segment.keys, segment.starts),
            *(segment.rows, segment.frequencies),
        )
    )
    words = sys.getsizeof(index._numbers)
    words += sum(sys.getsizeof(word) + sys.getsizeof(n) for word, n in index._numbers.items())
    return postings, words


def milliseconds(times: Sequence[float]) -> str:
    """Return median, 95th percentile and maximum."""
    ordered = sorted(1000 * t for t in times)
    high = ordered[int(0.95 * (len(ordered) - 1))]
    return f"median {statistics.median(ordered):8.2f}  p95 {high:8.2f}  max {ordered[-1]:8.2f} ms"


def replace(index: LexicalIndex, texts: Texts, *, count: int, size: int, rounds: int) -> str:
    """Replace `size` random chunks of `count` in each round."""
    times = []
    for _ in range(rounds):
        ids = texts.rng.choice(count, size, replace=False).tolist()
        chunks = texts.chunks(ids)
        start = time.perf_counter()
        index.change(added=chunks, removed=ids)
        times.append(time.perf_counter() - start)
    mean = 1000 * statistics.mean(times)
    return f"mean {mean:8.2f}  {milliseconds(times)}"


def search(index: LexicalIndex, texts: Texts, *, count: int, share: float, rounds: int) -> str:
    """Ask questions with a filter that lets a share of the chunks through, or without one."""
    allowed = None
    if share < 1:
        allowed = np.sort(texts.rng.choice(count, int(count * share), replace=False))
    times = []
    for question in texts.drawn(rounds, length=WORDS_A_QUESTION):
        start = time.perf_counter()
        index.search(question, K, allowed=allowed)
        times.append(time.perf_counter() - start)
    return milliseconds(times)


def main() -> None:
    """Build, change and search indexes of each size; print what it cost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chunks", type=int, nargs="+", default=[1_000, 100_000])
    parser.add_argument("--questions", type=int, default=300)
    options = parser.parse_args()
    for count in options.chunks:
        texts = Texts()
        index, seconds = build(texts, count)
        postings, words = memory(index)
        print(f"{count:,} chunks: {count / seconds:,.0f} a second, {len(index._numbers):,} words")
        print(
            f"  bytes a chunk         {(postings + words) / count:,.0f}:"
            f" postings {postings / count:,.0f}, words {words / count:,.0f}"
        )
        for share, name in ((1.0, "search all"), (0.5, "search in 50%"), (0.01, "search in 1%")):
            rounds = options.questions
            print(f"  {name:21} {search(index, texts, count=count, share=share, rounds=rounds)}")
        for size, rounds in ((1, 300), (100, 60)):
            costs = replace(index, texts, count=count, size=size, rounds=rounds)
            print(f"  replace {size:<13} {costs}")
        costs = search(index, texts, count=count, share=1, rounds=options.questions)
        print(f"  search after changes  {costs}  ({len(index._segments)} segments)", flush=True)


if __name__ == "__main__":
    main()
