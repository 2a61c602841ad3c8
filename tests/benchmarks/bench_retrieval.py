"""Compares dense, lexical and fused ranking on questions whose right passage is known.

    python tests/benchmarks/bench_retrieval.py QUESTIONS.jsonl.gz [MORE.jsonl.gz ...]

Each line is an object with `context`, `question` and `answers`. The questions of the first file
that have an answer are asked; the contexts of all files are the corpus, each one passage. Printed
are the shares of questions whose context comes first, or among the first ten, and the mean
reciprocal rank (up to rank 10), with reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR
2009) for comparison.
"""

import argparse
import gzip
import json
import random
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rag.embedding.compiled import open_embedder
from rag.embedding.weights import find_weights
from rag.retrieval.fusion import fuse
from rag.retrieval.lexical import LexicalIndex
from rag.store import AddedChunk

Matrix = npt.NDArray[np.float64]
RRF_K = 60


def main() -> None:
    """Read the files, rank, print the table."""
    parser = argparse.ArgumentParser(description="Compares ways of ranking passages.")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--questions", type=int, default=1500, help="ask a sample of so many")
    parser.add_argument("--models", type=Path, help="where the converted embedder is kept")
    options = parser.parse_args()
    rows = [read(file) for file in options.files]
    asked = [row for row in rows[0] if row["answers"]]
    random.Random(1).shuffle(asked)
    asked = asked[: options.questions]
    contexts = list(dict.fromkeys(row["context"] for file in rows for row in file))
    place = {context: index for index, context in enumerate(contexts)}
    right = np.array([place[row["context"]] for row in asked])
    questions = [row["question"] for row in asked]
    with tempfile.TemporaryDirectory() as scratch:
        dense = by_meaning(contexts, questions, models=options.models or Path(scratch))
    lexical = by_words(contexts, questions)
    print(f"{len(asked)} questions, {len(contexts)} passages")
    show("dense", dense, right)
    show("lexical", lexical, right)
    show("reciprocal ranks", 1 / (RRF_K + ranks(dense)) + 1 / (RRF_K + ranks(lexical)), right)
    for weight in (0.5, 0.6, 0.7, 0.75, 0.8, 0.9):
        both = zip(dense, lexical, strict=True)
        fused = np.stack([fuse(one, other, dense_weight=weight) for one, other in both])
        show(f"fused, dense weight {weight:.2f}", fused, right)


def read(file: Path) -> list[dict[str, object]]:
    """Return the objects in a file of JSON lines, gzip or plain."""
    data = file.read_bytes()
    text = gzip.decompress(data) if file.suffix == ".gz" else data
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def by_meaning(contexts: list[str], questions: list[str], *, models: Path) -> Matrix:
    """Return the cosine of each question with each context, (questions, contexts)."""
    embedder = open_embedder(find_weights("minilm"), cache=models, threads=2)
    asked = np.stack([embedder.embed_question(question) for question in questions])
    return (asked @ embedder.embed_passages(contexts).T).astype(np.float64)


def by_words(contexts: list[str], questions: list[str]) -> Matrix:
    """Return the BM25 score of each context for each question, 0 where no word is shared."""
    index = LexicalIndex()
    chunks = [
        AddedChunk(id=id_, document="", title="", section=(), text=text)
        for id_, text in enumerate(contexts)
    ]
    index.change(added=chunks, removed=())
    scores = np.zeros((len(questions), len(contexts)))
    for row, question in enumerate(questions):
        for id_, score in index.search(question, len(contexts)):
            scores[row, id_] = score
    return scores


def ranks(scores: Matrix) -> Matrix:
    """Return each context's rank for each question, from 1."""
    order = np.argsort(-scores, axis=1, kind="stable")
    return np.argsort(order, axis=1, kind="stable") + 1.0


def show(name: str, scores: Matrix, right: npt.NDArray[np.int64]) -> None:
    """Print one line of the table."""
    rank = ranks(scores)[np.arange(len(right)), right]
    reciprocal = np.where(rank <= 10, 1 / rank, 0.0)
    print(
        f"{name:26} recall@1 {np.mean(rank <= 1):.3f}  recall@10 {np.mean(rank <= 10):.3f}"
        f"  MRR@10 {reciprocal.mean():.3f}"
    )


if __name__ == "__main__":
    main()
