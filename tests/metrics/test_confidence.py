import math

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from rag.metrics.confidence import (
    Bin,
    aurc,
    auroc,
    brier,
    calibration_error,
    coverage_at_error,
    reliability,
    risk_coverage,
)


def generated(count=250):
    """Confidences with many ties and outcomes, from 2 to 60 at a time."""
    rng = np.random.default_rng(5)
    for _ in range(count):
        size = int(rng.integers(2, 60))
        confidence = rng.integers(0, int(rng.integers(2, 40)), size) / 40
        yield confidence, rng.random(size) < rng.random()


def points(confidence, right):
    """Return, for every different confidence from the surest on, how many answer and how wrong."""
    for threshold in sorted(set(confidence), reverse=True):
        answered = [bool(r) for c, r in zip(confidence, right, strict=True) if c >= threshold]
        yield threshold, len(answered), answered.count(False) / len(answered)


def test_auroc_and_brier_score_agree_with_scikit_learn():
    """On 250 generated sets with ties; where all are of one kind there is no AUROC."""
    for confidence, right in generated():
        assert brier(confidence, right) == pytest.approx(brier_score_loss(right, confidence))
        if right.all() or not right.any():
            assert math.isnan(auroc(confidence, right))
        else:
            assert auroc(confidence, right) == pytest.approx(roc_auc_score(right, confidence))


def test_the_curve_is_that_of_answering_from_each_confidence_up():
    """On 250 generated sets: risk, coverage, the area under them and coverage at an error."""
    for confidence, right in generated():
        expected = list(points(confidence, right))
        thresholds, coverage, risk = risk_coverage(confidence, right)
        assert thresholds == pytest.approx([point[0] for point in expected])
        assert coverage == pytest.approx([point[1] / len(right) for point in expected])
        assert risk == pytest.approx([point[2] for point in expected])
        counts = [0, *(point[1] for point in expected)]
        area = sum(
            (count - before) * point[2]
            for before, count, point in zip(counts, counts[1:], expected, strict=False)
        )
        assert aurc(confidence, right) == pytest.approx(area / len(right))
        for error in (0.05, 0.1, 0.2):
            most = max((n for _, n, wrong in expected if wrong <= error), default=0)
            found = coverage_at_error(confidence, right, error=error)
            assert found == pytest.approx(most / len(right))


def test_calibration_error_is_that_of_bins_of_equal_counts():
    """On 250 generated sets the bins differ by one answer at most, and make the error."""
    for confidence, right in generated():
        bins = reliability(confidence, right)
        assert sum(part.count for part in bins) == len(right)
        assert max(part.count for part in bins) - min(part.count for part in bins) <= 1
        assert len(bins) == min(10, len(right))
        ordered = np.sort(confidence)
        at = 0
        for part in bins:
            assert part.confidence == pytest.approx(ordered[at : at + part.count].mean())
            at += part.count
        error = sum(part.count * abs(part.confidence - part.right) for part in bins)
        assert calibration_error(confidence, right) == pytest.approx(error / len(right))


def test_weights_count_an_answer_as_often():
    """On 200 generated sets weights give what repeating the answers gives, row by row.

    Where an answer is repeated its copies share a bin, so of the calibration error only weights of
    one are compared.
    """
    rng = np.random.default_rng(6)
    measures = (
        auroc,
        aurc,
        brier,
        lambda c, r, weights=None: coverage_at_error(c, r, error=0.2, weights=weights),
    )
    for confidence, right in generated(200):
        weights = rng.integers(0, 4, (3, len(right)))
        weights[:, 0] = 1
        for measure in measures:
            got = measure(confidence, right, weights=weights.astype(float))
            expected = [
                measure(np.repeat(confidence, row), np.repeat(right, row)) for row in weights
            ]
            assert got == pytest.approx(np.array(expected), nan_ok=True)
        ones = np.ones((2, len(right)))
        got = calibration_error(confidence, right, weights=ones)
        assert got == pytest.approx(np.full(2, calibration_error(confidence, right)))


def test_auroc_is_the_chance_of_the_right_order():
    """Of the six pairs four are in order and one is tied: 4.5 / 6."""
    scores = np.array([3.0, 1.0, 2.0, 1.0, 0.0])
    positive = np.array([True, True, False, False, False])
    assert auroc(scores, positive) == pytest.approx(4.5 / 6)


def test_a_curve_by_hand():
    """Right, wrong, right, right from the surest on: risks 0, 1/2, 1/3, 1/4."""
    confidence = np.array([0.2, 0.9, 0.5, 0.7])
    right = np.array([True, True, True, False])
    assert risk_coverage(confidence, right)[2] == pytest.approx([0, 1 / 2, 1 / 3, 1 / 4])
    assert aurc(confidence, right) == pytest.approx((1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert coverage_at_error(confidence, right, error=0.2) == 0.25
    assert coverage_at_error(confidence, right, error=0.25) == 1.0


def test_overconfidence_is_a_calibration_error():
    """Always 0.9 sure and right half of the time: 0.4 off."""
    right = np.tile([True, False], 50)
    assert calibration_error(np.full(100, 0.9), right) == pytest.approx(0.4)
    assert reliability(np.full(100, 0.9), right)[0] == Bin(
        confidence=pytest.approx(0.9), right=0.5, count=10
    )


def test_nothing_answered_has_no_figure():
    """Of no answers at all every measure is not a number, and there are no bins."""
    none, nothing = np.array([]), np.array([], dtype=bool)
    assert math.isnan(auroc(none, nothing))
    assert math.isnan(aurc(none, nothing))
    assert math.isnan(coverage_at_error(none, nothing, error=0.1))
    assert math.isnan(calibration_error(none, nothing))
    assert math.isnan(brier(none, nothing))
    assert reliability(none, nothing) == []
