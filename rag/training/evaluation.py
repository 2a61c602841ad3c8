"""Evaluation: exact match, F1 and the no-answer AUROC, each with its 95% interval."""

import json
import re
import string
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from rag.chunks import Chunk
from rag.reading.decoding import TextSpan, decode, keep_best
from rag.reading.onnx import OnnxReader
from rag.reading.windows import WindowCutter, WindowSize
from rag.training.data import Example
from rag.training.features import pad
from rag.training.model import SpanModel, load_model

Floats = npt.NDArray[np.float64]

LONGEST_ANSWER = 40
"""Tokens; of the answers people write, fewer than one in two hundred is longer."""

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation + "‘’“”–")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a reader found for one example; `score` is the best span's, above "no answer"."""

    text: str
    score: float
    relevance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A measured value and its 95% bootstrap interval; not a number where nothing was measured."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Write it as in a table: value [low, high]."""
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How well a reader did; `exact` and `f1` are over the answerable questions only.

    `no_answer_auroc`: how well the score tells questions that the passage answers from others.
    """

    questions: int
    answerable: int
    exact: Figure
    f1: Figure
    no_answer_auroc: Figure


def evaluate(directory: Path, examples: Sequence[Example]) -> Report:
    """Measure a model directory, trained (float) or exported (int8), with the passages given."""
    if (directory / "model.onnx").exists():
        predictions = read_with(OnnxReader(directory), examples)
    else:
        tokenizer = directory / "tokenizer.json"
        predictions = predict(load_model(directory), tokenizer, examples)
    return report(examples, predictions)


def read_with(reader: OnnxReader, examples: Sequence[Example]) -> list[Prediction]:
    """Return what the runtime reader finds in each example's context."""
    predictions = []
    for example in examples:
        chunk = Chunk(
            id=0,
            document="",
            start=0,
            end=len(example.context),
            text=example.context,
            section=(),
            page=None,
            tokens=0,
        )
        spans = reader.read(example.question, [chunk])
        predictions.append(
            Prediction(text=spans[0].text, score=spans[0].score, relevance=spans[0].relevance)
            if spans
            else Prediction(text="", score=-np.inf, relevance=-np.inf)
        )
    return predictions


def predict(
    model: SpanModel,
    tokenizer: Path,
    examples: Sequence[Example],
    *,
    size: WindowSize | None = None,
    batch: int = 24,
) -> list[Prediction]:
    """Return what a float model finds in each example's context."""
    cutter = WindowCutter(tokenizer, size or WindowSize())
    cut = [cutter.cut(example.question, [example.context])[0] for example in examples]
    work = [(number, window) for number, windows in enumerate(cut) for window in windows]
    work.sort(key=lambda item: len(item[1].ids))
    spans: list[list[TextSpan]] = [[] for _ in examples]
    relevance = [-np.inf] * len(examples)
    model.eval()
    for at in range(0, len(work), batch):
        part = work[at : at + batch]
        with torch.inference_mode():
            logits = model(*pad([window for _, window in part]))
        for row, (number, window) in enumerate(part):
            length = len(window.ids)
            start = logits.start[row, :length].numpy()
            end = logits.end[row, :length].numpy()
            text = examples[number].context
            spans[number] += decode(window, start, end, text, longest=LONGEST_ANSWER, count=1)
            relevance[number] = max(relevance[number], float(logits.relevance[row]))
    predictions = []
    for example, found, relevant in zip(examples, spans, relevance, strict=True):
        best = keep_best(found, 1)
        text = example.context[best[0].start : best[0].end] if best else ""
        score = best[0].score if best else -np.inf
        predictions.append(Prediction(text=text, score=score, relevance=relevant))
    return predictions


def report(examples: Sequence[Example], predictions: Sequence[Prediction]) -> Report:
    """Compare predictions with the examples they were made for."""
    pairs = list(zip(examples, predictions, strict=True))
    answered = [(example, given) for example, given in pairs if example.answers]
    exact = np.array([exact_match(given.text, example) for example, given in answered])
    f1 = np.array([f1_score(given.text, example) for example, given in answered])
    has = np.array([bool(example.answers) for example in examples])
    scores = np.array([given.score for given in predictions], dtype=np.float64)
    return Report(
        questions=len(pairs),
        answerable=len(answered),
        exact=bootstrap(lambda rows: float(exact[rows].mean()), len(exact)),
        f1=bootstrap(lambda rows: float(f1[rows].mean()), len(f1)),
        no_answer_auroc=bootstrap(lambda rows: auroc(scores[rows], has[rows]), len(has)),
    )


def write_report(result: Report, file: Path) -> None:
    """Write a report as JSON."""
    file.write_text(json.dumps(asdict(result), indent=1) + "\n", encoding="utf-8")


def normalised(text: str) -> str:
    """Return what answers are compared by: no case, articles, punctuation, extra white space."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(text: str, example: Example) -> float:
    """Return 1.0 if the text equals one of the right answers once normalised."""
    return float(any(normalised(text) == normalised(gold.text) for gold in example.answers))


def f1_score(text: str, example: Example) -> float:
    """Return the best word overlap with a right answer, as F1."""
    return max((_overlap(text, gold.text) for gold in example.answers), default=0.0)


def _overlap(text: str, gold: str) -> float:
    given, wanted = normalised(text).split(), normalised(gold).split()
    common = (Counter(given) & Counter(wanted)).total()
    if not common:
        return float(given == wanted)
    precision, recall = common / len(given), common / len(wanted)
    return 2 * precision * recall / (precision + recall)


def auroc(scores: Floats, positive: npt.NDArray[np.bool_]) -> float:
    """Return the chance that a positive scores above a negative, ties counting half."""
    if positive.all() or not positive.any():
        return float("nan")
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    wins = ranks[positive].sum() - positive.sum() * (positive.sum() + 1) / 2
    return float(wins / (positive.sum() * (~positive).sum()))


def bootstrap(
    measure: Callable[[npt.NDArray[np.int64]], float], count: int, *, draws: int = 1000
) -> Figure:
    """Return a measure over `count` rows and the 2.5% and 97.5% points of resampled ones."""
    value = measure(np.arange(count)) if count else float("nan")
    if np.isnan(value):
        return Figure(value=value, low=value, high=value)
    rng = np.random.default_rng(0)
    values = [measure(rows) for rows in _resampled(rng, count, draws)]
    low, high = np.nanquantile(values, (0.025, 0.975))
    return Figure(value=value, low=float(low), high=float(high))


def _resampled(rng: np.random.Generator, count: int, draws: int) -> Iterator[npt.NDArray[np.int64]]:
    for _ in range(draws):
        yield rng.integers(0, count, count)
