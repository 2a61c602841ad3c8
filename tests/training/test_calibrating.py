import numpy as np
import pytest

from rag.reading.calibration import FEATURES
from rag.reading.onnx import OnnxReader
from rag.training.calibrating import (
    Judged,
    corpus_report,
    corpus_search,
    fit,
    judge,
)
from rag.training.exporting import export
from tests.fakes import FakeEmbedder
from tests.training.tiny import invented_examples

EXAMPLES = invented_examples()


def judged_by_score(count=4000):
    """Candidates whose chance of being right is the logistic of their score less one half."""
    rng = np.random.default_rng(7)
    scores = rng.normal(0.5, 1.5, size=count)
    right = rng.random(count) < 1 / (1 + np.exp(0.5 - scores))
    column = FEATURES.index("score")
    rows = np.zeros((count, len(FEATURES)))
    rows[:, column] = scores
    return [
        Judged(question=number, features=tuple(row), exact=float(hit), f1=float(hit))
        for number, (row, hit) in enumerate(zip(rows, right, strict=True))
    ]


def test_the_law_behind_the_data_is_found():
    fitted = fit(judged_by_score())
    assert fitted.weights[FEATURES.index("score")] == pytest.approx(1.0, abs=0.1)
    assert fitted.bias == pytest.approx(-0.5, abs=0.1)


def test_above_the_threshold_answers_are_as_precise_as_asked():
    judged = judged_by_score()
    fitted = fit(judged, precision=0.8)
    scores = np.array([answer.features[FEATURES.index("score")] for answer in judged])
    right = np.array([answer.exact for answer in judged])
    chance = 1 / (1 + np.exp(-fitted.bias - fitted.weights[FEATURES.index("score")] * scores))
    assert right[chance >= fitted.min_confidence].mean() == pytest.approx(0.8, abs=0.02)


def test_confidences_of_held_out_questions_are_calibrated():
    judged = judged_by_score()
    result = corpus_report(EXAMPLES[1:2] * len(judged), judged)
    assert result.calibration_error.value < 0.03
    assert result.auroc.value == pytest.approx(0.82, abs=0.05)


def test_questions_are_judged_over_the_corpus(trained, tmp_path):
    reader = OnnxReader(export(trained, tmp_path, name="tiny-1", samples=EXAMPLES))
    search = corpus_search(EXAMPLES, FakeEmbedder(), k=3)
    judged = judge(EXAMPLES, search, reader)
    assert {answer.question for answer in judged} == set(range(len(EXAMPLES)))
    assert all(len(answer.features) == len(FEATURES) for answer in judged)
    assert 0.0 <= corpus_report(EXAMPLES, judged).f1.value <= 1.0


def test_search_finds_the_passage_of_its_question():
    search = corpus_search(EXAMPLES, FakeEmbedder(), k=3)
    hits = search(EXAMPLES[1].question)
    assert len(hits) == 3
    assert EXAMPLES[1].title in hits[0].chunk.text
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
