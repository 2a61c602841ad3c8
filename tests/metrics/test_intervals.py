import math
from functools import partial

import numpy as np
import pytest

from rag.metrics.intervals import bootstrap, mean, ratio, resamples


def test_the_interval_of_a_mean_is_the_textbook_s():
    """For 400 zeros and ones of mean .5, two standard errors are .05."""
    values = np.tile([0.0, 1.0], 200)
    figure = bootstrap(partial(mean, values), len(values))
    assert (figure.value, figure.count) == (0.5, 400)
    assert figure.low == pytest.approx(0.451, abs=0.006)
    assert figure.high == pytest.approx(0.549, abs=0.006)


def test_questions_of_one_passage_are_drawn_together():
    """Ten equal questions a passage are worth one: the interval is that of 40 independent ones."""
    values = np.repeat(np.tile([0.0, 1.0], 20), 10)
    figure = bootstrap(partial(mean, values), 400, clusters=np.repeat(np.arange(40), 10))
    assert figure.low == pytest.approx(0.5 - 1.96 * 0.5 / math.sqrt(40), abs=0.02)
    assert figure.high == pytest.approx(0.5 + 1.96 * 0.5 / math.sqrt(40), abs=0.02)


def test_resamples_are_drawn_with_replacement_and_repeat():
    """Each row draws as many as there are, each as likely as the next; one seed gives one draw."""
    rows = np.concatenate(list(resamples(50, draws=2000)))
    assert rows.shape == (2000, 50)
    assert (rows.sum(axis=1) == 50).all()
    assert rows.mean(axis=0) == pytest.approx(np.ones(50), abs=0.12)
    assert rows.var() == pytest.approx(1 - 1 / 50, abs=0.03)  # binomial(50, 1/50)
    assert np.array_equal(rows, np.concatenate(list(resamples(50, draws=2000))))
    assert not np.array_equal(rows, np.concatenate(list(resamples(50, draws=2000, seed=1))))


def test_clusters_keep_one_weight():
    """What shares a cluster is drawn equally often."""
    clusters = np.array([0, 1, 0, 2, 1])
    rows = np.concatenate(list(resamples(5, clusters=clusters, draws=50)))
    assert (rows[:, 0] == rows[:, 2]).all()
    assert (rows[:, 1] == rows[:, 4]).all()
    assert (rows[:, [0, 1, 3]].sum(axis=1) == 3).all()


def test_a_mean_is_over_the_numbers_only():
    """What is not a number counts neither above nor below; nothing at all is not a number."""
    weights = np.array([[1.0, 1.0, 1.0], [2.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    got = mean(np.array([1.0, math.nan, 4.0]), weights)
    assert got == pytest.approx([2.5, 1.0, math.nan], nan_ok=True)


def test_a_ratio_is_of_sums():
    """(1 + 3) of (2 + 3) is 4/5, and not the mean of 1/2 and 1."""
    got = ratio(np.array([1.0, 3.0]), np.array([2.0, 3.0]), np.ones((1, 2)))
    assert got == pytest.approx([0.8])


def test_nothing_measured_is_no_number():
    figure = bootstrap(partial(mean, np.array([])), 0)
    assert math.isnan(figure.value)
    assert math.isnan(figure.low)
    assert figure.count == 0
