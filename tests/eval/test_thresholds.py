"""Choosing a threshold: the promise is kept, or not given."""

import numpy as np
import pytest
from scipy.stats import binom

from rag.eval.thresholds import Candidate, candidates, choose, outcomes
from tests.eval.making import record


def chosen(
    confidence: np.ndarray, right: np.ndarray, *, precision: float = 0.9, level: float = 0.95
) -> Candidate | None:
    found = candidates(confidence, right, confidence_level=level)
    return choose(found, questions=len(confidence), precision=precision, confidence_level=level)


def test_the_bound_is_that_of_the_binomial() -> None:
    """At the bound, as many right answers or more have just the error's probability, a quarter."""
    confidence = np.repeat([0.905, 0.505], [40, 60])
    right = np.arange(100) % 10 != 0  # 36 of the surer, 90 of all
    found = {c.min_confidence: c for c in candidates(confidence, right, confidence_level=0.95)}
    assert (found[0.9].answered, found[0.9].right) == (40, 36)
    assert (found[0.5].answered, found[0.5].right) == (100, 90)
    assert (found[0.91].answered, found[0.91].low) == (0, 0.0)
    for candidate in (found[0.9], found[0.5]):
        tail = binom.sf(candidate.right - 1, candidate.answered, candidate.low)
        assert tail == pytest.approx(0.05 / 4)


def test_the_threshold_that_answers_most_and_keeps_it_is_chosen() -> None:
    """200 sure answers all right, 100 less sure ones half right: only the sure ones are given."""
    confidence = np.repeat([0.8, 0.4], [200, 100])
    right = np.concatenate([np.ones(200, bool), np.arange(100) % 2 == 0])
    found = chosen(confidence, right)
    assert found is not None
    assert found.min_confidence == 0.8  # not 0.41: in between nothing was seen
    assert (found.answered, found.right) == (200, 200)


@pytest.mark.parametrize(
    ("count", "threshold"),
    [
        pytest.param(41, None, id="all right, but too few: .9^41 > .0125"),
        pytest.param(42, 0.7, id="just enough: .9^42 < .0125"),
    ],
)
def test_how_many_right_answers_it_takes(count: int, threshold: float | None) -> None:
    """So many that an engine which is right nine times in ten would rarely get all of them."""
    found = chosen(np.full(count, 0.7), np.ones(count, bool))
    assert (found and found.min_confidence) == threshold


def test_an_early_mistake_does_not_spoil_it() -> None:
    """The surest answer is wrong, the other 299 of 300 are right: all are given all the same."""
    confidence = np.linspace(0.99, 0.1, 300)
    found = chosen(confidence, np.arange(300) != 0)
    assert found is not None
    assert found.answered == 300


def test_no_threshold_for_a_reader_that_is_right_half_the_time() -> None:
    """Whatever its confidence says."""
    confidence = np.linspace(0.99, 0.5, 400)
    assert chosen(confidence, np.arange(400) % 2 == 0) is None


def test_the_promise_is_broken_no_more_often_than_stated() -> None:
    """Of 600 sets of questions at most 20% plus four standard errors break it, at a level of 80%.

    At confidence c, (3 + c) / 4 are right, so from c on (7 + c) / 8 are: 90% from 0.2 on. A
    threshold below that breaks the promise.
    """
    rng = np.random.default_rng(2)
    broken = given = 0
    for _ in range(600):
        confidence = rng.random(500)
        right = rng.random(500) < (3 + confidence) / 4
        found = chosen(confidence, right, level=0.8)
        given += found is not None
        broken += found is not None and found.min_confidence < 0.2
    assert given > 400
    assert broken / 600 < 0.2 + 4 * (0.2 * 0.8 / 600) ** 0.5


def test_outcomes_are_those_of_the_best_answers() -> None:
    """Of an unanswerable question none is right; one without any answer is below every threshold.

    Questions of documents have no right answers and are left out.
    """
    records = [
        record(1, f1=1.0, confidence=0.9),
        record(2, f1=0.2, confidence=0.8),
        record(3, answerable=False, confidence=0.7),
        record(4, answers=(), confidence=0.0),
        record(5, task="documents", answers=(), cause=None),
    ]
    confidence, right = outcomes(records)
    assert confidence.tolist() == [0.9, 0.8, 0.7, -1.0]
    assert right.tolist() == [True, False, False, False]
