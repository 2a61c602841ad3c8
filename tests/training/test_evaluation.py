import math
from dataclasses import replace

import numpy as np
import pytest

from rag.training.evaluation import (
    Prediction,
    auroc,
    bootstrap,
    exact_match,
    f1_score,
    normalised,
    report,
)
from tests.training.tiny import invented_examples

EXAMPLE = invented_examples()[2]  # answered by "Ada Ness"


@pytest.mark.parametrize(
    ("text", "exact", "f1"),
    [
        ("Ada Ness", 1.0, 1.0),
        ("the “Ada Ness”.", 1.0, 1.0),
        ("Ness", 0.0, 2 / 3),
        ("Ada Ness of Skarmo", 0.0, 2 / 3),
        ("Tolvik", 0.0, 0.0),
        ("", 0.0, 0.0),
    ],
)
def test_answers_are_compared_word_by_word(text, exact, f1):
    assert exact_match(text, EXAMPLE) == exact
    assert f1_score(text, EXAMPLE) == pytest.approx(f1)


def test_case_articles_and_punctuation_do_not_count():
    assert normalised("The  Cat's-paw, a (knot)!") == "catspaw knot"


def test_auroc_is_the_chance_of_the_right_order():
    """Of the six pairs four are in order and one is tied: 4.5 / 6."""
    scores = np.array([3.0, 1.0, 2.0, 1.0, 0.0])
    positive = np.array([True, True, False, False, False])
    assert auroc(scores, positive) == pytest.approx(4.5 / 6)


def test_auroc_of_one_kind_is_no_number():
    assert math.isnan(auroc(np.array([1.0, 2.0]), np.array([True, True])))


def test_the_interval_of_a_mean_is_the_textbook_s():
    """For 400 zeros and ones of mean .5, two standard errors are .05."""
    values = np.tile([0.0, 1.0], 200)
    figure = bootstrap(lambda rows: float(values[rows].mean()), len(values))
    assert figure.value == 0.5
    assert figure.low == pytest.approx(0.451, abs=0.01)
    assert figure.high == pytest.approx(0.549, abs=0.01)


def test_unanswerable_questions_count_in_the_auroc_only():
    silent = replace(EXAMPLE, answers=())
    result = report(
        [EXAMPLE, silent],
        [
            Prediction(text="Ada Ness", score=2.0, relevance=0.0),
            Prediction(text="Tolvik", score=1.0, relevance=0.0),
        ],
    )
    assert (result.questions, result.answerable) == (2, 1)
    assert (result.exact.value, result.f1.value, result.no_answer_auroc.value) == (1.0, 1.0, 1.0)
