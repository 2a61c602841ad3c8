"""Measures which chunks are found: their size, their overlap and the headings before them.

    python tests/benchmarks/bench_chunking.py QUESTIONS [--models DIRECTORY] [--every N] [--join N]

QUESTIONS is a file as `rag eval run` takes, whose questions name documents beside it (as
seeds/questions.jsonl does) or come with their contexts. With `--join` so many contexts after one
another make one document without headings, titled by all of their titles, so that there is
something to cut where the contexts are short.

Each configuration is cut, embedded, stored and searched by the classes of the product. A question
is answered by a chunk that holds all of a right answer at its place; the document counts by its
place among the distinct ones. Large chunks have it easier among the first ten, as ten of them are
more text, which is why the last columns look at the first 1,000 tokens instead, however few chunks
those are, and tell how many tokens the first ten have. Differences are to the configuration in use,
with 95% bootstrap intervals that resample questions on one paragraph (or context) together.

Chunks of 300 tokens are more than the embedder reads (256 with the two special ones): what is
beyond is not in their vectors, and no heading either, but their words are all found.
"""

import argparse
import math
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate, product
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rag.chunking import ChunkingOptions, chunk_document
from rag.chunks import Chunk
from rag.documents import Document, document_id
from rag.embedding.compiled import open_embedder
from rag.embedding.embedder import Embedder
from rag.embedding.passages import passage_text
from rag.embedding.tokens import Tokens
from rag.embedding.weights import find_weights
from rag.eval.examples import Context, Example
from rag.eval.loading import read_examples
from rag.metrics.intervals import Figure, bootstrap, mean
from rag.metrics.ranking import recall_at, reciprocal_rank_at
from rag.retrieval.held import HeldRankings
from rag.retrieval.lexical import LexicalIndex
from rag.retrieval.retriever import Mode, Retriever
from rag.sentences import sentence_spans
from rag.sources import read_bytes, read_text
from rag.store import Filters, NewDocument, Snapshot, SqliteStore
from vectors.faiss_index import FaissIndex

Floats = npt.NDArray[np.float64]

MEASURES = (
    "doc@1",
    "doc MRR",
    "chunk@1",
    "chunk@5",
    "chunk@10",
    "chunk MRR",
    "in 1,000",
    "tokens@10",
)
COMPARED = (5, 6)
MODES: tuple[Mode, ...] = ("dense", "lexical", "hybrid")
SEARCHED = 40  # chunks: enough for 1,000 tokens, unless they have 25 each
READ_TOKENS = 1000
THREADS = 2
OVERLAP_TOKENS = 50  # a longer sentence is not repeated, as in rag.bootstrap


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """How documents are cut: tokens a chunk, sentences repeated, headings in front or not."""

    size: int
    overlap: int
    headings: bool


IN_USE = Configuration(size=200, overlap=1, headings=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an answer stands."""

    document: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question, where its right answers stand, and what it is resampled with."""

    text: str
    places: tuple[Place, ...]
    cluster: str


def main() -> None:
    """Measure every configuration and print a line for each way of ranking."""
    parser = argparse.ArgumentParser(description="Measures ways of cutting documents.")
    parser.add_argument("questions", type=Path)
    parser.add_argument("--models", type=Path, help="where the converted embedder is kept")
    parser.add_argument("--every", type=int, default=1, help="ask every so manieth question")
    parser.add_argument("--join", type=int, default=1, help="contexts a document")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 200, 300])
    parser.add_argument("--overlaps", type=int, nargs="+", default=[0, 1, 2], choices=[0, 1, 2])
    options = parser.parse_args()
    examples = [e for e in read_examples(options.questions) if e.golds]
    if examples[0].context is None:
        documents, questions = of_files(examples, beside=options.questions.parent)
    else:
        documents, questions = of_contexts(examples, a_document=options.join)
    questions = questions[:: options.every]
    others = (
        Configuration(size=size, overlap=overlap, headings=headings)
        for size, overlap, headings in product(options.sizes, options.overlaps, (True, False))
    )
    configurations = dict.fromkeys((IN_USE, *others))
    print(f"{len(questions)} questions, {len(documents)} documents")
    with tempfile.TemporaryDirectory() as scratch:
        embedder = Remembering(
            open_embedder(
                find_weights("minilm"), cache=options.models or Path(scratch), threads=THREADS
            )
        )
        in_use: dict[Mode, Floats] = {}
        print_head()
        for configuration in configurations:
            measured = measure(configuration, documents, questions, embedder=embedder)
            for mode in MODES:
                figures = measured.figures[mode]
                changes = differences(in_use.setdefault(mode, figures), figures, questions)
                print_row(configuration, measured, mode, changes=changes)


def of_files(examples: Sequence[Example], *, beside: Path) -> tuple[list[Document], list[Question]]:
    """Return the documents that the examples name, and their questions."""
    names = dict.fromkeys(gold.document or "" for e in examples for gold in e.golds)
    documents = {
        document.id: document
        for name in names
        for document in read_bytes((beside / name).read_bytes(), name=name, uri=name)
    }
    questions = []
    for example in examples:
        places = tuple(
            Place(document=document_id(gold.document), start=gold.start, end=gold.end)
            for gold in example.golds
            if gold.document is not None and gold.start is not None and gold.end is not None
        )
        text = documents[places[0].document].text
        paragraph = text.count("\n\n", 0, places[0].start)
        questions.append(
            Question(
                text=example.question,
                places=places,
                cluster=f"{places[0].document} {paragraph}",
            )
        )
    return list(documents.values()), questions


def of_contexts(
    examples: Sequence[Example], *, a_document: int
) -> tuple[list[Document], list[Question]]:
    """Return the examples' contexts as documents, several in one, and their questions."""
    contexts = list({e.context.uri: e.context for e in examples if e.context}.values())
    documents: list[Document] = []
    places: dict[str, tuple[str, int]] = {}
    for first in range(0, len(contexts), a_document):
        group = contexts[first : first + a_document]
        document, starts = joined(group)
        documents.append(document)
        places |= {context.uri: (document.id, start) for context, start in starts}
    questions = []
    for example in examples:
        if example.context is None:
            raise ValueError(f"{example.where}: this question has no context, as others have")
        document_, start = places[example.context.uri]
        found = tuple(
            Place(document=document_, start=start + gold.start, end=start + gold.end)
            for gold in example.golds
            if gold.start is not None and gold.end is not None
        )
        questions.append(Question(text=example.question, places=found, cluster=example.context.uri))
    return documents, questions


def joined(contexts: Sequence[Context]) -> tuple[Document, list[tuple[Context, int]]]:
    """Return contexts as one document, and where in it each of them starts."""
    starts, text = [], ""
    for context in contexts:
        text += "\n\n" if text else ""
        starts.append((context, len(text)))
        text += context.text
    title = "; ".join(dict.fromkeys(context.title for context in contexts))
    document = read_text(
        text, uri=contexts[0].uri, title=title or None, published=None, metadata={}
    )
    return document, starts


class Remembering:
    """Embeds each distinct text once; `seconds` adds up what the passages took."""

    def __init__(self, embedder: Embedder) -> None:
        self.tokens = embedder.tokens
        self.dim = embedder.dim
        self.seconds = 0.0
        self._embedder = embedder
        self._passages: dict[str, npt.NDArray[np.float32]] = {}
        self._questions: dict[str, npt.NDArray[np.float32]] = {}

    def embed_passages(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return unit rows in the order of the texts."""
        new = [text for text in dict.fromkeys(texts) if text not in self._passages]
        started = time.perf_counter()
        self._passages |= dict(zip(new, self._embedder.embed_passages(new), strict=True))
        self.seconds += time.perf_counter() - started
        return np.stack([self._passages[text] for text in texts])

    def __len__(self) -> int:
        """Return how many passages were embedded."""
        return len(self._passages)

    def embed_question(self, text: str) -> npt.NDArray[np.float32]:
        """Return one unit vector."""
        if text not in self._questions:
            self._questions[text] = self._embedder.embed_question(text)
        return self._questions[text]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What came of a configuration.

    `tokens` are those of a chunk on average. `cut` is the share of right answers that no chunk
    holds whole, `seconds` are those of embedding `embedded` passages, which no configuration before
    had. `figures` has a row a question and a column for each of `MEASURES`.
    """

    chunks: int
    tokens: float
    cut: float
    embedded: int
    seconds: float
    figures: dict[Mode, Floats]


def measure(
    configuration: Configuration,
    documents: Sequence[Document],
    questions: Sequence[Question],
    *,
    embedder: Remembering,
) -> Measured:
    """Cut, embed, store and search."""
    known, before = len(embedder), embedder.seconds
    stored = [indexed(d, configuration=configuration, embedder=embedder) for d in documents]
    chunks = {one.document.id: one.chunks for one in stored}
    places = {place for question in questions for place in question.places}
    whole = sum(any(holds(chunk, p) for chunk in chunks[p.document]) for p in places)
    retriever = Retriever(
        embedder=embedder,
        rankings=HeldRankings(
            vectors=partial(FaissIndex, embedder.dim, threads=THREADS), lexical=LexicalIndex
        ),
    )
    with tempfile.TemporaryDirectory() as directory:
        store = SqliteStore(Path(directory), fingerprint="benchmark")
        store.put(stored)
        with store.snapshot() as snapshot:
            figures = {mode: searched(retriever, snapshot, questions, mode=mode) for mode in MODES}
        store.close()
    sizes = [chunk.tokens for one in stored for chunk in one.chunks]
    return Measured(
        chunks=len(sizes),
        tokens=float(np.mean(sizes)),
        cut=1.0 - whole / len(places),
        embedded=len(embedder) - known,
        seconds=embedder.seconds - before,
        figures=figures,
    )


def indexed(
    document: Document, *, configuration: Configuration, embedder: Remembering
) -> NewDocument:
    """Return a document with its chunks and their vectors.

    Without headings neither the embedder nor the words know of title and sections.
    """
    chunks = cut(document, configuration=configuration, tokens=embedder.tokens)
    if configuration.headings:
        texts = [
            passage_text(chunk, title=document.title, tokens=embedder.tokens) for chunk in chunks
        ]
    else:
        document = replace(document, title="")
        chunks = [replace(chunk, section=()) for chunk in chunks]
        texts = [chunk.text for chunk in chunks]
    return NewDocument(document=document, chunks=chunks, vectors=embedder.embed_passages(texts))


def cut(document: Document, *, configuration: Configuration, tokens: Tokens) -> list[Chunk]:
    """Cut a document as the product does, which repeats one sentence or none.

    For two sentences, chunks that repeat one are widened by the one before. Room for it is made as
    the product makes it for the first: half of what a repeated sentence may have.
    """
    twice = configuration.overlap == 2
    size = configuration.size - OVERLAP_TOKENS // 2 * twice
    overlap = min(OVERLAP_TOKENS, size // 2) if configuration.overlap else 0
    options = ChunkingOptions(max_tokens=size, overlap_tokens=overlap)
    chunks = chunk_document(document, options=options, tokenizer=tokens)
    if not twice:
        return chunks
    return [
        widened(chunk, document, limit=configuration.size, overlap=overlap, tokens=tokens)
        for chunk in chunks
    ]


def widened(chunk: Chunk, document: Document, *, limit: int, overlap: int, tokens: Tokens) -> Chunk:
    """Return a chunk with the sentence before it, if that is in its section, short, and fits."""
    (section,) = (s for s in document.sections if s.start <= chunk.start < s.end)
    spans = sentence_spans(document.text[section.start : chunk.start])
    if not spans:
        return chunk
    start = section.start + spans[-1][0]
    sentence = document.text[start : section.start + spans[-1][1]]
    text = document.text[start : chunk.end]
    repeated, all_ = tokens.count_tokens([sentence, text])
    if repeated > overlap or all_ > limit:
        return chunk
    return replace(chunk, start=start, text=text, tokens=all_)


def searched(
    retriever: Retriever, snapshot: Snapshot, questions: Sequence[Question], *, mode: Mode
) -> Floats:
    """Return the figures of each question."""
    rows = []
    for question in questions:
        hits = retriever.retrieve(snapshot, question.text, k=SEARCHED, filters=Filters(), mode=mode)
        chunks = [hit.chunk for hit in hits]
        rank = first(any(holds(chunk, p) for p in question.places) for chunk in chunks)
        right = {place.document for place in question.places}
        found = dict.fromkeys(chunk.document for chunk in chunks)
        document = first(id_ in right for id_ in found)
        read = sum(total <= READ_TOKENS for total in accumulate(c.tokens for c in chunks))
        rows.append(
            (
                recall_at([document], 1),
                reciprocal_rank_at([document], 10),
                recall_at([rank], 1),
                recall_at([rank], 5),
                recall_at([rank], 10),
                reciprocal_rank_at([rank], 10),
                recall_at([rank], read),
                sum(chunk.tokens for chunk in chunks[:10]),
            )
        )
    return np.array(rows, dtype=np.float64)


def first(right: Iterable[bool]) -> float:
    """Return the rank, from 1, of the first that is right; infinity where none is."""
    return next((rank for rank, one in enumerate(right, start=1) if one), math.inf)


def holds(chunk: Chunk, place: Place) -> bool:
    """Tell whether a chunk holds all of an answer, at its place."""
    return (
        chunk.document == place.document and chunk.start <= place.start and place.end <= chunk.end
    )


def print_head() -> None:
    """Print the names of the columns."""
    measures = " ".join(f"{name:>9}" for name in MEASURES)
    changes = " ".join(f"{MEASURES[column]:>24}" for column in COMPARED)
    print(
        f"{'size':>4} {'overlap':>7} {'headings':>8} {'chunks':>6} {'tokens':>6} {'cut':>6} "
        f"{'embedded':>8} {'seconds':>7}  {'ranked by':9} {measures}  {changes}"
    )


def print_row(
    configuration: Configuration, measured: Measured, mode: Mode, *, changes: Sequence[Figure]
) -> None:
    """Print the figures of one way of ranking, and their differences to the one in use."""
    *shares, tokens = measured.figures[mode].mean(axis=0)
    print(
        f"{configuration.size:4} {configuration.overlap:7} "
        f"{'on' if configuration.headings else 'off':>8} {measured.chunks:6} "
        f"{measured.tokens:6.0f} {measured.cut:6.2%} {measured.embedded:8} "
        f"{measured.seconds:7.1f}  {mode:9} "
        + " ".join(f"{share:9.3f}" for share in shares)
        + f" {tokens:9.0f}  "
        + " ".join(f"{c.value:+.3f} [{c.low:+.3f}, {c.high:+.3f}]".rjust(24) for c in changes),
        flush=True,
    )


def differences(before: Floats, after: Floats, questions: Sequence[Question]) -> list[Figure]:
    """Return by how much some measures differ, with intervals."""
    names = dict.fromkeys(question.cluster for question in questions)
    numbers = {name: number for number, name in enumerate(names)}
    clusters = np.array([numbers[question.cluster] for question in questions], dtype=np.int64)
    return [
        bootstrap(
            partial(mean, after[:, column] - before[:, column]), len(questions), clusters=clusters
        )
        for column in COMPARED
    ]


if __name__ == "__main__":
    main()
