"""Evaluation: exact match, F1 and the no-answer AUROC, each with its 95% interval."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from rag.chunks import Chunk
from rag.metrics.confidence import auroc
from rag.metrics.intervals import Figure, bootstrap, mean
from rag.metrics.texts import exact_match, f1_score
from rag.reading.decoding import TextSpan, decode, keep_best
from rag.reading.onnx import OnnxReader
from rag.reading.windows import WindowCutter, WindowSize
from rag.training.data import Example
from rag.training.features import pad
from rag.training.model import SpanModel, load_model

LONGEST_ANSWER = 40
"""Tokens; of the answers people write, fewer than one in two hundred is longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a reader found for one example; `score` is the best span's, above "no answer"."""

    text: str
    score: float
    relevance: float


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
    answered = [
        (given.text, [gold.text for gold in example.answers])
        for example, given in pairs
        if example.answers
    ]
    exact = np.array([exact_match(text, golds) for text, golds in answered])
    f1 = np.array([f1_score(text, golds) for text, golds in answered])
    has = np.array([bool(example.answers) for example in examples])
    scores = np.array([given.score for given in predictions], dtype=np.float64)
    return Report(
        questions=len(pairs),
        answerable=len(answered),
        exact=bootstrap(partial(mean, exact), len(exact)),
        f1=bootstrap(partial(mean, f1), len(f1)),
        no_answer_auroc=bootstrap(lambda weights: auroc(scores, has, weights=weights), len(has)),
    )


def write_report(result: Report, file: Path) -> None:
    """Write a report as JSON."""
    file.write_text(json.dumps(asdict(result), indent=1) + "\n", encoding="utf-8")
