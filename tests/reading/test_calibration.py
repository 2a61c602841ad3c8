import dataclasses

import pytest

from rag.errors import ModelError
from rag.reading.calibration import (
    FEATURES,
    Calibration,
    Evidence,
    features,
    load_calibration,
    save_calibration,
)

EVIDENCE = Evidence(
    score=8.0, relevance=3.0, margin=2.0, passages=2, rank=0, retrieval_score=0.6, words=2
)
PLAIN = Calibration(
    weights=tuple(1.0 if name == "score" else 0.0 for name in FEATURES),
    bias=-0.8,
    min_confidence=0.4,
)


def test_there_is_one_number_per_feature():
    assert len(features(EVIDENCE)) == len(FEATURES)


def test_confidence_is_the_logistic_of_the_weighted_features():
    """A score of 8 counts 0.8, and 0.8 - 0.8 = 0 is even odds."""
    assert PLAIN.confidence(EVIDENCE) == pytest.approx(0.5)


@pytest.mark.parametrize("score", [-1e6, 1e6])
def test_confidence_stays_a_probability(score):
    assert 0.0 <= PLAIN.confidence(dataclasses.replace(EVIDENCE, score=score)) <= 1.0


def test_what_was_saved_is_loaded(tmp_path):
    file = tmp_path / "calibration.json"
    save_calibration(PLAIN, file)
    assert load_calibration(file) == PLAIN


@pytest.mark.parametrize(
    "content", ["", "[]", '{"weights": {}, "bias": 0, "min_confidence": 0}'], ids=str
)
def test_anything_else_is_refused_by_name(tmp_path, content):
    file = tmp_path / "calibration.json"
    file.write_text(content)
    with pytest.raises(ModelError, match=r"calibration\.json"):
        load_calibration(file)
