import math

import pytest

from rag.metrics.overlap import iou, precision, recall, shared_words, word_places


def test_words_are_counted_by_their_places():
    """The same word elsewhere, or in another document, is another one."""
    one = word_places("a", 10, "two words, two")
    assert one == {("a", 10), ("a", 14), ("a", 21)}
    assert word_places("a", 14, "words") < one
    assert not word_places("b", 14, "words") & one


def test_shares_by_hand():
    """Of six words of a reference three are among the four found: 3/6, 3/4 and 3/7."""
    assert recall(shared=3, reference=6) == 0.5
    assert precision(shared=3, found=4) == 0.75
    assert iou(shared=3, found=4, reference=6) == pytest.approx(3 / 7)
    assert precision(shared=0, found=0) == 0.0
    assert math.isnan(recall(shared=0, reference=0))
    assert math.isnan(iou(shared=0, found=0, reference=0))


def test_words_in_common_are_counted_as_in_bags():
    """Two of three "to" and the one "be" are shared, whatever the case."""
    assert shared_words(["To be", "to to"], ["be, or not to", "TO"]) == (3, 4, 5)
